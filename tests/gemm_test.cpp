// Products by oneDNN, BLIS and the small loops against plain sums, and the same bits for any number
// of threads.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "core/gemm.h"
#include "core/linalg.h"
#include "core/parallel.h"
#include "core/random.h"

using namespace casimir;

namespace {

// A product with stored rows longer than needed; what lies between rows must stay as it is.
template <class T>
struct Case {
  int64_t m, n, k;
  bool trans_a, trans_b;
  double alpha = 1, beta = 0;
  int64_t extra = 0;  // added to every row length

  int64_t lda() const { return (trans_a ? m : k) + extra; }
  int64_t ldb() const { return (trans_b ? k : n) + extra; }
  int64_t ldc() const { return n + extra; }
  std::string text() const {
    return concat_text(dtype_of<T>(), " ", m, " x ", k, trans_a ? "^T" : "", " @ ", k, " x ", n,
                       trans_b ? "^T" : "", " alpha ", alpha, " beta ", beta, " extra ", extra);
  }
};

template <class T>
std::vector<T> numbers(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<T> values(n);
  for (T& v : values) v = static_cast<T>(random.uniform(-1, 1));
  return values;
}

template <class T, class Multiply>
std::vector<T> run(const Case<T>& s, Multiply multiply) {
  auto a = numbers<T>((s.trans_a ? s.k : s.m) * s.lda(), 1);
  auto b = numbers<T>((s.trans_b ? s.n : s.k) * s.ldb(), 2);
  auto c = numbers<T>(s.m * s.ldc(), 3);
  if (s.beta == 0)  // C is only written then: NaN must not come through
    for (int64_t i = 0; i < s.m; ++i)
      for (int64_t j = 0; j < s.n; ++j) c[i * s.ldc() + j] = NAN;
  Gemm<T> g{s.trans_a,
            s.trans_b,
            s.m,
            s.n,
            s.k,
            static_cast<T>(s.alpha),
            a.data(),
            s.lda(),
            b.data(),
            s.ldb(),
            static_cast<T>(s.beta),
            c.data(),
            s.ldc()};
  multiply(g);
  return c;
}

// |error| in units of the rounding error of a sum of k products in any order.
template <class T>
double error_of(const Case<T>& s, const std::vector<T>& c) {
  auto a = numbers<T>((s.trans_a ? s.k : s.m) * s.lda(), 1);
  auto b = numbers<T>((s.trans_b ? s.n : s.k) * s.ldb(), 2);
  auto before = numbers<T>(s.m * s.ldc(), 3);
  double worst = 0;
  const int64_t step = s.m * s.n * s.k / 300000 + 1;  // of large products every step-th element
  for (int64_t i = 0; i < s.m; ++i)
    for (int64_t j = 0; j < s.ldc(); ++j) {
      if (j < s.n && (i * s.ldc() + j) % step != 0) continue;
      const double old = before[i * s.ldc() + j], found = c[i * s.ldc() + j];
      if (j >= s.n) {
        if (found != old) return INFINITY;
        continue;
      }
      long double sum = 0, size = 0;
      for (int64_t p = 0; p < s.k; ++p) {
        long double x = a[s.trans_a ? p * s.lda() + i : i * s.lda() + p];
        x *= b[s.trans_b ? j * s.ldb() + p : p * s.ldb() + j];
        sum += x, size += std::abs(x);
      }
      sum = s.alpha * sum + s.beta * old;
      size = std::abs(s.alpha) * size + std::abs(s.beta * old);
      const double unit = sizeof(T) == 4 ? 0x1p-24 : 0x1p-53;
      const double error = std::abs(static_cast<double>(found - sum));
      if (!(error == 0 || size > 0)) return INFINITY;
      if (size > 0) worst = std::max(worst, error / static_cast<double>(size) / unit);
      if (std::isnan(found)) return INFINITY;
    }
  return worst;
}

template <class T>
void check_case(const Case<T>& s) {
  INFO(s.text());
  // The bound of a sum in any order is k + 2; sums in blocks stay far below for long ones.
  const double bound = std::min<double>(static_cast<double>(s.k) + 3, 40);
  CHECK(error_of(s, run(s, [](const Gemm<T>& g) { gemm_serial(g); })) < bound);
  CHECK(error_of(s, run(s, [](const Gemm<T>& g) { gemm(g); })) < bound);
}

template <class T>
void check_sizes() {
  const int64_t sizes[] = {1, 2, 3, 5, 8, 9, 15, 16, 17, 31, 33, 47, 64, 65};
  for (int64_t m : sizes)
    for (int64_t n : sizes)
      for (int64_t k : {1, 3, 8, 17, 64, 127})
        for (int flags = 0; flags < 4; ++flags) {
          const bool scaled = (m + n + k + flags) % 3 == 0;
          check_case(Case<T>{m, n, k, (flags & 1) != 0, (flags & 2) != 0, scaled ? -0.7 : 1.0,
                             scaled ? 1.3 : 0.0, (m + k) % 2 * 3});
        }
}

// Large enough for every way to split: rows, columns, both, and the inner axis.
template <class T>
std::vector<Case<T>> large_cases() {
  std::vector<Case<T>> cases;
  for (int flags = 0; flags < 4; ++flags) {
    const bool a = flags & 1, b = flags & 2;
    for (auto [m, n, k] : std::vector<std::array<int64_t, 3>>{{2242, 64, 64},
                                                              {301, 800, 64},
                                                              {135, 128, 128},
                                                              {1215, 128, 128},
                                                              {64, 64, 2242},
                                                              {64, 2176, 200},
                                                              {128, 128, 1215},
                                                              {9, 3000, 70},
                                                              {3000, 9, 70},
                                                              {1, 1, 200000},
                                                              {1, 5000, 300},
                                                              {5000, 1, 300}})
      cases.push_back({m, n, k, a, b, flags == 1 ? 0.5 : 1.0, flags == 2 ? -1.5 : 0.0, flags});
  }
  return cases;
}

}  // namespace

