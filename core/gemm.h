// Matrix products: oneDNN (f32), BLIS (f64), cuBLAS. Row-major. The only door to those libraries.
#pragma once

#include <cstdint>

#include "core/array.h"

namespace casimir {

// C = alpha op(A) op(B) + beta C with op(A) [m, k], op(B) [k, n], C [m, n]; ld* are the lengths of
// the stored rows. Runs in the calling thread (for use inside parallel_for).
template <class T>
struct Gemm {
  bool trans_a = false, trans_b = false;
  int64_t m = 0, n = 0, k = 0;
  T alpha = 1;
  const T* a = nullptr;
  int64_t lda = 0;
  const T* b = nullptr;
  int64_t ldb = 0;
  T beta = 0;
  T* c = nullptr;
  int64_t ldc = 0;
};
void gemm_serial(const Gemm<float>& g);
void gemm_serial(const Gemm<double>& g);

// The same over all threads: rows of C in fixed chunks, or, when k is long and C small (a weight
// gradient), k in fixed chunks whose products are added in order. Same bits for any thread count.
void gemm(const Gemm<float>& g);
void gemm(const Gemm<double>& g);

// c[b] = op(a[b]) op(b[b]): a [batch, m, k] (or [m, k] shared), likewise b; c [batch, m, n].
void batched_gemm(const Array& a, const Array& b, bool trans_a, bool trans_b, Array& c);

// The library and kernel family in use, for `casimir info` and bench: "oneDNN 2.6.3, BLIS 0.9.0
// skx".
const char* gemm_libraries();

namespace cuda {
void batched_gemm(const Array& a, const Array& b, bool trans_a, bool trans_b, Array& c);
}

}  // namespace casimir
