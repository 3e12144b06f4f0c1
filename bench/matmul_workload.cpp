// Matrix products of the shapes that the models have, on one thread: casimir's own call or, with
// --library, that of oneDNN, OpenBLAS or libxsmm, whichever the loader finds.
#include <dlfcn.h>

#include <cstdlib>
#include <memory>

#include "bench/workload.h"
#include "core/gemm.h"

namespace casimir {

namespace {

struct Sizes {
  int64_t m, k, n;
};

template <class T>
using Product = std::function<void(const Gemm<T>&)>;

template <class F>
F symbol(const char* file, const std::string& name) {
  void* library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
  check<DeviceError>(library != nullptr, "--library: cannot load ", file, ": ",
                     library ? "" : dlerror());
  auto found = reinterpret_cast<F>(dlsym(library, name.c_str()));
  check<DeviceError>(found != nullptr, "--library: ", file, " has no ", name);
  return found;
}

template <class T>
Product<T> onednn() {
  check<UsageError>(std::is_same_v<T, float>, "--library: oneDNN multiplies f32 only");
  using Call = int (*)(char, char, int64_t, int64_t, int64_t, float, const void*, int64_t,
                       const void*, int64_t, float, void*, int64_t);
  auto call = symbol<Call>("libdnnl.so.2", "dnnl_sgemm");
  return [=](const Gemm<T>& g) {
    call('N', 'N', g.m, g.n, g.k, 1, g.a, g.lda, g.b, g.ldb, 0, g.c, g.ldc);
  };
}

// OpenBLAS takes processors that it does not know for the oldest of their instruction set.
template <class T>
Product<T> openblas() {
  if (__builtin_cpu_supports("avx512f")) setenv("OPENBLAS_CORETYPE", "SkylakeX", 0);
  constexpr int row_major = 101, plain = 111;
  using Call = void (*)(int, int, int, int, int, int, T, const T*, int, const T*, int, T, T*, int);
  const char* name = std::is_same_v<T, float> ? "cblas_sgemm" : "cblas_dgemm";
  auto call = symbol<Call>("libopenblas.so.0", name);
  return [=](const Gemm<T>& g) {
    call(row_major, plain, plain, static_cast<int>(g.m), static_cast<int>(g.n),
         static_cast<int>(g.k), 1, g.a, static_cast<int>(g.lda), g.b, static_cast<int>(g.ldb), 0,
         g.c, static_cast<int>(g.ldc));
  };
}

// A kernel made for the sizes. Its matrices are stored by columns: C' = B' A'.
template <class T>
Product<T> libxsmm(const Sizes& sizes) {
  using Kernel = void (*)(const T*, const T*, T*, ...);
  using Dispatch = Kernel (*)(int, int, int, const int*, const int*, const int*, const T*, const T*,
                              const int*, const int*);
  const char* name = std::is_same_v<T, float> ? "libxsmm_smmdispatch" : "libxsmm_dmmdispatch";
  auto dispatch = symbol<Dispatch>("libxsmm.so", name);
  const T alpha = 1, beta = 0;
  const int flags = 0, prefetch = 0;
  const Kernel kernel =
      dispatch(static_cast<int>(sizes.n), static_cast<int>(sizes.m), static_cast<int>(sizes.k),
               nullptr, nullptr, nullptr, &alpha, &beta, &flags, &prefetch);
  check<DeviceError>(kernel != nullptr, "--library: libxsmm has no kernel for ", sizes.m, " x ",
                     sizes.k, " x ", sizes.n);
  return [=](const Gemm<T>& g) { kernel(g.b, g.a, g.c); };
}

template <class T>
Product<T> product_of(const std::string& library, const Sizes& sizes) {
  if (library.empty()) return [](const Gemm<T>& g) { gemm_serial(g); };
  if (library == "onednn") return onednn<T>();
  if (library == "openblas") return openblas<T>();
  check<UsageError>(library == "libxsmm",
                    "--library: expected onednn, openblas or libxsmm, found '", library, "'");
  return libxsmm<T>(sizes);
}

struct Matrices {
  Array a, b, c;
};

template <class T>
Workload matmul_workload(const Sizes& sizes, const std::string& library) {
  auto at = std::make_shared<Matrices>();
  const auto [m, k, n] = sizes;
  at->a = Input("a").tensor({m, k}, dtype_of<T>()).array();
  at->b = Input("b").tensor({k, n}, dtype_of<T>()).array();
  at->c = Array(Shape{m, n}, dtype_of<T>());
  Gemm<T> g;
  g.m = m, g.k = k, g.n = n;
  g.a = at->a.data<T>(), g.lda = k;
  g.b = at->b.data<T>(), g.ldb = n;
  g.c = at->c.data<T>(), g.ldc = n;
  auto product = product_of<T>(library, sizes);
  auto run = [=] { product(g); };
  return {run, [=]() -> Results {
            run();
            return {at->c.cast(DType::f64).to_vector<double>()};
          }};
}

template <class T>
Row matmul_row(const Sizes& s) {
  Row row;
  row.dtype = dtype_of<T>();
  row.name = concat_text("matmul_", s.m, "x", s.k, "x", s.n, "_", row.dtype);
  row.gflop = 2e-9 * static_cast<double>(s.m * s.k * s.n);
  row.make = [=](const WorkloadOptions& options) { return matmul_workload<T>(s, options.library); };
  return row;
}

}  // namespace

std::vector<Row> matmul_rows() {
  std::vector<Row> rows;
  for (const Sizes& sizes : {Sizes{9, 128, 128}, Sizes{16, 128, 128}, Sizes{32, 128, 128},
                             Sizes{16, 64, 64}, Sizes{2242, 64, 2176}, Sizes{1024, 1024, 1024}}) {
    rows.push_back(matmul_row<float>(sizes));
    rows.push_back(matmul_row<double>(sizes));
  }
  return rows;
}

}  // namespace casimir
