// Periodic neighbour lists in linear time: any cell, any pbc flags, atoms anywhere.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "datasets/frame.h"

namespace casimir {

struct Neighbors {
  std::vector<int32_t> sender, receiver;
  std::vector<std::array<int32_t, 3>> cell_shift;  // S
  size_t size() const { return sender.size(); }
};

// Every directed pair with |r[receiver] - r[sender] + S cell| < r_max: an atom's own images count,
// the pair (i, i, S = 0) does not. Positions need not lie in the cell; S belongs to them as given.
// Sorted by receiver, then sender, then S: the same list on every machine.
Neighbors find_neighbors(std::span<const Vec3> positions, const Mat3& cell,
                         const std::array<bool, 3>& pbc, double r_max);

// S cell, A.
inline Vec3 cartesian_shift(const std::array<int32_t, 3>& shift, const Mat3& cell) {
  Vec3 v;
  for (int k = 0; k < 3; ++k)
    v[k] = shift[0] * cell[k] + shift[1] * cell[3 + k] + shift[2] * cell[6 + k];
  return v;
}

}  // namespace casimir
