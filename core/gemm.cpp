#include "core/gemm.h"

#include <blis.h>
#include <dlfcn.h>
#include <dnnl.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "core/gemm_tiles.h"
#include "core/parallel.h"

namespace casimir {
namespace {

using namespace gemm_tiles;

// oneDNN and BLIS may be built on OpenMP; threads are ours (core/parallel.h), theirs stay at one.
// The symbol is looked up because a build of oneDNN without OpenMP has none.
void one_library_thread() {
  thread_local const bool done = [] {
    using SetThreads = void (*)(int);
    if (auto set = reinterpret_cast<SetThreads>(dlsym(RTLD_DEFAULT, "omp_set_num_threads"))) set(1);
    return true;
  }();
  static_cast<void>(done);
}

// BLIS picks its kernels at the first call from a list of processors that ends in 2021 and falls
// back to portable C for later ones. So it is told by instruction set, unless the user did: before
// main, because LAPACK may stand on the same library and call it first.
[[maybe_unused]] const bool blis_kernels_chosen = [] {
  __builtin_cpu_init();
  int arch = -1;
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    arch = BLIS_ARCH_SKX;
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    arch = BLIS_ARCH_HASWELL;
  if (arch >= 0) setenv("BLIS_ARCH_TYPE", std::to_string(arch).c_str(), 0);
  bli_thread_set_num_threads(1);
  return true;
}();

void library_gemm(const Gemm<float>& g) {
  one_library_thread();
  dnnl_status_t status = dnnl_sgemm(g.trans_a ? 'T' : 'N', g.trans_b ? 'T' : 'N', g.m, g.n, g.k,
                                    g.alpha, g.a, g.lda, g.b, g.ldb, g.beta, g.c, g.ldc);
  check<Error>(status == dnnl_success, "gemm: oneDNN refused a product of ", g.m, " x ", g.k,
               " and ", g.k, " x ", g.n, " (status ", static_cast<int>(status), ")");
}

void library_gemm(const Gemm<double>& g) {
  one_library_thread();
  bli_dgemm(g.trans_a ? BLIS_TRANSPOSE : BLIS_NO_TRANSPOSE,
            g.trans_b ? BLIS_TRANSPOSE : BLIS_NO_TRANSPOSE, g.m, g.n, g.k,
            const_cast<double*>(&g.alpha), const_cast<double*>(g.a), g.lda, 1,
            const_cast<double*>(g.b), g.ldb, 1, const_cast<double*>(&g.beta), g.c, g.ldc, 1);
}

// C = beta C, without reading C where beta is 0.
template <class T>
void scale_output(const Gemm<T>& g) {
  for (int64_t i = 0; i < g.m; ++i)
    for (int64_t j = 0; j < g.n; ++j) {
      T& c = g.c[i * g.ldc + j];
      c = g.beta == 0 ? T(0) : g.beta * c;
    }
}

// a b with sixteen partial sums, so that it vectorises without reordering by the compiler.
double dot(const double* a, const double* b, int64_t n) {
  constexpr int lanes = 16;
  double sums[lanes] = {}, tail = 0;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int j = 0; j < lanes; ++j) sums[j] += a[i + j] * b[i + j];
  for (; i < n; ++i) tail += a[i] * b[i];
  for (int width = lanes / 2; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) sums[j] += sums[j + width];
  return sums[0] + tail;
}

// Rows of A times one vector.
void dot_gemm(const Gemm<double>& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    double& c = g.c[i * g.ldc];
    c = g.alpha * dot(g.a + i * g.lda, g.b, g.k) + (g.beta == 0 ? 0 : g.beta * c);
  }
}

// Whether tile_gemm is the faster way: measured on Zen 3 against oneDNN and BLIS, which pack both
// matrices. It turns a transposed B number by number, which only the smallest products repay; and
// the libraries may have wider registers than this file was compiled for.
template <class T>
bool is_small(const Gemm<T>& g) {
  static const bool widest = simd_bytes == 64 || !__builtin_cpu_supports("avx512f");
  constexpr int64_t most = sizeof(T) == 4 ? 1 << 20 : 1 << 22;
  return g.m * g.n * g.k <= (widest && !g.trans_b ? most : 1 << 16);
}

