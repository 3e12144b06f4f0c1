// Matrix products on the GPU, for .cu files: cuBLAS behind core/gemm.cu, on the program's stream.
#pragma once

#include "core/gemm.h"

namespace casimir::cuda {

// `batch` products; each one's matrices lie that many elements behind those of the one before.
// A step of 0 shares a matrix.
struct Steps {
  int64_t batch = 1, a = 0, b = 0, c = 0;
};
void strided_gemm(const Gemm<float>& first, const Steps& steps = {});
void strided_gemm(const Gemm<double>& first, const Steps& steps = {});

}  // namespace casimir::cuda
