// Periodic neighbour lists in linear time: any cell, any pbc flags.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "datasets/frame.h"

namespace casimir {

struct Neighbors {
  std::vector<int32_t> sender, receiver;
  std::vector<std::array<int32_t, 3>> cell_shift;  // S
  std::vector<std::array<double, 3>> shift;        // S @ cell, A
  size_t size() const { return sender.size(); }
};

// Every directed pair with |r[receiver] - r[sender] + S cell| < r_max, self images included, the pair (i, i, 0) not.
// Sorted by receiver, then sender, then S: the same list on every machine.
Neighbors find_neighbors(const std::vector<std::array<double, 3>>& positions, const std::array<double, 9>& cell,
                         const std::array<bool, 3>& pbc, double r_max);

}  // namespace casimir
