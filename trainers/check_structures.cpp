#include "trainers/check_structures.h"

#include <algorithm>
#include <cmath>

namespace casimir {

namespace {

// Rough covalent radii by row of the periodic table, A: to make plausible structures only.
double radius_of(int number) {
  return number <= 2 ? 0.35 : number <= 10 ? 0.75 : number <= 18 ? 1.1 : number <= 36 ? 1.25 : 1.45;
}

Vec3 random_direction(Random& random) {
  while (true) {
    Vec3 v{random.normal(), random.normal(), random.normal()};
    double length = std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
    if (length > 1e-3) return {v[0] / length, v[1] / length, v[2] / length};
  }
}

double distance(const Vec3& a, const Vec3& b) {
  return std::sqrt((a[0] - b[0]) * (a[0] - b[0]) + (a[1] - b[1]) * (a[1] - b[1]) +
                   (a[2] - b[2]) * (a[2] - b[2]));
}

// fractional @ cell
Vec3 at(const Vec3& fractional, const Mat3& cell) {
  Vec3 out{};
  for (int k = 0; k < 3; ++k)
    for (int c = 0; c < 3; ++c) out[c] += fractional[k] * cell[3 * k + c];
  return out;
}

// Distance to the nearest of the 27 images next to `b`.
double image_distance(const Vec3& a, const Vec3& b, const Mat3& cell) {
  double nearest = 1e9;
  for (int i = -1; i <= 1; ++i)
    for (int j = -1; j <= 1; ++j)
      for (int k = -1; k <= 1; ++k) {
        Vec3 shift = at({double(i), double(j), double(k)}, cell);
        nearest =
            std::min(nearest, distance(a, {b[0] + shift[0], b[1] + shift[1], b[2] + shift[2]}));
      }
  return nearest;
}

std::vector<int> random_numbers(const std::vector<int>& elements, int64_t atoms, Random& random) {
  std::vector<int> numbers;
  for (int64_t i = 0; i < atoms; ++i)
    numbers.push_back(i < static_cast<int64_t>(elements.size())
                          ? elements[i]
                          : elements[random.below(elements.size())]);
  std::vector<int> shuffled;
  for (int64_t i : random.permutation(atoms)) shuffled.push_back(numbers[i]);
  return shuffled;
}

Frame without_labels(Frame frame) {
  frame.energy.reset();
  frame.forces.clear();
  frame.stress.reset();
  frame.columns.clear();
  return frame;
}

}  // namespace

Frame random_molecule(const std::vector<int>& elements, int64_t atoms, Random& random) {
  Frame frame;
  frame.source = "random molecule";
  frame.numbers = random_numbers(elements, atoms, random);
  frame.positions.push_back({0, 0, 0});
  while (frame.positions.size() < frame.numbers.size()) {
    const size_t next = frame.positions.size();
    const size_t host = random.below(next);
    const double bond = random.uniform(1.05, 1.3) *
                        (radius_of(frame.numbers[next]) + radius_of(frame.numbers[host]));
    Vec3 place = random_direction(random);
    for (int c = 0; c < 3; ++c) place[c] = frame.positions[host][c] + bond * place[c];
    bool free = true;
    for (size_t i = 0; i < next; ++i)
      free = free && distance(place, frame.positions[i]) >
                         (radius_of(frame.numbers[next]) + radius_of(frame.numbers[i]));
    if (free) frame.positions.push_back(place);
  }
  return frame;
}

Frame random_crystal(const std::vector<int>& elements, int64_t atoms, Random& random) {
  Frame frame;
  frame.source = "random crystal";
  frame.numbers = random_numbers(elements, atoms, random);
  frame.pbc = {true, true, true};
  double volume = 0;
  for (int number : frame.numbers) volume += 10 * std::pow(radius_of(number), 3);
  for (double edge = std::cbrt(volume);; edge *= 1.05) {
    frame.positions.clear();
    for (double& element : frame.cell) element = 0.15 * edge * random.uniform(-1, 1);
    for (int k = 0; k < 3; ++k) frame.cell[4 * k] += edge * random.uniform(0.9, 1.15);
    for (int tries = 0; tries < 300 && frame.positions.size() < frame.numbers.size(); ++tries) {
      const size_t next = frame.positions.size();
      Vec3 place = at({random.uniform(), random.uniform(), random.uniform()}, frame.cell);
      bool free = true;
      for (size_t i = 0; i < next; ++i)
        free = free && image_distance(place, frame.positions[i], frame.cell) >
                           radius_of(frame.numbers[next]) + radius_of(frame.numbers[i]);
      if (free) frame.positions.push_back(place);
    }
    if (frame.positions.size() == frame.numbers.size()) return frame;
  }
}

Vec3 product(const Mat3& matrix, const Vec3& vector) {
  Vec3 out{};
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b) out[a] += matrix[3 * a + b] * vector[b];
  return out;
}

