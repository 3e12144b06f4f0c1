// The rows of the table for gates, norms and spherical grids.
#pragma once

#include "equivariant/norms.h"
#include "equivariant/sphere_grid.h"
#include "tests/op_cases_layers.h"

namespace casimir::test {

inline void add_gate(std::vector<OpCase>& table) {
  const Gate gate{"2x0e+1x0o", "2x0e+1x0o", "2x1o+1x1e"};
  auto make = [=](Setup& s) {
    auto reference = [=](const Naives& x) {
      const Irreps in = gate.irreps_in(), out = gate.irreps_out();
      auto active = [&](int64_t n, size_t block, int64_t u) {
        const double value = x[0].at(place(in, n, block, 0, u));
        return in[block].ir.p > 0 ? silu_normalization * value * logistic(value)
                                  : tanh_normalization * std::tanh(value);
      };
      Naive y(Shape{x[0].shape[0], out.dim()});
      for (int64_t n = 0; n < x[0].shape[0]; ++n)
        for (size_t b = 0; b < 2; ++b)  // scalars b, gates b + 2, gated b + 4
          for (int64_t u = 0; u < in[b].mul; ++u) {
            y.at(place(out, n, b, 0, u)) = active(n, b, u);
            for (int64_t m = 0; m < 3; ++m)
              y.at(place(out, n, b + 2, m, u)) =
                  active(n, b + 2, u) * x[0].at(place(in, n, b + 4, m, u));
          }
      return Naives{y};
    };
    return Problem{{s.normal({s.rows, gate.irreps_in().dim()})},
                   [=](const Tensors& x) { return Tensors{gate(x[0])}; },
                   reference};
  };
  table.push_back({"Gate", "", make, {.free = {{0}}, .speaks = "Gate: silu:"}});
}

// The norm of each irrep: [rows, num_irreps].
inline Naive naive_norms(const Irreps& irreps, const Naive& x) {
  Naive norms(Shape{x.shape[0], irreps.num_irreps()});
  int64_t at = 0;
  for (size_t b = 0; b < irreps.size(); at += irreps[b].mul, ++b)
    each({x.shape[0], irreps[b].ir.dim(), irreps[b].mul}, [&](const auto& k) {
      double& norm = norms.at({k[0], at + k[2]});
      norm = std::hypot(norm, x.at(place(irreps, k[0], b, k[1], k[2])));
    });
  return norms;
}
// Each irrep of x times its factor [rows, num_irreps].
inline Naive naive_scaled(const Irreps& irreps, const Naive& x, const Naive& factors) {
  Naive out = x;
  int64_t at = 0;
  for (size_t b = 0; b < irreps.size(); at += irreps[b].mul, ++b)
    each({x.shape[0], irreps[b].ir.dim(), irreps[b].mul}, [&](const auto& k) {
      out.at(place(irreps, k[0], b, k[1], k[2])) *= factors.at({k[0], at + k[2]});
    });
  return out;
}

inline void add_norms(std::vector<OpCase>& table) {
  const Irreps irreps("2x0e+1x0o+2x1o");
  for (bool squared : {false, true})
    table.push_back(
        {"Norm",
         squared ? "squared" : "",
         [=](Setup& s) {
           return Problem{
               {s.kinked({s.rows, irreps.dim()})},
               [=, norm = Norm(irreps, squared)](const Tensors& x) { return Tensors{norm(x[0])}; },
               [=](const Naives& x) {
                 return Naives{naive_map(naive_norms(irreps, x[0]),
                                         [=](double n) { return squared ? n * n : n; })};
               }};
         },
         {.free = {{0}}}});
  for (bool normalize : {true, false})
    for (bool bias : {false, true}) {
      auto make = [=](Setup& s) {
        Parameters store(s.dtype, 1);
        const NormActivation layer(store.root(), irreps, [](const Tensor& x) { return sigmoid(x); },
                                   {.normalize = normalize, .bias = bias});
        Tensors inputs{s.kinked({s.rows, irreps.dim()})};
        if (bias) inputs.push_back(s.normal({irreps.num_irreps()}));
        auto f = [=](const Tensors& x) {
          NormActivation used = layer;
          if (bias) used.biases = x[1];
          return Tensors{used(x[0])};
        };
        auto reference = [=](const Naives& x) {
          const Naive norms = naive_norms(irreps, x[0]);
          Naive factors = bias ? naive_zip(norms, x[1], std::plus<double>()) : norms;
          factors = naive_map(factors, logistic);
          if (normalize) factors = naive_zip(factors, norms, std::divides<double>());
          return Naives{naive_scaled(irreps, x[0], factors)};
        };
        return Problem{inputs, f, reference};
      };
      table.push_back({"NormActivation",
                       normalize ? "normalised" : "not normalised",
                       make,
                       {.free = {{0}}, .data = 1}});
    }
}

// Statistics of x [batch, samples, dim] over the samples of each row, or over all: those of row n.
struct NaiveStatistics {
  std::function<double(size_t block, int64_t n, int64_t u)> mean;
  std::function<double(size_t block, int64_t n, int64_t u)> norm;  // mean square of components
};

struct BatchNormCase {
  const char* what;
  bool training;
  BatchNorm::Options options;
};

inline Naive naive_batch_norm(const Irreps& irreps, const BatchNormCase& c, const Naives& x) {
  const int64_t batch = x[0].shape[0], samples = x[0].shape[1];
  Naive out = x[0];
  int64_t feature = 0, scalar = 0;
  for (size_t b = 0; b < irreps.size(); ++b)
    for (int64_t u = 0; u < irreps[b].mul; ++u, ++feature) {
      const bool even = irreps[b].ir.is_scalar(), own = c.options.instance;
      const int64_t dim = irreps[b].ir.dim();
      auto at = [&](const auto& k) -> double& {
        return out.v[(k[0] * samples + k[1]) * irreps.dim() + place(irreps, 0, b, k[2], u)[1]];
      };
      Naive mean(Shape{batch}), norm(Shape{batch});
      each({batch, samples}, [&](const auto& k) {
        if (even) mean.at({k[0]}) += at(std::vector<int64_t>{k[0], k[1], 0}) / samples;
      });
      auto average = [&](Naive& rows) {
        double sum = 0;
        for (double value : rows.v) sum += value / static_cast<double>(batch);
        if (!own) std::fill(rows.v.begin(), rows.v.end(), sum);
      };
      average(mean);
      if (!own && !c.training) std::fill(mean.v.begin(), mean.v.end(), even ? 0.3 : 0);
      each({batch, samples, dim}, [&](const auto& k) { at(k) -= mean.at({k[0]}); });
      each({batch, samples}, [&](const auto& k) {
        double square = 0;
        for (int64_t m = 0; m < dim; ++m)
          square += std::pow(at(std::vector<int64_t>{k[0], k[1], m}), 2);
        if (c.options.normalization == IrrepNormalization::component)
          square /= static_cast<double>(dim);
        double& value = norm.at({k[0]});
        value = c.options.reduce == BatchNorm::Reduce::max ? std::max(value, square)
                                                           : value + square / samples;
      });
      average(norm);
      if (!own && !c.training) std::fill(norm.v.begin(), norm.v.end(), 1.7);
      each({batch, samples, dim}, [&](const auto& k) {
        at(k) *= x[1].at({feature}) / std::sqrt(norm.at({k[0]}) + c.options.eps);
        if (even) at(k) += x[2].at({scalar});
      });
      scalar += even;
    }
  return out;
}

inline void add_batch_norm(std::vector<OpCase>& table) {
  using enum BatchNorm::Reduce;
  const Irreps irreps("2x0e+1x0o+2x1o");
  for (const BatchNormCase& c :
       std::vector<BatchNormCase>{{"training", true, {}},
                                  {"training, largest norms",
                                   true,
                                   {.reduce = max, .normalization = IrrepNormalization::norm}},
                                  {"instances", false, {.instance = true}},
                                  {"evaluation", false, {}}}) {
    auto make = [=](Setup& s) {
      Parameters store(s.dtype, 1);
      const BatchNorm layer(store.root(), irreps, c.options);
      auto f = [=](const Tensors& x) {
        BatchNorm used = layer;
        used.training = c.training;
        used.weight = x[1];
        used.bias = x[2];
        if (!c.options.instance) {
          used.running_mean = Tensor::full({2}, 0.3, DType::f64).array();
          used.running_var = Tensor::full({5}, 1.7, DType::f64).array();
        }
        return Tensors{used(x[0])};
      };
      auto reference = [=](const Naives& x) { return Naives{naive_batch_norm(irreps, c, x)}; };
      return Problem{
          {s.distinct({s.rows, 3, irreps.dim()}), s.normal({5}), s.normal({2})}, f, reference};
    };
    const bool batch = c.training || c.options.instance;
    table.push_back({"BatchNorm",
                     c.what,
                     make,
                     {.accepts = "rank",
                      .free = {{0, 1}},
                      .finite = "zero equal",
                      .empty_fails = batch,
                      .data = 1}});
  }
}

// Spherical grids, l_max = 2, 6 x 5 points.

// f(row of the grid, coefficient, harmonic) for every pair of them, "integral" normalisation.
inline void each_harmonic(const std::function<void(int64_t, int64_t, int64_t, double)>& f) {
  const Array points = s2_grid({6, 5});
  const double* p = points.data<double>();
  for (int64_t b = 0; b < 6; ++b)
    for (int64_t a = 0; a < 5; ++a, p += 3) {
      const std::vector<double> y = solid_harmonics_2(p[0], p[1], p[2]);
      for (int64_t i = 0; i < 9; ++i) f(b, a, i, y[i] / std::sqrt(4 * std::acos(-1.0)));
    }
}

inline void add_grids(std::vector<OpCase>& table) {
  const S2Resolution res{6, 5};
  for (int64_t mul : {1, 2}) {
    const char* what = mul == 1 ? "one channel" : "two channels";
    auto make_to = [=](Setup& s) {
      auto reference = [=](const Naives& x) {
        const int64_t rows = x[0].shape[0];
        Naive out(Shape{rows, 6, 5, mul});
        each_harmonic([&](int64_t b, int64_t a, int64_t i, double y) {
          each({rows, mul}, [&](const auto& k) {
            out.at({k[0], b, a, k[1]}) += y * x[0].at({k[0], i * mul + k[1]});
          });
        });
        return Naives{out};
      };
      return Problem{
          {s.normal({s.rows, 9 * mul})},
          [=, dtype = s.dtype](const Tensors& x) {
            return Tensors{ToS2Grid(2, res, Normalization::integral, dtype, x[0].device())(x[0])};
          },
          reference};
    };
    table.push_back({"ToS2Grid", what, make_to, {.free = {{0}}}});
    // The values of harmonics give back the coefficients.
    auto make_from = [=](Setup& s) {
      Naive coefficients(s.normal({s.rows, 9 * mul}));
      Tensor values = ToS2Grid(2, res, Normalization::integral,
                               DType::f64)(Tensor::from(coefficients.v, coefficients.shape));
      return Problem{{Tensor(values.array().cast(s.dtype))},
                     [=, dtype = s.dtype](const Tensors& x) {
                       return Tensors{FromS2Grid(res, 2, Normalization::integral, -1, dtype,
                                                 x[0].device())(x[0])};
                     },
                     [=](const Naives&) { return Naives{coefficients}; }};
    };
    table.push_back({"FromS2Grid", what, make_from, {.free = {{0, 3}}}});
  }
}

}  // namespace casimir::test
