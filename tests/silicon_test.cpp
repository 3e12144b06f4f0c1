#include "datasets/silicon.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "core/error.h"
#include "core/random.h"
#include "datasets/neighbors.h"
#include "tests/message_of.h"

using namespace casimir;

namespace {

constexpr double gpa_per_ev_a3 = 160.21766208;

Frame strained(Frame frame, const Mat3& strain) {
  auto deform = [&](double* v) {
    Vec3 old{v[0], v[1], v[2]};
    for (int k = 0; k < 3; ++k)
      for (int i = 0; i < 3; ++i) v[k] += old[i] * strain[3 * i + k];
  };
  for (int i = 0; i < 3; ++i) deform(&frame.cell[3 * i]);
  for (Vec3& r : frame.positions) deform(r.data());
  return frame;
}

double largest(const std::vector<Vec3>& forces) {
  double most = 0;
  for (const Vec3& f : forces)
    for (double x : f) most = std::max(most, std::abs(x));
  return most;
}

// A rattled, strained crystal with a vacancy.
Frame disordered() {
  return make_silicon({.frames = 1, .seed = 5, .repeat = {2, 1, 1}, .vacancies = 1})[0];
}

}  // namespace

TEST_CASE("silicon: cohesive energy and lattice of diamond") {
  Frame crystal = silicon_crystal({2, 2, 2});
  CHECK(crystal.size() == 64);
  PotentialLabels labels = stillinger_weber(crystal);
  // Two bonds of depth epsilon = 2.16826 eV per atom.
  CHECK(labels.energy / 64 == doctest::Approx(-4.3365).epsilon(1e-5));
  CHECK(largest(labels.forces) < 1e-12);
  CHECK(std::abs(labels.stress[0]) * gpa_per_ev_a3 < 0.02);                // 5.431 is rounded
  CHECK(stillinger_weber(silicon_crystal({1, 1, 1}, 5.3)).stress[0] < 0);  // compressed
  CHECK(stillinger_weber(silicon_crystal({1, 1, 1}, 5.5)).stress[0] > 0);
}

TEST_CASE("silicon: elastic constants of the literature") {
  // H. Balamane, T. Halicioglu, W. A. Tiller, Phys. Rev. B 46, 2250 (1992), for epsilon = 2.315 eV:
  // C11 = 161.6, C12 = 81.6, C44 = 60.3 GPa, and 117.2 with the sublattices held.
  constexpr double scale = 2.16826 / 2.315, e = 1e-5;
  Frame crystal = silicon_crystal({1, 1, 1}, 5.43095);
  auto slope = [&](const Mat3& strain, int component, double slide) {
    auto stress = [&](double sign) {
      Mat3 signed_strain = strain;
      for (double& x : signed_strain) x *= sign;
      Frame frame = strained(crystal, signed_strain);
      for (size_t i = 4; i < 8; ++i) frame.positions[i][0] += sign * slide;  // one sublattice
      return stillinger_weber(frame).stress[component];
    };
    return (stress(1) - stress(-1)) / (2 * e) * gpa_per_ev_a3;
  };
  Mat3 stretch{e, 0, 0, 0, 0, 0, 0, 0, 0}, shear{0, 0, 0, 0, 0, e / 2, 0, e / 2, 0};
  CHECK(slope(stretch, 0, 0) == doctest::Approx(161.6 * scale).epsilon(1e-3));
  CHECK(slope(stretch, 4, 0) == doctest::Approx(81.6 * scale).epsilon(1e-3));
  CHECK(slope(shear, 5, 0) == doctest::Approx(117.2 * scale).epsilon(1e-3));
  // The sublattices relax along x: where the force, linear in the slide, vanishes.
  auto force = [&](double slide) {
    Frame frame = strained(crystal, shear);
    for (size_t i = 4; i < 8; ++i) frame.positions[i][0] += slide;
    return stillinger_weber(frame).forces[4][0];
  };
  double slide = e * force(0) / (force(0) - force(e));
  CHECK(slope(shear, 5, slide) == doctest::Approx(60.3 * scale).epsilon(1e-3));
}

TEST_CASE("silicon: forces are minus the slope of the energy") {
  Frame frame = disordered();
  PotentialLabels labels = stillinger_weber(frame);
  CHECK(largest(labels.forces) > 0.5);
  constexpr double h = 1e-5;
  for (size_t i = 0; i < frame.size(); ++i)
    for (int k = 0; k < 3; ++k) {
      Frame plus = frame, minus = frame;
      plus.positions[i][k] += h;
      minus.positions[i][k] -= h;
      double slope = (stillinger_weber(plus).energy - stillinger_weber(minus).energy) / (2 * h);
      CHECK(std::abs(labels.forces[i][k] + slope) < 1e-7);
    }
}

