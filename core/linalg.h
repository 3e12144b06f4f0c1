// Small dense linear algebra on the CPU in f64, by LAPACK.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace casimir {

// The x of least norm that minimises |A x - b|; a is [rows, cols] row-major. Singular values below
// rcond times the largest count as zero. `rank` (optional) receives the numerical rank.
std::vector<double> least_squares(std::span<const double> a, std::span<const double> b,
                                  int64_t rows, int64_t cols, double rcond = 1e-10,
                                  int64_t* rank = nullptr);

// Eigenvalues (ascending) and eigenvectors (column j belongs to value j; row-major [n, n]) of a
// symmetric matrix.
struct Eigen {
  std::vector<double> values, vectors;
};
Eigen eigh(std::span<const double> a, int64_t n);

// Solves A X = B; a [n, n], b [n, m], both row-major. A singular A is an error.
std::vector<double> solve(std::span<const double> a, std::span<const double> b, int64_t n,
                          int64_t m);

}  // namespace casimir
