#include "equivariant/contraction_program.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

namespace casimir {
namespace {

using Key =
    std::vector<int32_t>;  // output offset (channel outputs only), then one offset per level

// Distinct prefixes over all levels: the number of multiply-adds a level order costs.
size_t cost_of(const std::vector<Key>& keys, const std::vector<int>& levels, bool with_output) {
  std::set<Key> prefixes;
  for (const Key& key : keys) {
    Key prefix;
    if (with_output) prefix.push_back(key[0]);
    for (int level : levels) {
      prefix.push_back(key[level + with_output]);
      prefixes.insert(prefix);
    }
  }
  return prefixes.size();
}

std::vector<int> best_order(const std::vector<Key>& keys, size_t inputs, bool with_output) {
  std::vector<int> levels(inputs), best;
  std::iota(levels.begin(), levels.end(), 0);
  best = levels;
  if (inputs > 4) return best;  // symmetric products of higher order: as given
  size_t least = SIZE_MAX;
  do {
    size_t cost = cost_of(keys, levels, with_output);
    if (cost < least) least = cost, best = levels;
  } while (std::next_permutation(levels.begin(), levels.end()));
  return best;
}

// Builds runs and levels from sorted distinct keys.
void build_tree(ContractionProgram::Part& part, const std::vector<Key>& keys, size_t levels,
                bool with_output) {
  part.levels.resize(levels);
  for (size_t k = 0; k < keys.size(); ++k) {
    size_t same = 0;  // length of the prefix shared with the key before
    if (k > 0)
      while (same < keys[k].size() && keys[k][same] == keys[k - 1][same]) ++same;
    if (with_output && same == 0) {
      int32_t first =
          levels ? static_cast<int32_t>(part.levels[0].size()) : static_cast<int32_t>(k);
      part.runs.push_back({keys[k][0], first, first});
    }
    for (size_t level = 0; level < levels; ++level) {
      if (same > level + with_output) continue;
      bool leaf = level + 1 == levels;
      int32_t first = leaf ? 0 : static_cast<int32_t>(part.levels[level + 1].size());
      part.levels[level].push_back({keys[k][level + with_output], first, first});
      if (level == 0) {
        if (with_output) part.runs.back().end = static_cast<int32_t>(part.levels[0].size());
      } else {
        part.levels[level - 1].back().end = static_cast<int32_t>(part.levels[level].size());
      }
    }
    if (levels == 0 && with_output) part.runs.back().end = static_cast<int32_t>(k + 1);
  }
}

}  // namespace

ContractionProgram make_program(const std::vector<Operand>& operands, std::span<const Term> terms,
                                const std::vector<int>& order) {
  ContractionProgram program;
  const size_t inputs = order.size() - 1;
  const int output = order[inputs];
  program.channel_output = operands[output].channels;
  std::vector<int> channel_inputs;
  for (size_t i = 0; i < inputs; ++i)
    (operands[order[i]].channels ? channel_inputs : program.scalar_inputs)
        .push_back(static_cast<int>(i));
  check(channel_inputs.size() <= ContractionProgram::max_levels, "contract: at most ",
        ContractionProgram::max_levels, " channel inputs, found ", channel_inputs.size());

  std::map<int32_t, std::vector<const Term*>> by_channels;
  for (const Term& term : terms) by_channels[term.channels].push_back(&term);

  auto key_of = [&](const Term& term, const std::vector<int>& levels) {
    Key key;
    if (program.channel_output) key.push_back(term.at[output]);
    for (int level : levels) key.push_back(term.at[order[channel_inputs[level]]]);
    return key;
  };
  std::vector<int> natural(channel_inputs.size());
  std::iota(natural.begin(), natural.end(), 0);
  std::vector<Key> all_keys;
  for (const Term& term : terms) all_keys.push_back(key_of(term, natural));
  std::sort(all_keys.begin(), all_keys.end());
  all_keys.erase(std::unique(all_keys.begin(), all_keys.end()), all_keys.end());
  std::vector<int> levels = best_order(all_keys, channel_inputs.size(), program.channel_output);
  for (int level : levels) program.channel_inputs.push_back(channel_inputs[level]);

  for (const auto& [channels, members] : by_channels) {
    std::map<Key, std::vector<const Term*>> leaves;
    for (const Term* term : members) leaves[key_of(*term, levels)].push_back(term);
    ContractionProgram::Part part;
    part.channels = channels;
    part.first_leaf = program.leaves;
    part.leaves = static_cast<int32_t>(leaves.size());
    std::vector<Key> keys;
    for (const auto& [key, parts] : leaves) {
      keys.push_back(key);
      for (const Term* term : parts) {
        program.scalar_terms.push_back(
            {term->coefficient, program.leaves, program.channel_output ? 0 : term->at[output]});
        for (int input : program.scalar_inputs)
          program.scalar_offsets.push_back(term->at[order[input]]);
      }
      ++program.leaves;
    }
    build_tree(part, keys, levels.size(), program.channel_output);
    for (const auto& level : part.levels)
      program.work += static_cast<int64_t>(level.size()) * channels;
    program.parts.push_back(std::move(part));
  }
  program.work += static_cast<int64_t>(program.scalar_terms.size());
  return program;
}

}  // namespace casimir
