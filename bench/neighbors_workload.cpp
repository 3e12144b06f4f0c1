// The neighbour list of 100 000 atoms in a periodic cube, 0.05 per A^3, within 6 A.
// bench/peers/neighbors.py asks matscipy and ASE for the same list.
#include <cmath>
#include <memory>

#include "bench/workload.h"
#include "datasets/neighbors.h"

namespace casimir {

namespace {

constexpr double r_max = 6;

struct Box {
  std::vector<Vec3> positions;
  Mat3 cell{};
};

Box make_box() {
  constexpr int64_t atoms = 100000;
  const double side = std::cbrt(atoms / 0.05);
  const Input random("positions");
  Box box;
  box.positions.resize(atoms);
  for (int64_t i = 0; i < atoms; ++i)
    for (int64_t k = 0; k < 3; ++k)
      box.positions[i][k] = side * (random[3 * i + k] / std::sqrt(12.0) + 0.5);
  box.cell = {side, 0, 0, 0, side, 0, 0, 0, side};
  return box;
}

Neighbors list_of(const Box& box) {
  return find_neighbors(box.positions, box.cell, {true, true, true}, r_max);
}

// Of each receiver the number of its neighbours, and the sum of their distances.
Results results_of(const Box& box) {
  const Neighbors list = list_of(box);
  std::vector<double> counts(box.positions.size()), distances(box.positions.size());
  for (size_t e = 0; e < list.size(); ++e) {
    const Vec3 shift = cartesian_shift(list.cell_shift[e], box.cell);
    const Vec3 &a = box.positions[list.sender[e]], &b = box.positions[list.receiver[e]];
    double square = 0;
    for (int k = 0; k < 3; ++k) square += std::pow(b[k] - a[k] + shift[k], 2);
    counts[list.receiver[e]] += 1;
    distances[list.receiver[e]] += std::sqrt(square);
  }
  return {counts, distances};
}

}  // namespace

std::vector<Row> neighbor_rows() {
  Row row;
  row.name = "neighbors";
  row.dtype = DType::f64;
  row.make = [](const WorkloadOptions&) {
    auto box = std::make_shared<Box>(make_box());
    return Workload{[=] { list_of(*box); }, [=] { return results_of(*box); }};
  };
  return {row};
}

}  // namespace casimir
