// Broadcast loops (autograd/kernels.h) in kernels.
#pragma once

#include <cuda_runtime.h>

#include "autograd/kernels.h"

namespace casimir::cuda {

// Where operand o finds element i of a row: Broadcast::offset and the step of the innermost loop.
template <int operands>
__device__ inline int64_t element(const Broadcast<operands>& loops, int o, int64_t row, int64_t i) {
  int64_t at = i * loops.stride[o][loops.rank - 1];
  if (loops.rank == 2) return at + row * loops.stride[o][0];
  for (int loop = loops.rank - 2; loop >= 0; --loop) {
    at += row % loops.size[loop] * loops.stride[o][loop];
    row /= loops.size[loop];
  }
  return at;
}

}  // namespace casimir::cuda
