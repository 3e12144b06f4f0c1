#include "equivariant/sphere_grid.h"

#include <cmath>
#include <numbers>

namespace casimir {
namespace {

constexpr double pi = std::numbers::pi;

double beta_at(S2Resolution res, int64_t i) {
  return pi * (static_cast<double>(i) + 0.5) / static_cast<double>(res.beta);
}
double alpha_at(S2Resolution res, int64_t j) {
  return 2 * pi * static_cast<double>(j) / static_cast<double>(res.alpha);
}

void check_resolution(const char* name, int l_max, S2Resolution res) {
  check(res.alpha > 0 && res.beta % 2 == 0 && l_max >= 0 && l_max + 1 <= res.beta / 2, name,
        ": expected an even number of betas, at least ", 2 * (l_max + 1),
        ", and some alphas, found ", res.beta, " and ", res.alpha);
}

// S_m(alpha): sqrt(2) sin(|m| alpha), 1, sqrt(2) cos(m alpha) for m = -l_max .. l_max:
// [alpha, 2 l_max + 1].
Array alpha_functions(int l_max, S2Resolution res) {
  Array values(Shape{res.alpha, 2 * l_max + 1}, DType::f64);
  double* to = values.data<double>();
  for (int64_t j = 0; j < res.alpha; ++j)
    for (int m = -l_max; m <= l_max; ++m) {
      const double angle = m * alpha_at(res, j);
      *to++ = m == 0 ? 1 : std::sqrt(2.0) * (m < 0 ? std::sin(-angle) : std::cos(angle));
    }
  return values;
}

// P_lm(beta) with Y_lm = S_m(alpha) P_l|m|(beta), "integral" normalisation: [beta, (l_max + 1)^2].
// The harmonics at alpha = 0 hold P_lm times S_m(0).
Array beta_functions(int l_max, S2Resolution res) {
  std::vector<double> points;
  for (int64_t i = 0; i < res.beta; ++i)
    points.insert(points.end(), {0, std::cos(beta_at(res, i)), std::sin(beta_at(res, i))});
  Array values =
      spherical_harmonics(Tensor::from(points, {res.beta, 3}), l_max, true, Normalization::integral)
          .array();
  double* row = values.data<double>();
  for (int64_t i = 0; i < res.beta; ++i, row += (l_max + 1) * (l_max + 1))
    for (int l = 0; l <= l_max; ++l)
      for (int m = 1; m <= l; ++m) row[l * l + l - m] = row[l * l + l + m] /= std::sqrt(2.0);
  return values;
}

// P_lm(beta) times factor(beta, l), from coefficients (l, m) to (beta, m): [beta (2 l_max + 1),
// (l_max + 1)^2].
template <class Factor>
Array beta_matrix(int l_max, S2Resolution res, Factor factor) {
  const int64_t orders = 2 * l_max + 1, width = (l_max + 1) * (l_max + 1);
  const Array functions = beta_functions(l_max, res);
  Array matrix(Shape{res.beta * orders, width}, DType::f64);
  matrix.fill(0);
  for (int64_t b = 0; b < res.beta; ++b)
    for (int l = 0; l <= l_max; ++l)
      for (int m = -l; m <= l; ++m) {
        const int64_t at = l * l + l + m;
        matrix.data<double>()[(b * orders + l_max + m) * width + at] =
            factor(b, l) * functions.data<double>()[b * width + at];
      }
  return matrix;
}

// Weights of the betas, so that sums over the grid are exact means over the sphere up to degree
// beta - 1 (Kostelec and Rockmore 2008, J. Fourier Anal. Appl. 14, 145; e3nn's scale).
double quadrature_weight(S2Resolution res, int64_t i) {
  const auto angle = pi * static_cast<double>(2 * i + 1) / static_cast<double>(2 * res.beta);
  double sum = 0;
  for (int64_t k = 0; k < res.beta / 2; ++k) {
    const auto odd = static_cast<double>(2 * k + 1);
    sum += std::sin(odd * angle) / odd;
  }
  return 2 * std::sin(angle) * sum / static_cast<double>(res.beta * res.alpha);
}

Tensor constant(const Array& values, DType dtype, Device device) {
  return values.cast(dtype).to(device);
}

// x [batch, k, mul] -> matrix [n, k] @ x: [batch, n, mul].
Tensor times(const Tensor& matrix, const Tensor& x) {
  if (x.dim(2) != 1) return matmul(matrix, x);
  const Tensor rows = reshape(x, {x.dim(0), x.dim(1)});
  return reshape(matmul(rows, matrix, {.trans_b = true}), {x.dim(0), matrix.dim(0), 1});
}

Tensor transposed(const Array& matrix, DType dtype, Device device) {
  return constant(permute(Tensor(matrix), {1, 0}).array(), dtype, device);
}

}  // namespace

Array s2_grid(S2Resolution res) {
  Array points(Shape{res.beta, res.alpha, 3}, DType::f64);
  double* to = points.data<double>();
  for (int64_t i = 0; i < res.beta; ++i)
    for (int64_t j = 0; j < res.alpha; ++j) {
      const double beta = beta_at(res, i), alpha = alpha_at(res, j);
      *to++ = std::sin(beta) * std::sin(alpha);
      *to++ = std::cos(beta);
      *to++ = std::sin(beta) * std::cos(alpha);
    }
  return points;
}

ToS2Grid::ToS2Grid(int l_max, S2Resolution res, Normalization normalization, DType dtype,
                   Device device)
    : l_max_(l_max), res_(res) {
  check_resolution("ToS2Grid", l_max, res);
  auto factor = [=](int64_t, int l) {
    if (normalization == Normalization::integral) return 1.0;
    const double all = 4 * pi / (l_max + 1);
    return std::sqrt(normalization == Normalization::component ? all / (2 * l + 1) : all);
  };
  beta_ = constant(beta_matrix(l_max, res, factor), dtype, device);
  alpha_ = constant(alpha_functions(l_max, res), dtype, device);
}

Tensor ToS2Grid::operator()(const Tensor& x) const {
  const int64_t width = (l_max_ + 1) * (l_max_ + 1);
  check(x.defined() && x.rank() == 2 && x.dim(1) > 0 && x.dim(1) % width == 0,
        "ToS2Grid: expected rows of a multiple of ", width, ", found ", x.shape());
  check(x.dtype() == beta_.dtype() && x.device() == beta_.device(), "ToS2Grid: expected ",
        beta_.dtype(), " on ", beta_.device(), ", found ", x.dtype(), " on ", x.device());
  const int64_t rows = x.dim(0), mul = x.dim(1) / width;
  const Tensor by_order = times(beta_, reshape(x, {rows, width, mul}));
  const Tensor values = times(alpha_, reshape(by_order, {rows * res_.beta, 2 * l_max_ + 1, mul}));
  return reshape(values, {rows, res_.beta, res_.alpha, mul});
}

FromS2Grid::FromS2Grid(S2Resolution res, int l_max, Normalization normalization, int l_max_in,
                       DType dtype, Device device)
    : l_max_(l_max), res_(res) {
  check_resolution("FromS2Grid", l_max, res);
  const int degrees = (l_max_in < 0 ? l_max : l_max_in) + 1;
  auto factor = [=](int64_t b, int l) {
    const double weight = quadrature_weight(res, b);
    if (normalization == Normalization::integral) return 4 * pi * weight;
    const double all = 4 * pi * degrees;
    return weight * std::sqrt(normalization == Normalization::component ? all * (2 * l + 1) : all);
  };
  beta_ = transposed(beta_matrix(l_max, res, factor), dtype, device);
  alpha_ = transposed(alpha_functions(l_max, res), dtype, device);
}

Tensor FromS2Grid::operator()(const Tensor& x) const {
  check(x.defined() && x.rank() == 4 && x.dim(1) == res_.beta && x.dim(2) == res_.alpha,
        "FromS2Grid: expected [rows, ", res_.beta, ", ", res_.alpha, ", mul], found ", x.shape());
  check(x.dtype() == beta_.dtype() && x.device() == beta_.device(), "FromS2Grid: expected ",
        beta_.dtype(), " on ", beta_.device(), ", found ", x.dtype(), " on ", x.device());
  const int64_t rows = x.dim(0), mul = x.dim(3), orders = 2 * l_max_ + 1;
  const Tensor by_order = times(alpha_, reshape(x, {rows * res_.beta, res_.alpha, mul}));
  const Tensor out = times(beta_, reshape(by_order, {rows, res_.beta * orders, mul}));
  return reshape(out, {rows, out.dim(1) * mul});
}

}  // namespace casimir
