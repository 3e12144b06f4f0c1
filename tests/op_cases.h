// THE TABLE: every op, function and layer, with the inputs to try and what must come out. A new one
// is tested by adding a row; tests/ops_test.cpp runs each in all modes. Here the element-wise ops
// and reductions, in the other op_cases_*.h the rest.
#pragma once

#include "tests/op_case.h"

namespace casimir::test {

using Scalar = std::function<double(double)>;
using Scalar2 = std::function<double(double, double)>;
using Draw = std::function<Tensor(Setup&, Shape)>;

inline const Draw any = [](Setup& s, Shape shape) { return s.normal(shape); };
inline const Draw away_from_zero = [](Setup& s, Shape shape) { return s.kinked(shape); };
inline const Draw positive = [](Setup& s, Shape shape) { return s.uniform(shape, 0.5, 3); };

// Rows of one shape of op.

inline OpCase unary(const char* op, const char* what, std::function<Tensor(const Tensor&)> f,
                    Scalar reference, Draw draw = any, CaseOptions options = {}) {
  if (options.accepts.empty()) options.accepts = "rank size";
  return {op, what,
          [=](Setup& s) {
            return Problem{{draw(s, {s.rows, 7})},
                           [=](const Tensors& x) { return Tensors{f(x[0])}; },
                           [=](const Naives& x) { return Naives{naive_map(x[0], reference)}; }};
          },
          options};
}

inline OpCase binary(const char* op, std::function<Tensor(const Tensor&, const Tensor&)> f,
                     Scalar2 reference, Draw second = any, CaseOptions options = {}) {
  options.accepts += " rank";
  return {op, "same shape",
          [=](Setup& s) {
            // Apart by at least 0.1, so that max and min stay away from their kinks.
            Tensor a = s.distinct({s.rows, 6});
            return Problem{
                {a, second(s, {s.rows, 6})},
                [=](const Tensors& x) { return Tensors{f(x[0], x[1])}; },
                [=](const Naives& x) { return Naives{naive_zip(x[0], x[1], reference)}; }};
          },
          options};
}
inline const Draw between_distinct = [](Setup& s, Shape shape) {
  Tensor x = s.distinct(shape);
  return shift(x, 0.05);
};

// Values of which many are equal to one of another draw: a comparison shows what it does with
// those.
inline const Draw some_equal = [](Setup& s, Shape shape) { return s.digits(shape); };

inline void add_binary(std::vector<OpCase>& table) {
  table.push_back(binary("add", add, [](double a, double b) { return a + b; }));
  table.push_back(binary("sub", sub, [](double a, double b) { return a - b; }));
  table.push_back(binary(
      "mul", [](const Tensor& a, const Tensor& b) { return mul(a, b); },
      [](double a, double b) { return a * b; }, any));
  OpCase scaled = binary(
      "mul", [](const Tensor& a, const Tensor& b) { return mul(a, b, -2.5); },
      [](double a, double b) { return -2.5 * a * b; }, any, {.order = 3});
  scaled.what = "and a number";
  table.push_back(std::move(scaled));
  table.push_back(binary("div", div, [](double a, double b) { return a / b; }, away_from_zero,
                         {.finite = "huge equal"}));
  table.push_back(binary(
      "maximum", maximum, [](double a, double b) { return std::max(a, b); }, between_distinct));
  table.push_back(binary(
      "minimum", minimum, [](double a, double b) { return std::min(a, b); }, between_distinct));
  const CaseOptions comparison{.order = 0};
  table.push_back(binary("less", less, std::less<double>(), some_equal, comparison));
  table.push_back(
      binary("less_equal", less_equal, std::less_equal<double>(), some_equal, comparison));
  table.push_back(binary("greater", greater, std::greater<double>(), some_equal, comparison));
  table.push_back(
      binary("greater_equal", greater_equal, std::greater_equal<double>(), some_equal, comparison));
  table.push_back(binary("equal", equal, std::equal_to<double>(), some_equal, comparison));
  table.push_back({"where",
                   "same shape",
                   [](Setup& s) {
                     Shape shape{s.rows, 5};
                     return Problem{
                         {s.bits(shape), s.normal(shape), s.normal(shape)},
                         [](const Tensors& x) { return Tensors{where(x[0], x[1], x[2])}; },
                         [](const Naives& x) {
                           Naive out = x[1];
                           for (size_t i = 0; i < out.v.size(); ++i)
                             out.v[i] = x[0].v[i] != 0 ? x[1].v[i] : x[2].v[i];
                           return Naives{out};
                         }};
                   },
                   {.accepts = "rank"}});
}

inline double logistic(double x) {
  return 1 / (1 + std::exp(-x));
}

inline void add_unary(std::vector<OpCase>& table) {
  auto row = [&](OpCase one) { table.push_back(std::move(one)); };
  row(unary("neg", "", neg, [](double x) { return -x; }));
  row(unary(
      "scale", "by -1.7", [](const Tensor& x) { return scale(x, -1.7); },
      [](double x) { return -1.7 * x; }));
  row(unary(
      "shift", "by 0.3", [](const Tensor& x) { return shift(x, 0.3); },
      [](double x) { return x + 0.3; }));
  for (double p : {0.0, 1.0, 2.0, 3.0, 5.0})
    row(unary(
        "pow", "a whole number", [p](const Tensor& x) { return pow(x, p); },
        [p](double x) { return std::pow(x, p); }, any,
        {.order = p == 0 ? 0 : 3, .finite = p <= 2 ? "zero huge equal" : "zero equal"}));
  for (double p : {-2.0, 0.5, 2.7})
    row(unary(
        "pow", "of positive numbers", [p](const Tensor& x) { return pow(x, p); },
        [p](double x) { return std::pow(x, p); }, positive, {.order = 3, .finite = "equal"}));
  row(unary("square", "", square, [](double x) { return x * x; }, any, {.order = 3}));
  row(unary("sqrt", "", sqrt, [](double x) { return std::sqrt(x); }, positive, {.order = 3}));
  row(unary("reciprocal", "", reciprocal, [](double x) { return 1 / x; }, away_from_zero,
            {.order = 3, .finite = "huge equal"}));
  row(unary("exp", "", exp, [](double x) { return std::exp(x); }, any,
            {.order = 3, .finite = "zero equal"}));
  row(unary("log", "", log, [](double x) { return std::log(x); }, positive,
            {.order = 3, .finite = "huge equal"}));
  row(unary("sin", "", sin, [](double x) { return std::sin(x); }, any, {.order = 3}));
  row(unary("cos", "", cos, [](double x) { return std::cos(x); }, any, {.order = 3}));
  row(unary("tanh", "", tanh, [](double x) { return std::tanh(x); }, any, {.order = 3}));
  row(unary(
      "abs", "", abs, [](double x) { return std::abs(x); }, away_from_zero));
  row(unary("sign", "", sign, [](double x) { return (x > 0) - (x < 0); }, away_from_zero,
            {.order = 0}));
  row(unary(
      "relu", "", relu, [](double x) { return std::max(x, 0.0); }, away_from_zero));
  row(unary("sigmoid", "", [](const Tensor& x) { return sigmoid(x); }, logistic, any,
            {.order = 3}));
  row(unary(
      "sigmoid", "order 1", [](const Tensor& x) { return sigmoid(x, 1); },
      [](double x) { return logistic(x) * logistic(-x); }, any, {.order = 3}));
  row(unary(
      "silu", "", [](const Tensor& x) { return silu(x); }, [](double x) { return x * logistic(x); },
      any, {.order = 3}));
  row(unary(
      "silu", "order 1", [](const Tensor& x) { return silu(x, 1); },
      [](double x) { return logistic(x) * (1 + x * logistic(-x)); }, any, {.order = 3}));
  row(unary(
      "silu", "order 2", [](const Tensor& x) { return silu(x, 2); },
      [](double x) {
        double s = logistic(x);
        return s * (1 - s) * (2 + x * (1 - 2 * s));
      }));
  row(unary("softplus", "", softplus, [](double x) { return std::log1p(std::exp(x)); }, any,
            {.order = 3}));
  row(unary("alias", "", alias, [](double x) { return x; }, any, {.accepts = "type rank size"}));
  row(unary("detach", "", detach, [](double x) { return x; }, any,
            {.order = 0, .accepts = "type rank size absent"}));
  row(unary(
      "cast", "to f32 and back",
      [](const Tensor& x) { return cast(cast(x, DType::f32), x.dtype()); },
      [](double x) { return static_cast<float>(x); }, any,
      {.order = 0, .accepts = "type rank size"}));
  row(unary(
      "cast", "to f64", [](const Tensor& x) { return cast(x, DType::f64); },
      [](double x) { return x; }, any, {.accepts = "type rank size"}));
  row(unary(
      "cast", "to i32", [](const Tensor& x) { return cast(x, DType::i32); },
      [](double x) { return std::trunc(x); }, any,
      {.order = 0, .accepts = "type rank size", .finite = "zero equal"}));
}

// Reductions.

// All varieties of axes of a [rows, 3, 4] tensor. `fold` from `start`; `finish` of the folded value
// and the number of values.
inline void add_reduction(std::vector<OpCase>& table, const char* op,
                          std::function<Tensor(const Tensor&, std::vector<int>, bool)> f,
                          double start, Scalar2 fold, Scalar2 finish, Draw draw,
                          CaseOptions options) {
  options.accepts = "rank size";
  const bool fails = options.empty_fails;
  for (std::vector<int> axes : std::vector<std::vector<int>>{{}, {0}, {-1}, {1}, {0, 2}, {0, 1}})
    for (bool keep : {false, true}) {
      const bool all = axes.empty();
      options.empty_fails = fails && (all || axes[0] == 0);
      auto make = [=](Setup& s) {
        auto reference = [=](const Naives& x) {
          Shape kept = x[0].shape, out;
          std::vector<int64_t> sizes;
          for (int i = 0; i < 3; ++i) {
            bool gone = all;
            for (int axis : axes) gone |= (axis + 3) % 3 == i;
            if (gone) kept = kept.with(i, 1);
            if (!gone || keep) sizes.push_back(gone ? 1 : x[0].shape[i]);
          }
          Naive folded = naive_fold(x[0], kept, start, fold);
          const double count = static_cast<double>(x[0].shape.size()) / kept.size();
          for (double& value : folded.v) value = finish(value, count);
          return Naives{reshaped(folded, Shape(std::span<const int64_t>(sizes)))};
        };
        return Problem{{draw(s, {s.rows, 3, 4})},
                       [=](const Tensors& x) { return Tensors{f(x[0], axes, keep)}; },
                       reference};
      };
      table.push_back({op, keep ? "keep" : "", make, options});
    }
}

// Ops along one axis: for axis 0, 1 and -1 of [rows, 3, 4].
inline void add_along_axis(std::vector<OpCase>& table, const char* op,
                           std::function<Tensor(const Tensor&, int)> f,
                           std::function<Naive(const Naive&, Shape kept)> reference,
                           CaseOptions options) {
  options.accepts = "rank size";
  for (int axis : {0, 1, -1})
    table.push_back({op, "along an axis",
                     [=](Setup& s) {
                       return Problem{{s.normal({s.rows, 3, 4})},
                                      [=](const Tensors& x) { return Tensors{f(x[0], axis)}; },
                                      [=](const Naives& x) {
                                        return Naives{reference(x[0], x[0].shape.with(axis, 1))};
                                      }};
                     },
                     options});
}

inline void add_reduce(std::vector<OpCase>& table) {
  auto plus = [](double a, double b) { return a + b; };
  auto itself = [](double a, double) { return a; };
  add_reduction(table, "sum", sum, 0, plus, itself, any, {});
  add_reduction(table, "mean", mean, 0, plus, [](double a, double n) { return a / n; }, any,
                {.empty_fails = true});
  add_reduction(
      table, "max", max, -INFINITY, [](double a, double b) { return std::max(a, b); }, itself,
      [](Setup& s, Shape shape) { return s.distinct(shape); }, {.empty_fails = true});
  auto sum_exp = [=](const Naive& x, Shape kept) {
    return naive_fold(naive_map(x, [](double a) { return std::exp(a); }), kept, 0, plus);
  };
  add_along_axis(
      table, "logsumexp", [](const Tensor& x, int axis) { return logsumexp(x, axis, true); },
      [=](const Naive& x, Shape kept) {
        return naive_map(sum_exp(x, kept), [](double a) { return std::log(a); });
      },
      {.order = 3});
  add_along_axis(table, "softmax", softmax,
                 [=](const Naive& x, Shape kept) {
                   return naive_zip(x, sum_exp(x, kept),
                                    [](double a, double b) { return std::exp(a) / b; });
                 },
                 {.order = 3});
  add_along_axis(
      table, "norm", [](const Tensor& x, int axis) { return norm(x, axis, true); },
      [=](const Naive& x, Shape kept) {
        Naive squares = naive_map(x, [](double a) { return a * a; });
        return naive_map(naive_fold(squares, kept, 0, plus), [](double a) { return std::sqrt(a); });
      },
      {.order = 3});
  for (Shape small : {Shape{1, 4}, Shape{4}, Shape{}, Shape{3, 1}})
    table.push_back({"expand",
                     "",
                     [small](Setup& s) {
                       Shape large{s.rows, 3, 4};
                       return Problem{
                           {s.normal(small)},
                           [large](const Tensors& x) { return Tensors{expand(x[0], large)}; },
                           [large](const Naives& x) {
                             return Naives{naive_zip(x[0], Naive(large), std::plus<double>())};
                           }};
                     },
                     {}});
  const std::vector<std::pair<Shape, std::vector<int>>> targets{
      {{1, 4}, {0, 1}}, {{4}, {0, 1}}, {{}, {0, 1, 2}}, {{3, 1}, {0, 2}}, {{1, 1, 1}, {0, 1, 2}}};
  for (const auto& [target, free] : targets) {
    const Shape small = target;
    table.push_back(
        {"sum_to",
         "",
         [=](Setup& s) {
           return Problem{
               {s.normal({s.rows, 3, 4})},
               [=](const Tensors& x) { return Tensors{sum_to(x[0], small)}; },
               [=](const Naives& x) { return Naives{naive_fold(x[0], small, 0, plus)}; }};
         },
         {.accepts = "rank", .free = {free}}});
  }
}

}  // namespace casimir::test
