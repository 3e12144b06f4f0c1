// The two directions of one bond, found in a neighbour list: what depends on the length alone is
// computed once for both.
#pragma once

#include <cstdint>
#include <vector>

#include "datasets/neighbors.h"

namespace casimir {

struct Pairs {
  std::vector<int32_t>
      pair;  // [edges]: which pair an edge belongs to, numbered in the order of their first edges
  std::vector<int32_t> first;  // [pairs]: the first edge of each
};

// Edge (i, j, S) and edge (j, i, -S) are a pair; an edge without the other is a pair of its own.
Pairs find_pairs(const Neighbors& neighbors);

}  // namespace casimir
