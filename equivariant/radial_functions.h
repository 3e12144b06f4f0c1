// Radial functions of one length, with their derivatives, for the CPU and CUDA loops. In f64: their
// derivatives cancel near r = 0.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>

#include "core/kernel.h"

namespace casimir {
namespace radial {

// The k-th derivative of sin(x) / x by its power series, whose coefficients are
//   sum over even i >= k of (-1)^(i/2) x^(i-k) / ((i + 1) (i - k)!).
CASIMIR_HD inline double sinc_series(double x, int k) {
  int i = k + k % 2;
  double power = k % 2 ? x : 1;  // x^(i-k) / (i-k)!
  double sign = i / 2 % 2 ? -1 : 1, sum = 0;
  for (; std::abs(power) > 1e-20; i += 2) {
    sum += sign * power / (i + 1);
    power *= x * x / ((i - k + 1) * (i - k + 2));
    sign = -sign;
  }
  return sum;
}

// The k-th derivative f_k of sin(x) / x: x f_j = sin(x + j pi / 2) - j f_(j-1). Going up in j
// multiplies the rounding error by j / x, so the series takes over for small x.
CASIMIR_HD inline double sinc_derivative(double x, double sine, double cosine, int k) {
  if (x == 0 || std::abs(x) < 0.5 * k) return sinc_series(x, k);
  const double turned[4] = {sine, cosine, -sine, -cosine};
  double f = sine / x;
  for (int j = 1; j <= k; ++j) f = (turned[j % 4] - j * f) / x;
  return f;
}

// The order-th derivatives of sqrt(2 / r_max) sin(n pi r / r_max) / r for n = 1 .. count.
template <class T>
CASIMIR_HD void bessel_row(double r, double r_max, int64_t count, int order, T* out) {
  const double theta = std::numbers::pi / r_max * r;
  const double s1 = std::sin(theta), c1 = std::cos(theta);
  double s = s1, c = c1;
  for (int64_t n = 1; n <= count; ++n) {
    const double w = static_cast<double>(n) * std::numbers::pi / r_max;
    double scale = std::sqrt(2 / r_max);
    for (int j = 0; j <= order; ++j) scale *= w;
    out[n - 1] = static_cast<T>(scale * sinc_derivative(w * r, s, c, order));
    const double turned = s * c1 + c * s1;  // sin and cos of (n + 1) theta
    c = c * c1 - s * s1;
    s = turned;
  }
}

// The order-th derivative of the polynomial cutoff, in u = r / r_max; 0 from 1 on.
CASIMIR_HD inline double cutoff_derivative(double u, int64_t p, int order) {
  if (!(u < 1)) return 0;
  const double n = static_cast<double>(p);
  const double coefficients[3] = {-(n + 1) * (n + 2) / 2, n * (n + 2), -n * (n + 1) / 2};
  double sum = order == 0 ? 1 : 0;
  double power = std::pow(u, static_cast<double>(p > order ? p - order : 0));
  for (int i = 0; i < 3; ++i) {
    if (p + i < order) continue;
    double term = coefficients[i];
    for (int j = 0; j < order; ++j) term *= static_cast<double>(p + i - j);
    sum += term * power;
    power *= u;
  }
  return sum;
}

}  // namespace radial
}  // namespace casimir
