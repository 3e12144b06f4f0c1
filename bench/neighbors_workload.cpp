// The neighbour list of atoms in a periodic cube, 0.05 per A^3, within 6 A.
// bench/peers/neighbors.py asks matscipy and ASE for that of 100 000.
#include <cmath>
#include <memory>

#include "bench/workload.h"
#include "core/error.h"
#include "datasets/neighbors.h"

namespace casimir {

namespace {

constexpr double r_max = 6;

struct Box {
  std::vector<Vec3> positions;
  Mat3 cell{};
};

Box make_box(int64_t atoms) {
  const double side = std::cbrt(static_cast<double>(atoms) / 0.05);
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

Row row_of(int64_t atoms) {
  Row row;
  row.name = concat_text("neighbors_", atoms);
  row.dtype = DType::f64;
  row.make = [atoms](const WorkloadOptions&) {
    auto box = std::make_shared<Box>(make_box(atoms));
    return Workload{[=] { list_of(*box); }, [=] { return results_of(*box); }};
  };
  return row;
}

}  // namespace

std::vector<Row> neighbor_rows() {
  return {row_of(1000), row_of(10000), row_of(100000)};
}

}  // namespace casimir