TEST_CASE("silicon: stress is the slope of the energy by strain") {
  Frame frame = disordered();
  PotentialLabels labels = stillinger_weber(frame);
  constexpr double h = 1e-6;
  for (int c = 0; c < 9; ++c) {
    Mat3 strain{};
    strain[c] = h;
    double up = stillinger_weber(strained(frame, strain)).energy;
    strain[c] = -h;
    double down = stillinger_weber(strained(frame, strain)).energy;
    CHECK(std::abs((up - down) / (2 * h) / frame.volume() - labels.stress[c]) < 1e-8);
  }
}

TEST_CASE("silicon: a dimer and a chain of three by hand") {
  Frame dimer;
  dimer.numbers = {14, 14};
  dimer.positions = {{0, 0, 0}, {0, 0, 2.0951 * 1.1}};
  // A (B / 1.1^4 - 1) exp(1 / (1.1 - 1.8)) epsilon
  double pair = 2.16826 * 7.049556277 * (0.6022245584 / std::pow(1.1, 4) - 1) * std::exp(-1 / 0.7);
  CHECK(stillinger_weber(dimer).energy == doctest::Approx(pair).epsilon(1e-12));
  Frame chain = dimer;  // a right angle at atom 0; the ends are 3.26 A apart and see each other
  chain.numbers.push_back(14);
  chain.positions.push_back({2.0951 * 1.1, 0, 0});
  double far = 1.1 * std::sqrt(2.0), ends = 2.16826 * 7.049556277 *
                                            (0.6022245584 / std::pow(far, 4) - 1) *
                                            std::exp(1 / (far - 1.8));
  auto angle = [](double r1, double r2, double cosine) {
    return 2.16826 * 21.0 * std::exp(1.2 / (r1 - 1.8) + 1.2 / (r2 - 1.8)) *
           std::pow(cosine + 1.0 / 3, 2);
  };
  double expected = 2 * pair + ends + angle(1.1, 1.1, 0) + 2 * angle(1.1, far, std::sqrt(0.5));
  CHECK(stillinger_weber(chain).energy == doctest::Approx(expected).epsilon(1e-12));
  chain.numbers[1] = 6;
  CHECK(message_of<DataError>([&] { stillinger_weber(chain); }) ==
        "stillinger_weber: the potential knows Si only, found C");
}

TEST_CASE("silicon: a data set is a function of its options") {
  std::vector<Frame> frames = make_silicon({.frames = 60, .seed = 3});
  std::vector<Frame> fewer = make_silicon({.frames = 20, .seed = 3});
  std::map<std::string, int> types;
  double squares = 0, components = 0, shortest = 10;
  for (size_t i = 0; i < frames.size(); ++i) {
    const Frame& frame = frames[i];
    ++types[frame.config_type];
    REQUIRE((frame.energy && frame.stress && frame.forces.size() == frame.size()));
    CHECK((*frame.stress)[1] == (*frame.stress)[3]);
    CHECK(frame.number == static_cast<int64_t>(i));
    CHECK(frame.size() >= 8);
    CHECK(frame.size() <= 32);
    for (const Vec3& f : frame.forces)
      for (double x : f) squares += x * x, ++components;
    Neighbors list = find_neighbors(frame.positions, frame.cell, frame.pbc, 3);
    for (size_t e = 0; e < list.size(); ++e) {
      Vec3 s = cartesian_shift(list.cell_shift[e], frame.cell);
      double d = 0;
      for (int k = 0; k < 3; ++k)
        d += std::pow(
            frame.positions[list.receiver[e]][k] - frame.positions[list.sender[e]][k] + s[k], 2);
      shortest = std::min(shortest, std::sqrt(d));
    }
    if (i < fewer.size()) CHECK(frame.positions == fewer[i].positions);
  }
  CHECK(types["rattled"] > 10);
  CHECK(types["strained"] > 10);
  CHECK(types["vacancy"] > 4);
  CHECK(types.size() == 3);
  CHECK(make_silicon({.frames = 1, .seed = 4})[0].positions != frames[0].positions);
  MESSAGE("force rms " << std::sqrt(squares / components) << " eV/A, shortest bond " << shortest);
  CHECK(std::sqrt(squares / components) < 3);
  CHECK(shortest > 1.6);
}

TEST_CASE("silicon: options out of range are named") {
  auto message = [](const SiliconOptions& options) {
    return message_of<UsageError>([&] { make_silicon(options); });
  };
  CHECK(message({.frames = 0}) == "silicon: frames is 0, expected 1 or more");
  CHECK(message({.rattle_max = 0.6}) == "silicon: rattle 0.05 to 0.6 A, expected 0 to 0.5");
  CHECK(message({.strain = 0.3}) == "silicon: strain is 0.3, expected 0 to 0.2");
  CHECK(message({.vacancies = 1.5}) == "silicon: vacancies is 1.5, expected 0 to 1");
}
