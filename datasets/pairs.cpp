#include "datasets/pairs.h"

#include <algorithm>
#include <numeric>
#include <tuple>

namespace casimir {

Pairs find_pairs(const Neighbors& neighbors) {
  const auto edges = static_cast<int32_t>(neighbors.size());
  using Key = std::tuple<int32_t, int32_t, std::array<int32_t, 3>>;  // the order of the list
  auto key = [&](int32_t e) {
    return Key(neighbors.receiver[e], neighbors.sender[e], neighbors.cell_shift[e]);
  };
  std::vector<int32_t> all(edges);
  std::iota(all.begin(), all.end(), 0);
  Pairs pairs;
  pairs.pair.assign(edges, -1);
  for (int32_t e = 0; e < edges; ++e) {
    if (pairs.pair[e] >= 0) continue;
    const auto number = static_cast<int32_t>(pairs.first.size());
    pairs.pair[e] = number;
    pairs.first.push_back(e);
    const std::array<int32_t, 3>& s = neighbors.cell_shift[e];
    const Key reverse(neighbors.sender[e], neighbors.receiver[e], {-s[0], -s[1], -s[2]});
    auto found =
        std::lower_bound(all.begin() + e + 1, all.end(), reverse,
                         [&](int32_t edge, const Key& wanted) { return key(edge) < wanted; });
    if (found != all.end() && key(*found) == reverse) pairs.pair[*found] = number;
  }
  return pairs;
}

}  // namespace casimir
