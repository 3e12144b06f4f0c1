// The rows of the table for the layers of equivariant/. A layer's parameters are inputs here,
// behind its data: the row's function puts them into the layer.
#pragma once

#include "equivariant/layers.h"
#include "equivariant/symmetric_basis.h"
#include "equivariant/wigner.h"
#include "tests/op_cases_equivariant.h"

namespace casimir::test {

// Element (row n, block b, component m, channel u) of rows stored ir_mul.
inline std::vector<int64_t> place(const Irreps& irreps, int64_t n, size_t b, int64_t m, int64_t u) {
  return {n, irreps.offsets()[b] + m * irreps[b].mul + u};
}

// Linear.

struct LinearCase {
  const char* what = "";
  Irreps in, out;
  Linear::Options options = {};
  std::vector<std::array<int, 2>> paths = {};  // (input block, output block), by output
};

inline std::vector<LinearCase> linear_cases() {
  LinearCase every, grouped, some;
  every.what = "every pair of blocks";
  every.in = "2x0e+2x1o+3x0e";
  every.out = "2x0e+3x1o";
  every.paths = {{0, 0}, {2, 0}, {1, 1}};
  grouped = every;
  grouped.what = "a matrix per group";
  grouped.options.groups = 3;
  some.what = "some pairs of blocks, by path, biases";
  some.in = "2x0e+2x0e+1x1o";
  some.out = "2x0e+3x0e";
  some.paths = some.options.instructions = {{0, 0}, {1, 0}, {1, 1}};
  some.options.path_normalization = PathNormalization::path;
  some.options.biases = true;
  return {every, grouped, some};
}

// w: the weights of each output block, then the biases.
inline Naive naive_linear(const LinearCase& c, const Naive& x, const Naives& w,
                          const Segments& species) {
  Naive out(Shape{x.shape[0], c.out.dim()});
  const bool by_path = c.options.path_normalization == PathNormalization::path;
  for (int o = 0; o < static_cast<int>(c.out.size()); ++o) {
    int64_t inputs = 0, sources = 0, first = 0;
    for (const auto& [i, to] : c.paths)
      if (to == o) inputs += c.in[i].mul, ++sources;
    for (const auto& [i, to] : c.paths) {
      if (to != o) continue;
      const double n =
          static_cast<double>((by_path ? c.in[i].mul * sources : inputs) * c.options.groups);
      each({x.shape[0], c.in[i].ir.dim(), c.in[i].mul, c.out[o].mul}, [&, i = i](const auto& k) {
        const int64_t row = first + k[2];
        const double weight =
            species.defined() ? w[o].at({species[k[0]], row, k[3]}) : w[o].at({row, k[3]});
        out.at(place(c.out, k[0], o, k[1], k[3])) +=
            x.at(place(c.in, k[0], i, k[1], k[2])) * weight / std::sqrt(n);
      });
      first += c.in[i].mul;
    }
    if (c.options.biases)
      each({x.shape[0], c.out[o].mul}, [&](const auto& k) {
        out.at(place(c.out, k[0], o, 0, k[1])) += w[c.out.size() + o].at({k[1]});
      });
  }
  return out;
}

inline void add_linear(std::vector<OpCase>& table) {
  for (const LinearCase& c : linear_cases()) {
    CaseOptions options{.speaks = "Linear: mix:", .data = 1};
    if (c.options.groups == 1) options.free = {{0}};
    auto layer_of = [c](DType dtype) {
      Parameters store(dtype, 1);
      return Linear(store.root(), c.in, c.out, c.options);
    };
    table.push_back({"Linear", c.what,
                     [=](Setup& s) {
                       const Linear layer = layer_of(s.dtype);
                       const Segments species =
                           c.options.groups > 1 ? s.segments(s.rows, c.options.groups) : Segments();
                       Tensors inputs{s.normal({s.rows, c.in.dim()})};
                       for (const Tensors* some : {&layer.weights, &layer.biases})
                         for (const Tensor& w : *some) inputs.push_back(s.normal(w.shape()));
                       auto f = [=](const Tensors& x) {
                         Linear used = layer;
                         auto next = x.begin() + 1;
                         for (Tensor& w : used.weights) w = *next++;
                         for (Tensor& b : used.biases) b = *next++;
                         return Tensors{used(x[0], species)};
                       };
                       return Problem{inputs, f, [=](const Naives& x) {
                                        return Naives{naive_linear(
                                            c, x[0], Naives(x.begin() + 1, x.end()), species)};
                                      }};
                     },
                     options});
    table.push_back({"Linear::flat_weights",
                     c.what,
                     [=](Setup& s) {
                       const Linear layer = layer_of(s.dtype);
                       Tensors inputs;
                       for (const Tensor& w : layer.weights) inputs.push_back(s.normal(w.shape()));
                       auto f = [=](const Tensors& x) {
                         Linear used = layer;
                         used.weights = x;
                         return Tensors{used.flat_weights()};
                       };
                       auto reference = [=](const Naives& x) {
                         Naive out(Shape{layer.groups, layer.plan.weight_size});
                         for (int64_t g = 0, at = 0; g < layer.groups; ++g)
                           for (const Naive& w : x) {
                             const auto size = static_cast<int64_t>(w.v.size()) / layer.groups;
                             for (int64_t i = 0; i < size; ++i) out.v[at++] = w.v[g * size + i];
                           }
                         return Naives{out};
                       };
                       return Problem{inputs, f, reference};
                     },
                     {.data = 0}});
  }
}

// TensorProduct.

struct ProductCase {
  const char* what;
  Irreps in1, in2, out;
  std::vector<Instruction> paths;
};

inline std::vector<ProductCase> product_cases() {
  return {{"uvw",
           "2x0e+2x1o",
           "2x1o+1x0e",
           "2x1o+3x0e",
           {{0, 0, 0, Mode::uvw}, {1, 1, 0, Mode::uvw, true, 2.0}, {1, 0, 1, Mode::uvw}}},
          {"uvu",
           "2x0e+2x1o",
           "2x1o+1x0e",
           "2x1o+2x0e",
           {{0, 0, 0, Mode::uvu}, {1, 1, 0, Mode::uvu}, {1, 0, 1, Mode::uvu, false, 0.5}}},
          {"uvv",
           "2x1o+1x0e",
           "2x0e+2x1o",
           "2x1o+2x0e",
           {{0, 0, 0, Mode::uvv}, {1, 1, 0, Mode::uvv}, {0, 1, 1, Mode::uvv, false, 0.5}}},
          {"uuw",
           "2x0e+2x1o",
           "2x0e+2x1o",
           "3x0e+1x0e",
           {{0, 0, 0, Mode::uuw}, {1, 1, 0, Mode::uuw}, {1, 1, 1, Mode::uuw, false}}},
          {"uuu",
           "2x0e+2x1o",
           "2x1o+2x1o",
           "2x1o+2x1e+2x0e",
           {{0, 0, 0, Mode::uuu}, {1, 1, 1, Mode::uuu, false}, {1, 1, 2, Mode::uuu}}},
          {"uvuv",
           "2x0e+2x1o",
           "2x1o+1x0e",
           "4x1o+2x1o+4x1e",
           {{0, 0, 0, Mode::uvuv}, {1, 1, 1, Mode::uvuv}, {1, 0, 2, Mode::uvuv, false}}},
          {"all modes",
           "2x0e+2x1o",
           "2x1o+2x0e",
           "2x1o+4x1o+2x0e",
           {{0, 0, 0, Mode::uvu},
            {1, 1, 0, Mode::uvv},
            {1, 1, 0, Mode::uvw},
            {0, 0, 1, Mode::uvuv},
            {1, 0, 2, Mode::uuu},
            {1, 0, 2, Mode::uuw}}}};
}

// Output channel, weight (of the path) and whether it exists, of channels u, v, w in a mode.
struct Coupled {
  bool exists;
  int64_t out, weight;
};
inline Coupled coupled(Mode mode, int64_t u, int64_t v, int64_t w, int64_t V, int64_t W) {
  switch (mode) {
    case Mode::uvw:
      return {true, w, (u * V + v) * W + w};
    case Mode::uvu:
      return {w == 0, u, u * V + v};
    case Mode::uvv:
      return {w == 0, v, u * V + v};
    case Mode::uuw:
      return {u == v, w, u * W + w};
    case Mode::uuu:
      return {u == v && w == 0, u, u};
    case Mode::uvuv:
      return {w == 0, u * V + v, u * V + v};
  }
  return {};
}

// The path's number of weights and of products in one element of its output.
inline std::pair<int64_t, int64_t> sizes_of(const ProductCase& c, const Instruction& p) {
  const int64_t U = c.in1[p.i_in1].mul, V = c.in2[p.i_in2].mul, W = c.out[p.i_out].mul;
  switch (p.mode) {
    case Mode::uvw:
      return {U * V * W, U * V};
    case Mode::uvu:
      return {U * V, V};
    case Mode::uvv:
      return {U * V, U};
    case Mode::uuw:
      return {U * W, U};
    case Mode::uuu:
      return {U, 1};
    case Mode::uvuv:
      return {U * V, 1};
  }
  return {};
}

// Component and element normalisation.
inline Naive naive_product(const ProductCase& c, const Naives& x) {
  Naive out(Shape{x[0].shape[0], c.out.dim()});
  int64_t first = 0;
  for (const Instruction& p : c.paths) {
    const Irrep a = c.in1[p.i_in1].ir, b = c.in2[p.i_in2].ir, d = c.out[p.i_out].ir;
    const int64_t V = c.in2[p.i_in2].mul, W = c.out[p.i_out].mul;
    double elements = 0;
    for (const Instruction& q : c.paths)
      if (q.i_out == p.i_out) elements += static_cast<double>(sizes_of(c, q).second);
    const double factor = std::sqrt(p.path_weight * d.dim() / elements);
    const std::vector<double>& cg = wigner_3j(a.l, b.l, d.l);
    each({x[0].shape[0], c.in1[p.i_in1].mul, V, W}, [&](const auto& k) {
      const Coupled to = coupled(p.mode, k[1], k[2], k[3], V, W);
      if (!to.exists) return;
      const double weight = p.has_weight ? x[2].at({k[0], first + to.weight}) : 1;
      each({a.dim(), b.dim(), d.dim()}, [&](const auto& m) {
        out.at(place(c.out, k[0], p.i_out, m[2], to.out)) +=
            factor * weight * cg[(m[0] * b.dim() + m[1]) * d.dim() + m[2]] *
            x[0].at(place(c.in1, k[0], p.i_in1, m[0], k[1])) *
            x[1].at(place(c.in2, k[0], p.i_in2, m[1], k[2]));
      });
    });
    if (p.has_weight) first += sizes_of(c, p).first;
  }
  return out;
}

inline void add_product(std::vector<OpCase>& table) {
  for (const ProductCase& c : product_cases())
    for (bool shared : {true, false}) {
      auto make = [=](Setup& s) {
        const TensorProduct product(c.in1, c.in2, c.out, c.paths, {.shared_weights = shared});
        const int64_t rows = shared ? 1 : s.rows;
        return Problem{{s.normal({s.rows, c.in1.dim()}), s.normal({s.rows, c.in2.dim()}),
                        s.normal({rows, product.weight_numel()})},
                       [=](const Tensors& x) { return Tensors{product(x[0], x[1], x[2])}; },
                       [=](const Naives& x) { return Naives{naive_product(c, x)}; }};
      };
      table.push_back({"TensorProduct", c.what, make, {.order = 3, .finite = "zero equal"}});
    }
}

}  // namespace casimir::test
