#include <doctest/doctest.h>

#include <cmath>

#include "core/error.h"
#include "core/linalg.h"
#include "core/random.h"
#include "tests/message_of.h"

using namespace casimir;

namespace {
std::vector<double> random_numbers(int64_t n, uint64_t seed) {
  Random random(seed);
  std::vector<double> values(n);
  for (double& v : values) v = random.normal();
  return values;
}
// a [m, k] b [k, n]
std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, int64_t m,
                            int64_t k, int64_t n) {
  std::vector<double> c(m * n, 0.0);
  for (int64_t i = 0; i < m; ++i)
    for (int64_t p = 0; p < k; ++p)
      for (int64_t j = 0; j < n; ++j) c[i * n + j] += a[i * k + p] * b[p * n + j];
  return c;
}
double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) largest = std::max(largest, std::abs(a[i] - b[i]));
  return largest;
}
}  // namespace

TEST_CASE("linalg: solve inverts a product") {
  for (int64_t n : {1, 2, 7, 40}) {
    auto a = random_numbers(n * n, 1), x = random_numbers(n * 3, 2);
    CHECK(largest_difference(solve(a, product(a, x, n, n, 3), n, 3), x) < 1e-11);
  }
  CHECK(solve({}, {}, 0, 0).empty());
}

TEST_CASE("linalg: a singular matrix is an error that says which pivot") {
  const std::vector<double> a{1, 2, 2, 4}, b{1, 1};
  CHECK(message_of<Error>([&] { solve(a, b, 2, 1); }) ==
        "solve: the 2 x 2 matrix is singular: pivot 1 is zero");
}

TEST_CASE("linalg: eigenvectors are orthonormal, values ascend, and both rebuild the matrix") {
  for (int64_t n : {1, 2, 5, 30}) {
    auto a = random_numbers(n * n, 3);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < i; ++j) a[i * n + j] = a[j * n + i];
    const Eigen e = eigh(a, n);
    std::vector<double> rebuilt(n * n, 0.0), unit(n * n, 0.0);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t k = 0; k < n; ++k) {
          rebuilt[i * n + j] += e.vectors[i * n + k] * e.values[k] * e.vectors[j * n + k];
          unit[i * n + j] += e.vectors[k * n + i] * e.vectors[k * n + j];
        }
    CHECK(largest_difference(rebuilt, a) < 1e-12);
    for (int64_t i = 0; i < n; ++i) unit[i * n + i] -= 1;
    CHECK(largest_difference(unit, std::vector<double>(n * n, 0.0)) < 1e-13);
    for (int64_t k = 1; k < n; ++k) CHECK(e.values[k] >= e.values[k - 1]);
  }
  // [[2, 1], [1, 2]] has 1 and 3.
  const Eigen e = eigh(std::vector<double>{2, 1, 1, 2}, 2);
  CHECK(e.values[0] == doctest::Approx(1).epsilon(1e-14));
  CHECK(e.values[1] == doctest::Approx(3).epsilon(1e-14));
}

TEST_CASE("linalg: least squares satisfies the normal equations") {
  const int64_t rows = 30, cols = 4;
  auto a = random_numbers(rows * cols, 4), b = random_numbers(rows, 5);
  int64_t rank = -1;
  auto x = least_squares(a, b, rows, cols, 1e-10, &rank);
  CHECK(rank == 4);
  auto residual = product(a, x, rows, cols, 1);
  for (int64_t i = 0; i < rows; ++i) residual[i] -= b[i];
  for (int64_t j = 0; j < cols; ++j) {
    double gradient = 0;
    for (int64_t i = 0; i < rows; ++i) gradient += a[i * cols + j] * residual[i];
    CHECK(std::abs(gradient) < 1e-12);
  }
}

TEST_CASE("linalg: without full rank least squares gives the shortest solution") {
  // Every row counts both unknowns equally: only their sum 3 is known, and (1.5, 1.5) is shortest.
  const std::vector<double> a{1, 1, 2, 2, 3, 3}, b{3, 6, 9};
  int64_t rank = -1;
  auto x = least_squares(a, b, 3, 2, 1e-10, &rank);
  CHECK(rank == 1);
  CHECK(x[0] == doctest::Approx(1.5).epsilon(1e-13));
  CHECK(x[1] == doctest::Approx(1.5).epsilon(1e-13));
  // Fewer equations than unknowns: x + 2 y = 5 at (1, 2).
  auto y = least_squares(std::vector<double>{1, 2}, std::vector<double>{5}, 1, 2);
  CHECK(y[0] == doctest::Approx(1).epsilon(1e-13));
  CHECK(y[1] == doctest::Approx(2).epsilon(1e-13));
}

TEST_CASE("linalg: input that cannot be right is an error") {
  const std::vector<double> four{1, 2, 3, 4}, two{1, 2}, bad{1, NAN, 3, 4};
  CHECK(message_of<ShapeError>([&] { solve(four, two, 3, 1); }) ==
        "solve: expected 9 numbers, found 4");
  CHECK(message_of<ShapeError>([&] { least_squares(four, four, 2, 2); }) ==
        "least_squares: expected 2 numbers, found 4");
  CHECK(message_of<Error>([&] { eigh(bad, 2); }) == "eigh: the input holds NaN or infinity");
}
