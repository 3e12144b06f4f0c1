// Gradients against finite differences along random directions, to any order; for tests and for
// authors of layers.
//
//   double error = gradcheck([&](const Tensors& x) { return Tensors{layer(x[0])}; }, {x}, {.order =
//   2}); CHECK(error < 1e-8);
//
// With fixed random c, s(x) = sum f(x) c is one number whose derivative along a random direction v
// is compared with differences of s; one direction sees every entry, so the cost does not grow with
// the size. Order k + 1 is order k of the gradient of s.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <optional>

#include "autograd/ops.h"
#include "core/random.h"

namespace casimir {

struct GradcheckOptions {
  int order = 2;
  double step = 1e-3;  // in units of the direction's entries (variance 1)
  uint64_t seed = 1;
};

namespace gradcheck_detail {

inline Tensor random_like(const Tensor& x, Random& random) {
  Array values(x.shape(), DType::f64);
  for (int64_t i = 0; i < values.size(); ++i) values.data<double>()[i] = random.normal();
  return Tensor(values.to(x.device()));
}

// x + amount * v, where v is defined.
inline Tensors moved(const Tensors& x, const Tensors& v, double amount) {
  Tensors out = x;
  for (size_t i = 0; i < x.size(); ++i)
    if (v[i].defined()) out[i] = x[i] + v[i] * amount;
  return out;
}

// sum over the real outputs of f(x) c; c is drawn at the first call.
struct Weighted {
  Composite f;
  uint64_t seed;
  Tensor operator()(const Tensors& x) const {
    Random random(random_key(seed, "gradcheck cotangents"));
    Tensor total = Tensor::zeros({}, DType::f64, x[0].device());
    for (const Tensor& y : f(x))
      if (y.defined() && y.dtype() == DType::f64) total = total + sum(y * random_like(y, random));
    return total;
  }
};

// The gradient of s with respect to its f64 inputs, as a function; zeros where it is absent.
inline Tensors gradient(const Weighted& s, const Tensors& x) {
  std::optional<Tape> own;
  Tensors variables = x, wanted;
  if (!tracked(x)) {
    own.emplace();
    for (Tensor& t : variables)
      if (t.dtype() == DType::f64) t = own->watch(t);
  }
  for (const Tensor& t : variables)
    if (t.dtype() == DType::f64) wanted.push_back(t);
  Tensors parts =
      Tape::current()->grad({s(variables)}, wanted, {}, {.create_graph = !own.has_value()});
  for (size_t i = 0; i < parts.size(); ++i)
    if (!parts[i].defined())
      parts[i] = Tensor::zeros(wanted[i].shape(), DType::f64, wanted[i].device());
  return parts;
}

// |analytic - numeric| / scale for the first derivative of s.
inline double directional_error(const Weighted& s, const Tensors& x, const GradcheckOptions& o) {
  Random random(random_key(o.seed, "gradcheck direction"));
  Tensors v(x.size()), g = gradient(s, x);
  double analytic = 0, squares = 0;
  for (size_t i = 0, k = 0; i < x.size(); ++i)
    if (x[i].dtype() == DType::f64) {
      v[i] = random_like(x[i], random);
      const Tensor products = g[k++] * v[i];
      analytic += sum(products).item();
      squares += sum(square(products)).item();
    }
  auto at = [&](double amount) { return s(moved(x, v, amount)).item(); };
  const double h = o.step;  // five points: the error is of order h^4
  const double numeric = (8 * (at(h) - at(-h)) - (at(2 * h) - at(-2 * h))) / (12 * h);
  const double scale = std::max(
      {std::abs(analytic), std::abs(numeric), std::sqrt(squares), 1e-3 * std::abs(at(0)), 1e-300});
  const double error = std::abs(analytic - numeric) / scale;
  return std::isnan(error) ? INFINITY : error;
}

}  // namespace gradcheck_detail

// The largest relative error of the derivatives of orders 1 .. options.order of f at `inputs`. Only
// f64 inputs are varied; they must stay away from kinks of f by a few steps.
inline double gradcheck(const Composite& f, const Tensors& inputs, GradcheckOptions options = {}) {
  using namespace gradcheck_detail;
  check(!tracked(inputs), "gradcheck: the inputs belong to a tape");
  double worst = 0;
  Composite function = f;
  for (int order = 1; order <= options.order; ++order) {
    const Weighted s{function, options.seed + order};
    worst = std::max(worst, directional_error(s, inputs, options));
    function = [s](const Tensors& x) { return gradient(s, x); };
  }
  return worst;
}

}  // namespace casimir