TEST_CASE("gemm: f32 equals plain sums for many sizes, transposed or not") {
  check_sizes<float>();
}
TEST_CASE("gemm: f64 equals plain sums for many sizes, transposed or not") {
  check_sizes<double>();
}

TEST_CASE("gemm: large products equal plain sums, however they are split") {
  for (const auto& s : large_cases<double>()) check_case(s);
  for (const auto& s : large_cases<float>()) check_case(s);
}

TEST_CASE_TEMPLATE("gemm: the same bits with 1, 2, 3 and 8 threads", T, float, double) {
  auto multiply = [](const Gemm<T>& g) { gemm(g); };
  for (const Case<T>& s : large_cases<T>()) {
    INFO(s.text());
    set_num_threads(1);
    const std::vector<T> one = run(s, multiply);
    for (int threads : {2, 3, 8}) {
      set_num_threads(threads);
      const std::vector<T> many = run(s, multiply);
      CHECK(std::memcmp(one.data(), many.data(), one.size() * sizeof(T)) == 0);
    }
  }
  set_num_threads(0);
}

TEST_CASE_TEMPLATE("gemm: empty axes", T, float, double) {
  auto multiply = [](const Gemm<T>& g) { gemm(g); };
  for (double beta : {0.0, 1.0, 2.5}) {
    Case<T> s{5, 6, 0, false, false, 1, beta, 2};
    CHECK(error_of(s, run(s, multiply)) <= 1);  // beta C
    s.alpha = 0, s.k = 7;
    CHECK(error_of(s, run(s, multiply)) <= 1);
  }
  CHECK(run(Case<T>{0, 6, 3, false, false}, multiply).empty());
  std::vector<T> untouched = run(Case<T>{4, 0, 3, false, false, 1, 0, 2}, multiply);
  CHECK(untouched == numbers<T>(4 * 2, 3));
}

TEST_CASE("gemm: products in many threads at once") {
  const Case<double> s{200, 90, 70, true, false};
  const std::vector<double> expected = run(s, [](const Gemm<double>& g) { gemm(g); });
  std::vector<std::thread> threads;
  std::vector<int> same(4, 0);
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 20; ++i)
        same[t] += run(s, [](const Gemm<double>& g) { gemm(g); }) == expected;
    });
  for (std::thread& thread : threads) thread.join();
  for (int count : same) CHECK(count == 20);
}

TEST_CASE("gemm: names its libraries") {
  const std::string text = gemm_libraries();
  INFO(text);
  CHECK(text.starts_with("oneDNN "));
  CHECK(text.find(", BLIS ") != std::string::npos);
}

TEST_CASE("gemm: BLIS uses the kernels of this processor, even where LAPACK called it first") {
  CHECK(least_squares(std::vector<double>{2}, std::vector<double>{6}, 1, 1)[0] == 3);
  __builtin_cpu_init();
  const std::string text = gemm_libraries();
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl"))
    CHECK(text.ends_with(" skx"));
  else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
    CHECK(text.ends_with(" haswell"));
}
