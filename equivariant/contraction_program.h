// The terms of a plan, factored for the kernels.
//
// Terms with the same channel operands are merged into a leaf: their scalar operands and
// coefficients add up to one number per row (for a convolution: an entry of the edge matrix M(Y),
// the same for all channels). Leaves are then factored like Horner's scheme: out += a_i * sum_j b_j
// * sum_k s_ijk c_k, a tree with one level per channel input, in the order that needs the fewest
// multiplications.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "equivariant/contraction.h"

namespace casimir {

struct ContractionProgram {
  static constexpr int max_levels = 6;

  // A node of the tree: its operand's offset and its children in the next level. At the last level
  // the children are entries of `scalars`; the node is a leaf.
  struct Node {
    int32_t offset, begin, end;
  };
  struct Part {  // all terms with one channel count
    int32_t channels = 1;
    std::vector<Node> runs;                 // by offset in the output; absent for a scalar output
    std::vector<std::vector<Node>> levels;  // one per channel input
    int32_t first_leaf = 0, leaves = 0;     // place of its leaves among all parts'
  };
  // One scalar product belonging to a leaf: coefficient times the scalar inputs at `at`; `out` is
  // the offset in a scalar output.
  struct ScalarTerm {
    double coefficient;
    int32_t leaf, out;
  };

  std::vector<int> channel_inputs;  // by level, outermost first
  std::vector<int> scalar_inputs;
  bool channel_output = true;
  std::vector<Part> parts;
  std::vector<ScalarTerm> scalar_terms;  // sorted by leaf
  std::vector<int32_t> scalar_offsets;   // [scalar_terms, scalar_inputs]
  int32_t leaves = 0;
  int64_t work = 0;  // multiply-adds per row
};

ContractionProgram make_program(const std::vector<Operand>& operands, std::span<const Term> terms,
                                const std::vector<int>& order);

}  // namespace casimir
