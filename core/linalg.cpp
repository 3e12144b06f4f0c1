#include <cstdint>

#include "core/linalg.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

// LAPACK's Fortran symbols; matrices are column-major. The trailing length of a character argument
// is part of gfortran's convention.
extern "C" {
void dgelsd_(const int* m, const int* n, const int* nrhs, double* a, const int* lda, double* b,
             const int* ldb, double* s, const double* rcond, int* rank, double* work,
             const int* lwork, int* iwork, int* info);
void dsyev_(const char* jobz, const char* uplo, const int* n, double* a, const int* lda, double* w,
            double* work, const int* lwork, int* info, size_t, size_t);
void dgesv_(const int* n, const int* nrhs, double* a, const int* lda, int* ipiv, double* b,
            const int* ldb, int* info);
}

namespace casimir {
namespace {

// [rows, cols] row-major into column-major with columns of length `leading`.
std::vector<double> to_columns(std::span<const double> a, int64_t rows, int64_t cols,
                               int64_t leading) {
  std::vector<double> out(leading * cols);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < cols; ++j) out[j * leading + i] = a[i * cols + j];
  return out;
}

void check_input(const char* what, std::span<const double> values, int64_t expected) {
  check(static_cast<int64_t>(values.size()) == expected, what, ": expected ", expected,
        " numbers, found ", values.size());
  check<Error>(std::all_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); }),
               what, ": the input holds NaN or infinity");
}

}  // namespace

std::vector<double> least_squares(std::span<const double> a, std::span<const double> b,
                                  int64_t rows, int64_t cols, double rcond, int64_t* rank) {
  check_input("least_squares", a, rows * cols);
  check_input("least_squares", b, rows);
  if (rank) *rank = 0;
  if (rows == 0 || cols == 0) return std::vector<double>(cols, 0.0);
  const int m = static_cast<int>(rows), n = static_cast<int>(cols), one = 1;
  const int leading = std::max(m, n), query = -1;
  std::vector<double> columns = to_columns(a, rows, cols, rows);
  std::vector<double> x(leading), singular(std::min(m, n));
  std::copy(b.begin(), b.end(), x.begin());
  int found = 0, info = 0, integers = 0;
  double size = 0;
  dgelsd_(&m, &n, &one, columns.data(), &m, x.data(), &leading, singular.data(), &rcond, &found,
          &size, &query, &integers, &info);
  const int length = static_cast<int>(size);
  std::vector<double> work(length);
  std::vector<int> integer_work(std::max(1, integers));
  dgelsd_(&m, &n, &one, columns.data(), &m, x.data(), &leading, singular.data(), &rcond, &found,
          work.data(), &length, integer_work.data(), &info);
  check<Error>(info == 0, "least_squares: the singular values of a ", rows, " x ", cols,
               " matrix did not converge (LAPACK dgelsd: ", info, ")");
  if (rank) *rank = found;
  x.resize(cols);
  return x;
}

Eigen eigh(std::span<const double> a, int64_t n) {
  check_input("eigh", a, n * n);
  Eigen result{std::vector<double>(n), std::vector<double>(n * n)};
  if (n == 0) return result;
  const int size = static_cast<int>(n), query = -1;
  std::vector<double> columns(a.begin(), a.end());  // symmetric: both orders are the same
  double wanted = 0;
  int info = 0;
  dsyev_("V", "L", &size, columns.data(), &size, result.values.data(), &wanted, &query, &info, 1,
         1);
  const int length = static_cast<int>(wanted);
  std::vector<double> work(length);
  dsyev_("V", "L", &size, columns.data(), &size, result.values.data(), work.data(), &length, &info,
         1, 1);
  check<Error>(info == 0, "eigh: the eigenvalues of a ", n, " x ", n,
               " matrix did not converge (LAPACK dsyev: ", info, ")");
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) result.vectors[i * n + j] = columns[j * n + i];
  return result;
}

std::vector<double> solve(std::span<const double> a, std::span<const double> b, int64_t n,
                          int64_t m) {
  check_input("solve", a, n * n);
  check_input("solve", b, n * m);
  if (n == 0 || m == 0) return {};
  const int size = static_cast<int>(n), sides = static_cast<int>(m);
  std::vector<double> columns = to_columns(a, n, n, n), x = to_columns(b, n, m, n);
  std::vector<int> pivots(n);
  int info = 0;
  dgesv_(&size, &sides, columns.data(), &size, pivots.data(), x.data(), &size, &info);
  check<Error>(info <= 0, "solve: the ", n, " x ", n, " matrix is singular: pivot ", info - 1,
               " is zero");
  std::vector<double> out(n * m);
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < m; ++j) out[i * m + j] = x[j * n + i];
  return out;
}

}  // namespace casimir
