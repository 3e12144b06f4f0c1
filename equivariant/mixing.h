// mix(): channels mixed within each irrep, optionally with a matrix per species.
//
// For each instruction, with the 2l + 1 components m of the block:
//     out[n, out + m * mul_out ..] += x[n, in + m * mul_in ..] @ W[weight ..]
// where x rows are stored ir_mul (equivariant/irreps.h). All instructions' matrices lie one after
// the other in one flat weight [groups, weight_size]; without species there is one group. mix and
// mix_outer are closed under differentiation.
#pragma once

#include <memory>
#include <vector>

#include "autograd/ops.h"

namespace casimir {

struct MixInstruction {
  int64_t in = 0, mul_in = 0;  // offset in the input row, channels
  int64_t out = 0, mul_out = 0;
  int64_t components = 1;  // 2l + 1
  int64_t weight = 0;      // first element of the [mul_in, mul_out] matrix
  double factor = 1;       // path normalisation
};

struct MixPlan {
  std::vector<MixInstruction> instructions;
  int64_t width_in = 0, width_out = 0, weight_size = 0;
  bool transposed = false;  // multiply by W^T: in and out have changed roles
};

// x [rows, width_in], weight [groups, weight_size] -> [rows, width_out]. `species` (rows -> groups)
// may be undefined: then there is one group.
Tensor mix(const MixPlan& plan, const Tensor& x, const Tensor& weight,
           const Segments& species = {});
// out[group] = sum of x^T g over the group's rows, in the layout of the weight: [groups,
// weight_size].
Tensor mix_outer(const MixPlan& plan, const Tensor& x, const Tensor& g,
                 const Segments& species = {});

}  // namespace casimir
