#include "equivariant/symmetric_cubic.h"

#include <algorithm>
#include <array>
#include <map>
#include <utility>

namespace casimir {
namespace {

using Factors = std::pair<int32_t, int32_t>;
using Cube = std::pair<std::array<int32_t, 3>, int32_t>;  // ascending factors, entry

Factors without(const std::array<int32_t, 3>& cube, int k) {
  return {cube[k == 0], cube[k == 2 ? 1 : 2]};
}

struct Leaf {
  int32_t factor, number;
};

// Always the pair that serves most of the cubes left; `own` pairs are there anyway and come first
// among equals.
std::map<Factors, std::vector<Leaf>> choose_pairs(const std::vector<Cube>& cubes,
                                                  const std::map<Factors, int32_t>& own) {
  std::map<Factors, std::vector<size_t>> candidates;
  for (size_t n = 0; n < cubes.size(); ++n)
    for (int k = 0; k < 3; ++k) {
      auto& served = candidates[without(cubes[n].first, k)];
      if (served.empty() || served.back() != n) served.push_back(n);
    }
  std::vector<bool> done(cubes.size(), false);
  std::map<Factors, std::vector<Leaf>> chosen;
  for (const auto& [pair, number] : own) chosen[pair];
  for (size_t left = cubes.size(); left > 0;) {
    const auto worth = [&](const auto& candidate) {
      return std::pair(candidate.second.size(), own.count(candidate.first));
    };
    const auto best =
        std::max_element(candidates.begin(), candidates.end(),
                         [&](const auto& a, const auto& b) { return worth(a) < worth(b); });
    const auto [pair, served] = *best;
    for (size_t n : served) {
      const auto& cube = cubes[n].first;
      for (int k = 0; k < 3 && !done[n]; ++k)
        if (without(cube, k) == pair) {
          chosen[pair].push_back({cube[k], cubes[n].second});
          done[n] = true;
          --left;
        }
    }
    for (auto& [other, waiting] : candidates)
      waiting.erase(
          std::remove_if(waiting.begin(), waiting.end(), [&](size_t n) { return done[n]; }),
          waiting.end());
  }
  return chosen;
}

// `number_of`: the entries of one output by their monomials.
CubicForm form_of(const std::map<std::vector<int32_t>, int32_t>& number_of) {
  CubicForm form;
  std::vector<Cube> cubes;
  std::map<Factors, int32_t> own;
  for (const auto& [m, number] : number_of) {
    if (m.size() == 1) {
      form.singles.push_back(m[0]);
      form.numbers.push_back(number);
    } else if (m.size() == 2) {
      own[{m[0], m[1]}] = number;
    } else {
      cubes.push_back({{m[0], m[1], m[2]}, number});
    }
  }
  const auto chosen = choose_pairs(cubes, own);
  std::vector<std::pair<Factors, std::vector<Leaf>>> pairs(chosen.begin(), chosen.end());
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const auto& a, const auto& b) { return a.second.size() < b.second.size(); });
  for (const auto& [pair, leaves] : pairs) {
    form.pairs.push_back({pair.first, pair.second, static_cast<int32_t>(leaves.size())});
    const auto number = own.find(pair);
    form.numbers.push_back(number == own.end() ? -1 : number->second);
    for (const Leaf& leaf : leaves) {
      form.leaves.push_back(leaf.factor);
      form.numbers.push_back(leaf.number);
    }
  }
  return form;
}

}  // namespace

std::vector<CubicForm> cubic_forms(const SymmetricPolynomials& polynomials) {
  if (polynomials.degree() > 3) return {};
  std::vector<std::map<std::vector<int32_t>, int32_t>> number_of(polynomials.outputs);
  for (size_t n = 0; n < polynomials.entries.size(); ++n) {
    const auto& entry = polynomials.entries[n];
    if (!number_of[entry.out].emplace(entry.monomial, static_cast<int32_t>(n)).second) return {};
  }
  std::vector<CubicForm> forms;
  for (const auto& numbers : number_of) forms.push_back(form_of(numbers));
  return forms;
}

}  // namespace casimir