// Measured with 512-bit registers against oneDNN: 2242 x 64 x 2176 with C out of the caches.
bool is_short(const Gemm<float>& g) {
  return simd_bytes == 64 && !g.trans_b && g.k <= 128 && g.m >= 8 * most_rows && g.n >= 256 &&
         g.n % (2 * Simd<float>::width) == 0 &&
         g.k * g.n * static_cast<int64_t>(sizeof(float)) <= kept_bytes;
}

void choose(const Gemm<float>& g) {
  if (is_short(g)) return tile_gemm_by_rows(g);
  is_small(g) ? tile_gemm(g) : library_gemm(g);
}
void choose(const Gemm<double>& g) {
  if (g.n == 1 && (g.trans_b || g.ldb == 1)) {
    if (!g.trans_a) return dot_gemm(g);
    if (g.ldc == 1)  // a column of C as the row b^T A
      return tile_gemm(
          Gemm<double>{false, false, 1, g.m, g.k, g.alpha, g.b, g.k, g.a, g.lda, g.beta, g.c, g.m});
  }
  g.m <= 8 || is_small(g) ? tile_gemm(g) : library_gemm(g);
}

template <class T>
void serial(const Gemm<T>& g) {
  if (g.m == 0 || g.n == 0) return;
  if (g.k == 0 || g.alpha == 0) return scale_output(g);
  choose(g);
}

// The tile of C that starts at (i, j), and the part of the inner axis that starts at p.
template <class T>
Gemm<T> part(const Gemm<T>& g, int64_t i, int64_t rows, int64_t j, int64_t columns, int64_t p,
             int64_t inner) {
  Gemm<T> sub = g;
  sub.m = std::min(rows, g.m - i);
  sub.n = std::min(columns, g.n - j);
  sub.k = std::min(inner, g.k - p);
  sub.a += g.trans_a ? p * g.lda + i : i * g.lda + p;
  sub.b += g.trans_b ? j * g.ldb + p : p * g.ldb + j;
  sub.c += i * g.ldc + j;
  return sub;
}

int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Multiplications in one chunk, about 8 microseconds in f32; BLIS has more to do for each call.
template <class T>
constexpr int64_t chunk_work = sizeof(T) == 4 ? 1 << 20 : 1 << 21;

// C small, inner axis long: products of 2, 4, 8, 16 or 32 pieces of the inner axis, so that threads
// get as many each, added in order.
template <class T>
void split_inner(const Gemm<T>& g) {
  int64_t pieces = 2;
  while (pieces < 32 && g.k >= 2 * 256 * pieces) pieces *= 2;
  const int64_t inner = ceil_div(g.k, pieces);
  const int64_t chunks = ceil_div(g.k, inner), size = g.m * g.n;
  Array partial({chunks, g.m, g.n}, dtype_of<T>());
  T* sums = partial.data<T>();
  parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t chunk = begin; chunk < end; ++chunk) {
      Gemm<T> sub = part(g, 0, g.m, 0, g.n, chunk * inner, inner);
      sub.beta = 0, sub.c = sums + chunk * size, sub.ldc = g.n;
      serial(sub);
    }
  });
  parallel_for(g.m, grain_for(g.n * chunks), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* c = g.c + i * g.ldc;
      const T* sum = sums + i * g.n;
      for (int64_t j = 0; j < g.n; ++j) c[j] = (g.beta == 0 ? T(0) : g.beta * c[j]) + sum[j];
      for (int64_t chunk = 1; chunk < chunks; ++chunk)
        for (int64_t j = 0; j < g.n; ++j) c[j] += sum[chunk * size + j];
    }
  });
}

// b [n, k] as [k, n].
template <class T>
Array transposed(const T* b, int64_t ldb, int64_t n, int64_t k) {
  Array out({k, n}, dtype_of<T>());
  T* to = out.data<T>();
  constexpr int64_t block = 16;
  parallel_for(ceil_div(k, block), grain_for(block * n), [&](int64_t begin, int64_t end) {
    for (int64_t p0 = begin * block; p0 < std::min(end * block, k); p0 += block)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t p = p0; p < std::min(p0 + block, k); ++p) to[p * n + j] = b[j * ldb + p];
  });
  return out;
}

