#include "datasets/silicon.h"

#include <cmath>
#include <iterator>
#include <string>
#include <utility>

#include "core/error.h"
#include "core/random.h"
#include "datasets/neighbors.h"

namespace casimir {
namespace {

// Table I and eq. 2.6 of the paper; epsilon in its usual value of 50 kcal/mol.
constexpr double epsilon = 2.16826, sigma = 2.0951;  // eV, A
constexpr double big_a = 7.049556277, big_b = 0.6022245584, cutoff = 1.80;
constexpr double lambda = 21.0, gamma_sw = 1.20;  // p = 4, q = 0
constexpr int silicon = 14;

struct Bond {
  int32_t atom;
  Vec3 d;                       // from the central atom, A
  double length;                // A
  double weight, weight_slope;  // exp(gamma / (r - a)) and its derivative by the length
  Vec3 gradient;                // dE/dd
};

double dot(const Vec3& a, const Vec3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

// Half the pair energy of a bond, eV: each is met from both ends. Adds to its gradient.
//   f2(r) = A (B r^-4 - 1) exp(1 / (r - a))      r in units of sigma
double pair_energy(Bond& bond) {
  double r = bond.length / sigma, x = 1 / (r - cutoff);
  double power = big_b / (r * r * r * r), decay = std::exp(x);
  double value = big_a * (power - 1) * decay;
  double slope = -4 * big_a * power / r * decay - value * x * x;
  for (int k = 0; k < 3; ++k)
    bond.gradient[k] += 0.5 * epsilon * slope / sigma * bond.d[k] / bond.length;
  return 0.5 * epsilon * value;
}

// The energy of the angle between two bonds of one atom, eV. Adds to their gradients.
//   h = lambda exp(gamma / (r1 - a)) exp(gamma / (r2 - a)) (cos + 1/3)^2
double angle_energy(Bond& a, Bond& b) {
  double cosine = dot(a.d, b.d) / (a.length * b.length), t = cosine + 1.0 / 3;
  double front = epsilon * lambda;
  for (auto [one, other] : {std::pair(&a, &b), std::pair(&b, &a)}) {
    double radial = front * one->weight_slope * other->weight * t * t / one->length;
    double angular = 2 * front * a.weight * b.weight * t;
    for (int k = 0; k < 3; ++k) {
      double d_cosine =
          other->d[k] / (a.length * b.length) - cosine * one->d[k] / (one->length * one->length);
      one->gradient[k] += radial * one->d[k] + angular * d_cosine;
    }
  }
  return front * a.weight * b.weight * t * t;
}

// The bonds of each atom, [atoms][...].
std::vector<std::vector<Bond>> bonds_of(const Frame& frame) {
  Neighbors list = find_neighbors(frame.positions, frame.cell, frame.pbc, cutoff * sigma);
  std::vector<std::vector<Bond>> bonds(frame.size());
  for (size_t e = 0; e < list.size(); ++e) {
    const Vec3 shift = cartesian_shift(list.cell_shift[e], frame.cell);
    const Vec3 &from = frame.positions[list.sender[e]], &to = frame.positions[list.receiver[e]];
    Bond bond{list.sender[e], {}, 0, 0, 0, {}};
    for (int k = 0; k < 3; ++k) bond.d[k] = from[k] - to[k] - shift[k];
    bond.length = std::sqrt(dot(bond.d, bond.d));
    double gap = bond.length / sigma - cutoff;
    if (gap > -1e-3) continue;  // exp(1 / gap) is 0 in double precision
    bond.weight = std::exp(gamma_sw / gap);
    bond.weight_slope = -bond.weight * gamma_sw / (gap * gap) / sigma;
    bonds[list.receiver[e]].push_back(bond);
  }
  return bonds;
}

Vec3 normal_vector(Random& random) {
  Vec3 v;
  for (double& x : v) x = random.normal();
  return v;
}

// Deforms cell and positions by 1 + a symmetric matrix of entries up to `largest`.
void apply_strain(Frame& frame, double largest, Random& random) {
  Mat3 deformation{1, 0, 0, 0, 1, 0, 0, 0, 1};
  for (int i = 0; i < 3; ++i)
    for (int j = i; j < 3; ++j) {
      double e = random.uniform(-largest, largest);
      deformation[3 * i + j] += e;
      if (i != j) deformation[3 * j + i] += e;
    }
  auto deform = [&](double* v) {
    Vec3 old{v[0], v[1], v[2]};
    for (int k = 0; k < 3; ++k)
      v[k] = old[0] * deformation[k] + old[1] * deformation[3 + k] + old[2] * deformation[6 + k];
  };
  for (int i = 0; i < 3; ++i) deform(&frame.cell[3 * i]);
  for (Vec3& r : frame.positions) deform(r.data());
}

Frame make_frame(const SiliconOptions& options, Random random) {
  constexpr std::array<int64_t, 3> mix[] = {{1, 1, 1}, {1, 1, 2}, {1, 2, 1}, {2, 1, 1}, {1, 2, 2}};
  std::array<int64_t, 3> repeat = options.repeat;
  if (repeat[0] == 0) repeat = mix[random.below(std::size(mix))];
  Frame frame = silicon_crystal(repeat);
  frame.config_type = "rattled";
  if (options.strain > 0 && random.uniform() < 0.5) {
    apply_strain(frame, options.strain, random);
    frame.config_type = "strained";
  }
  if (frame.size() > 8 && random.uniform() < options.vacancies) {
    auto missing = static_cast<int64_t>(random.below(frame.size()));
    frame.positions.erase(frame.positions.begin() + missing);
    frame.numbers.pop_back();
    frame.config_type = "vacancy";
  }
  // Three components share the mean square length.
  double spread = random.uniform(options.rattle_min, options.rattle_max) / std::sqrt(3.0);
  for (Vec3& r : frame.positions) {
    Vec3 step = normal_vector(random);
    for (int k = 0; k < 3; ++k) r[k] += spread * step[k];
  }
  return frame;
}

}  // namespace

PotentialLabels stillinger_weber(const Frame& frame) {
  for (int number : frame.numbers)
    check<DataError>(number == silicon, "stillinger_weber: the potential knows Si only, found ",
                     symbol_of(number));
  std::vector<std::vector<Bond>> bonds = bonds_of(frame);
  PotentialLabels labels;
  labels.forces.assign(frame.size(), Vec3{});
  for (size_t i = 0; i < frame.size(); ++i) {
    std::vector<Bond>& own = bonds[i];
    for (size_t j = 0; j < own.size(); ++j) {
      labels.energy += pair_energy(own[j]);
      for (size_t k = 0; k < j; ++k) labels.energy += angle_energy(own[k], own[j]);
    }
    for (const Bond& bond : own)
      for (int k = 0; k < 3; ++k) {
        labels.forces[bond.atom][k] -= bond.gradient[k];
        labels.forces[i][k] += bond.gradient[k];
        for (int m = 0; m < 3; ++m) labels.stress[3 * k + m] += bond.d[k] * bond.gradient[m];
      }
  }
  bool bulk = frame.pbc[0] && frame.pbc[1] && frame.pbc[2];
  for (double& s : labels.stress) s = bulk ? s / frame.volume() : 0;
  return labels;
}

Frame silicon_crystal(const std::array<int64_t, 3>& repeat, double lattice) {
  for (int64_t n : repeat) check<Error>(n >= 1, "silicon_crystal: repeat is ", n);
  constexpr double basis[8][3] = {{0, 0, 0},          {0, 0.5, 0.5},      {0.5, 0, 0.5},
                                  {0.5, 0.5, 0},      {0.25, 0.25, 0.25}, {0.25, 0.75, 0.75},
                                  {0.75, 0.25, 0.75}, {0.75, 0.75, 0.25}};
  Frame frame;
  for (int64_t x = 0; x < repeat[0]; ++x)
    for (int64_t y = 0; y < repeat[1]; ++y)
      for (int64_t z = 0; z < repeat[2]; ++z)
        for (const auto& b : basis)
          frame.positions.push_back({lattice * (static_cast<double>(x) + b[0]),
                                     lattice * (static_cast<double>(y) + b[1]),
                                     lattice * (static_cast<double>(z) + b[2])});
  frame.numbers.assign(frame.positions.size(), silicon);
  for (int i = 0; i < 3; ++i) frame.cell[4 * i] = lattice * static_cast<double>(repeat[i]);
  frame.pbc = {true, true, true};
  frame.source = "silicon";
  return frame;
}

std::vector<Frame> make_silicon(const SiliconOptions& options) {
  check<UsageError>(options.frames >= 1, "silicon: frames is ", options.frames,
                    ", expected 1 or more");
  check<UsageError>(options.rattle_min >= 0 && options.rattle_max >= options.rattle_min &&
                        options.rattle_max <= 0.5,
                    "silicon: rattle ", options.rattle_min, " to ", options.rattle_max,
                    " A, expected 0 to 0.5");
  check<UsageError>(options.strain >= 0 && options.strain <= 0.2, "silicon: strain is ",
                    options.strain, ", expected 0 to 0.2");
  check<UsageError>(options.vacancies >= 0 && options.vacancies <= 1, "silicon: vacancies is ",
                    options.vacancies, ", expected 0 to 1");
  std::vector<Frame> frames;
  for (int64_t i = 0; i < options.frames; ++i) {
    uint64_t key = random_key(random_key(options.seed, "silicon"), std::to_string(i));
    Frame frame = make_frame(options, Random(key));
    PotentialLabels labels = stillinger_weber(frame);
    frame.energy = labels.energy;
    frame.forces = std::move(labels.forces);
    // Symmetric up to rounding; made so exactly.
    frame.stress.emplace();
    for (int k = 0; k < 3; ++k)
      for (int m = 0; m < 3; ++m)
        (*frame.stress)[3 * k + m] = 0.5 * (labels.stress[3 * k + m] + labels.stress[3 * m + k]);
    frame.number = i;
    frames.push_back(std::move(frame));
  }
  return frames;
}

}  // namespace casimir