Frame transformed(const Frame& frame, const Mat3& matrix) {
  Frame out = without_labels(frame);
  Vec3 centre{};
  if (!frame.pbc[0] && !frame.pbc[1] && !frame.pbc[2])
    for (const Vec3& position : frame.positions)
      for (int c = 0; c < 3; ++c) centre[c] += position[c] / static_cast<double>(frame.size());
  for (Vec3& position : out.positions) {
    Vec3 turned = product(
        matrix, {position[0] - centre[0], position[1] - centre[1], position[2] - centre[2]});
    for (int c = 0; c < 3; ++c) position[c] = centre[c] + turned[c];
  }
  for (int k = 0; k < 3; ++k) {
    Vec3 row = product(matrix, {frame.cell[3 * k], frame.cell[3 * k + 1], frame.cell[3 * k + 2]});
    std::copy(row.begin(), row.end(), out.cell.begin() + 3 * k);
  }
  return out;
}

Frame translated(const Frame& frame, const Vec3& shift) {
  Frame out = without_labels(frame);
  for (Vec3& position : out.positions)
    for (int c = 0; c < 3; ++c) position[c] += shift[c];
  return out;
}

Frame wrapped(const Frame& frame, Random& random) {
  Frame out = without_labels(frame);
  for (Vec3& position : out.positions) {
    Vec3 cells{};
    for (int k = 0; k < 3; ++k)
      if (frame.pbc[k]) cells[k] = static_cast<double>(random.below(3)) - 1;
    Vec3 shift = at(cells, frame.cell);
    for (int c = 0; c < 3; ++c) position[c] += shift[c];
  }
  return out;
}

Frame permuted(const Frame& frame, const std::vector<int64_t>& order) {
  Frame out = without_labels(frame);
  for (size_t k = 0; k < order.size(); ++k) {
    out.numbers[k] = frame.numbers[order[k]];
    out.positions[k] = frame.positions[order[k]];
  }
  return out;
}

Frame displaced(const Frame& frame, const std::vector<Vec3>& direction, double factor) {
  Frame out = without_labels(frame);
  for (size_t i = 0; i < out.size(); ++i)
    for (int c = 0; c < 3; ++c) out.positions[i][c] += factor * direction[i][c];
  return out;
}

Frame doubled(const Frame& frame, double r_max) {
  Frame out = without_labels(frame);
  Vec3 shift{};
  auto periodic = std::find(frame.pbc.begin(), frame.pbc.end(), true);
  if (periodic == frame.pbc.end()) {
    auto by_x = [](const Vec3& a, const Vec3& b) { return a[0] < b[0]; };
    auto [low, high] = std::minmax_element(frame.positions.begin(), frame.positions.end(), by_x);
    shift[0] = (*high)[0] - (*low)[0] + 3 * r_max;
  } else {
    const auto axis = 3 * (periodic - frame.pbc.begin());
    for (int c = 0; c < 3; ++c) {
      shift[c] = frame.cell[axis + c];
      out.cell[axis + c] *= 2;
    }
  }
  Frame copy = translated(frame, shift);
  out.numbers.insert(out.numbers.end(), copy.numbers.begin(), copy.numbers.end());
  out.positions.insert(out.positions.end(), copy.positions.begin(), copy.positions.end());
  return out;
}

}  // namespace casimir