// C in a grid of tiles: the longer side is halved as long as enough work is left for each.
template <class T>
void split_output(Gemm<T> g) {
  const int64_t most = std::clamp<int64_t>(g.m * g.n * g.k / chunk_work<T>, 2, 16);
  int64_t row_chunks = 1, column_chunks = 1;
  while (2 * row_chunks * column_chunks <= most) {
    const int64_t rows = g.m / row_chunks, columns = g.n / column_chunks;
    if (rows < 64 && columns < 128) break;
    (columns < 128 || rows >= columns ? row_chunks : column_chunks) *= 2;
  }
  Array turned;
  if (sizeof(T) == 4 && g.trans_b && row_chunks > 1) {  // oneDNN would do it again for every chunk
    turned = transposed(g.b, g.ldb, g.n, g.k);
    g.trans_b = false, g.b = turned.data<T>(), g.ldb = g.n;
  }
  const int64_t rows = ceil_div(ceil_div(g.m, row_chunks), 8) * 8;
  const int64_t columns = ceil_div(ceil_div(g.n, column_chunks), 16) * 16;
  row_chunks = ceil_div(g.m, rows), column_chunks = ceil_div(g.n, columns);
  parallel_for(row_chunks * column_chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      serial(part(g, t / column_chunks * rows, rows, t % column_chunks * columns, columns, 0, g.k));
  });
}

template <class T>
void threaded(const Gemm<T>& g) {
  if (g.m * g.n * g.k < 1 << 20) return serial(g);
  if (g.k >= 512 && g.m * g.n <= 32768) return split_inner(g);
  split_output(g);
}

// One matrix of a batch, or the matrix that all share.
template <class T>
const T* matrix(const Array& x, int64_t b) {
  return x.data<T>() + (x.rank() == 3 ? b * x.shape().row_size() : 0);
}

template <class T>
void batched(const Array& a, const Array& b, bool trans_a, bool trans_b, Array& c) {
  const int64_t count = c.rank() == 3 ? c.shape()[0] : 1;
  Gemm<T> g{.trans_a = trans_a, .trans_b = trans_b, .m = c.shape()[-2], .n = c.shape()[-1]};
  g.k = a.shape()[trans_a ? -2 : -1];
  g.lda = a.shape()[-1], g.ldb = b.shape()[-1], g.ldc = g.n;
  auto at = [&](int64_t i) {
    Gemm<T> one = g;
    one.a = matrix<T>(a, i), one.b = matrix<T>(b, i), one.c = c.data<T>() + i * g.m * g.n;
    return one;
  };
  if (a.rank() == 3 && b.rank() == 2 && !trans_a) {  // one product of all rows
    Gemm<T> tall = at(0);
    tall.m *= count;
    return threaded(tall);
  }
  const int64_t work = g.m * g.n * g.k + 64;
  if (count == 1 || work > 8 * chunk_work<T>) {
    for (int64_t i = 0; i < count; ++i) threaded(at(i));
    return;
  }
  parallel_for(count, std::max<int64_t>(1, chunk_work<T> / 4 / work),
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) serial(at(i));
               });
}

}  // namespace

void gemm_serial(const Gemm<float>& g) {
  serial(g);
}
void gemm_serial(const Gemm<double>& g) {
  serial(g);
}
void gemm(const Gemm<float>& g) {
  threaded(g);
}
void gemm(const Gemm<double>& g) {
  threaded(g);
}

void batched_gemm(const Array& a, const Array& b, bool trans_a, bool trans_b, Array& c) {
  if constexpr (cuda_built)
    if (c.on_cuda()) return cuda::batched_gemm(a, b, trans_a, trans_b, c);
  visit_float("gemm", c.dtype(), [&]<class T>(T) { batched<T>(a, b, trans_a, trans_b, c); });
}

const char* gemm_libraries() {
  static const std::string text = [] {
    const dnnl_version_t* dnn = dnnl_version();
    return concat_text("oneDNN ", dnn->major, '.', dnn->minor, '.', dnn->patch, ", BLIS ",
                       bli_info_get_version_str(), ' ', bli_arch_string(bli_arch_query_id()));
  }();
  return text.c_str();
}

}  // namespace casimir
