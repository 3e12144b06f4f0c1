#include "equivariant/radial.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "core/parallel.h"

namespace casimir {
namespace {

// The k-th derivative of sin(x) / x by its power series, whose coefficients are
//   sum over even i >= k of (-1)^(i/2) x^(i-k) / ((i + 1) (i - k)!).
double sinc_series(double x, int k) {
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
double sinc_derivative(double x, double sine, double cosine, int k) {
  if (x == 0 || std::abs(x) < 0.5 * k) return sinc_series(x, k);
  double turned[4] = {sine, cosine, -sine, -cosine};
  double f = sine / x;
  for (int j = 1; j <= k; ++j) f = (turned[j % 4] - j * f) / x;
  return f;
}

template <class T>
void bessel_row(double r, double r_max, int64_t count, int order, T* out) {
  double theta = std::numbers::pi / r_max * r;
  double s1 = std::sin(theta), c1 = std::cos(theta), s = s1, c = c1;
  for (int64_t n = 1; n <= count; ++n) {
    double w = static_cast<double>(n) * std::numbers::pi / r_max, scale = std::sqrt(2 / r_max);
    for (int j = 0; j <= order; ++j) scale *= w;
    out[n - 1] = static_cast<T>(scale * sinc_derivative(w * r, s, c, order));
    double turned = s * c1 + c * s1;  // sin and cos of (n + 1) theta
    c = c * c1 - s * s1;
    s = turned;
  }
}

// The order-th derivative of the cutoff, in u; 0 from 1 on.
double cutoff_derivative(double u, int64_t p, int order) {
  if (!(u < 1)) return 0;
  double n = static_cast<double>(p);
  double coefficients[3] = {-(n + 1) * (n + 2) / 2, n * (n + 2), -n * (n + 1) / 2};
  double sum = order == 0 ? 1 : 0,
         power = std::pow(u, static_cast<double>(std::max<int64_t>(p - order, 0)));
  for (int i = 0; i < 3; ++i) {
    if (p + i < order) continue;
    double term = coefficients[i];
    for (int j = 0; j < order; ++j) term *= static_cast<double>(p + i - j);
    sum += term * power;
    power *= u;
  }
  return sum;
}

void check_lengths(const char* op, const Tensor& lengths, double r_max, int order) {
  check(lengths.rank() == 1, op, ": expected lengths [edges], found ", lengths.shape());
  check(r_max > 0, op, ": expected r_max > 0, found ", r_max);
  check(order >= 0, op, ": expected order >= 0, found ", order);
  check<DeviceError>(lengths.on_cpu(), op, ": expected lengths on the cpu");
}

}  // namespace

Tensor bessel_basis(const Tensor& lengths, double r_max, int64_t count, int order) {
  check_lengths("bessel_basis", lengths, r_max, order);
  check(count > 0, "bessel_basis: expected count > 0, found ", count);
  int64_t edges = lengths.size();
  Array out({edges, count}, lengths.dtype());
  visit_float("bessel_basis", lengths.dtype(), [&]<class T>(T) {
    const T* r = lengths.array().data<T>();
    T* to = out.data<T>();
    parallel_for(edges, grain_for(32 + 16 * count), [&](int64_t begin, int64_t end) {
      for (int64_t e = begin; e < end; ++e) bessel_row(r[e], r_max, count, order, to + e * count);
    });
  });
  auto rule = [=](const Tensors& g, const Needs&) {
    return Tensors{sum(g[0] * bessel_basis(lengths, r_max, count, order + 1), {1})};
  };
  return record("bessel_basis", {lengths}, out, rule);
}

Tensor polynomial_cutoff(const Tensor& lengths, double r_max, int64_t p, int order) {
  check_lengths("polynomial_cutoff", lengths, r_max, order);
  check(p > 0, "polynomial_cutoff: expected p > 0, found ", p);
  Array out(lengths.shape(), lengths.dtype());
  double scale = std::pow(r_max, -order);
  visit_float("polynomial_cutoff", lengths.dtype(), [&]<class T>(T) {
    const T* r = lengths.array().data<T>();
    T* to = out.data<T>();
    parallel_for(lengths.size(), grain_for(128), [&](int64_t begin, int64_t end) {
      for (int64_t e = begin; e < end; ++e)
        to[e] = static_cast<T>(scale * cutoff_derivative(r[e] / r_max, p, order));
    });
  });
  auto rule = [=](const Tensors& g, const Needs&) {
    return Tensors{g[0] * polynomial_cutoff(lengths, r_max, p, order + 1)};
  };
  return record("polynomial_cutoff", {lengths}, out, rule);
}

}  // namespace casimir
