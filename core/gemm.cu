#include "core/gemm.h"

#include <cublas_v2.h>

#include <mutex>

#include "core/cuda_gemm.h"
#include "core/cuda_launch.cuh"

namespace casimir::cuda {
namespace {

void check_cublas(cublasStatus_t status, const char* what) {
  check<DeviceError>(status == CUBLAS_STATUS_SUCCESS, "gemm: cuBLAS: ", what, ": ",
                     cublasGetStatusString(status));
}

// One handle, used under a lock: there is one stream, whose order the workspace relies on. Never
// destroyed, because the driver may be gone by then. The default mathematics mode is IEEE f32 (no
// TF32), and atomics are off, so the same product has the same bits each time.
class Cublas {
 public:
  static Cublas& instance() {
    static Cublas* one = new Cublas;
    return *one;
  }
  template <class F>
  void call(F&& f) {
    std::lock_guard lock(mutex_);
    f(handle_);
  }

 private:
  static constexpr size_t workspace_bytes = size_t{32} << 20;  // what Hopper's kernels ask for

  Cublas() : workspace_(workspace_bytes, Device::cuda) {
    check_cublas(cublasCreate(&handle_), "create");
    check_cublas(cublasSetStream(handle_, stream()), "set the stream");
    check_cublas(cublasSetWorkspace(handle_, workspace_.data(), workspace_bytes),
                 "set the workspace");
    check_cublas(cublasSetMathMode(handle_, CUBLAS_DEFAULT_MATH), "set the mode");
    check_cublas(cublasSetAtomicsMode(handle_, CUBLAS_ATOMICS_NOT_ALLOWED), "set the mode");
  }

  std::mutex mutex_;
  Buffer workspace_;
  cublasHandle_t handle_ = nullptr;
};

cublasOperation_t operation(bool transposed) {
  return transposed ? CUBLAS_OP_T : CUBLAS_OP_N;
}

// cuBLAS stores by columns. Read that way our matrices are their transposes, so it is asked for
// C^T = op(B)^T op(A)^T.
void strided(cublasHandle_t handle, const Gemm<float>& g, const Steps& s) {
  check_cublas(cublasSgemmStridedBatched_64(handle, operation(g.trans_b), operation(g.trans_a), g.n,
                                            g.m, g.k, &g.alpha, g.b, g.ldb, s.b, g.a, g.lda, s.a,
                                            &g.beta, g.c, g.ldc, s.c, s.batch),
               "sgemm");
}
void strided(cublasHandle_t handle, const Gemm<double>& g, const Steps& s) {
  check_cublas(cublasDgemmStridedBatched_64(handle, operation(g.trans_b), operation(g.trans_a), g.n,
                                            g.m, g.k, &g.alpha, g.b, g.ldb, s.b, g.a, g.lda, s.a,
                                            &g.beta, g.c, g.ldc, s.c, s.batch),
               "dgemm");
}

// C = beta C: a product over no terms.
template <class T>
void scale_output(const Gemm<T>& g, const Steps& s) {
  T* c = g.c;
  const T beta = g.beta;
  const int64_t m = g.m, ldc = g.ldc, step = s.c;
  for_rows("gemm", s.batch * m, g.n, [=] __device__(int64_t row, int64_t j) {
    T& value = c[row / m * step + row % m * ldc + j];
    value = beta == 0 ? T(0) : beta * value;
  });
}

template <class T>
void run(const Gemm<T>& g, const Steps& s) {
  if (g.m == 0 || g.n == 0 || s.batch == 0) return;
  if (g.k == 0) return scale_output(g, s);
  Cublas::instance().call([&](cublasHandle_t handle) { strided(handle, g, s); });
}

template <class T>
void batched(const Array& a, const Array& b, bool trans_a, bool trans_b, Array& c) {
  const int64_t count = c.rank() == 3 ? c.shape()[0] : 1;
  Gemm<T> g{.trans_a = trans_a, .trans_b = trans_b, .m = c.shape()[-2], .n = c.shape()[-1]};
  g.k = a.shape()[trans_a ? -2 : -1];
  g.a = a.data<T>(), g.lda = a.shape()[-1];
  g.b = b.data<T>(), g.ldb = b.shape()[-1];
  g.c = c.data<T>(), g.ldc = g.n;
  if (a.rank() == 3 && b.rank() == 2 && !trans_a) {  // one product of all rows
    g.m *= count;
    return run(g, {});
  }
  Steps steps{.batch = count, .c = g.m * g.n};
  if (a.rank() == 3) steps.a = a.shape().row_size();
  if (b.rank() == 3) steps.b = b.shape().row_size();
  run(g, steps);
}

}  // namespace

void strided_gemm(const Gemm<float>& first, const Steps& steps) {
  run(first, steps);
}
void strided_gemm(const Gemm<double>& first, const Steps& steps) {
  run(first, steps);
}

void batched_gemm(const Array& a, const Array& b, bool trans_a, bool trans_b, Array& c) {
  visit_float("gemm", c.dtype(), [&]<class T>(T) { batched<T>(a, b, trans_a, trans_b, c); });
}

}  // namespace casimir::cuda
