// The rows of the table for the functions of equivariant/ and for the losses.
#pragma once

#include "equivariant/contraction.h"
#include "equivariant/mixing.h"
#include "equivariant/potential.h"
#include "equivariant/radial.h"
#include "equivariant/spherical_harmonics.h"
#include "nn/losses.h"
#include "tests/op_cases.h"
#include "tests/op_cases_indexed.h"

namespace casimir::test {

// contract().

struct ContractCase {
  const char* what;
  std::vector<Operand> operands;
  std::vector<Term> terms;
};

// Two terms of three channels, and one term of two, over operands of each kind.
inline std::vector<ContractCase> contract_cases() {
  using Rows = Operand::Rows;
  const std::vector<Term> terms{
      {{0, 0, 3, 2}, 0.5, 3}, {{2, 1, 0, 4}, -1.5, 3}, {{4, 0, 1, 2}, 2.0, 2}};
  const Operand gathered{7, true, Rows::indexed, 0}, scalars{2, false, Rows::each, -1};
  return {
      {"gathered, summed by index",
       {gathered, scalars, {6, true, Rows::each, -1}, {8, true, Rows::indexed, 1}},
       terms},
      {"shared weights",
       {{7, true, Rows::each, -1}, scalars, {6, true, Rows::shared, -1}, {8, true, Rows::each, -1}},
       terms},
      {"to scalars, summed over all rows",
       {{7, true, Rows::each, -1},
        scalars,
        {6, true, Rows::each, -1},
        {5, false, Rows::shared, -1}},
       terms}};
}

// out[row, o + c] += coefficient * product of the inputs, term by term; `inputs` one per place.
inline Naive naive_contract(const ContractCase& c, const Naives& inputs,
                            const std::vector<Segments>& indices, int64_t rows) {
  const Operand& output = c.operands.back();
  auto row_of = [&](const Operand& o, int64_t e) -> int64_t {
    if (o.rows == Operand::Rows::shared) return 0;
    return o.rows == Operand::Rows::each ? e : indices[o.index][e];
  };
  int64_t out_rows = output.rows == Operand::Rows::shared ? 1 : rows;
  if (output.rows == Operand::Rows::indexed) out_rows = indices[output.index].targets();
  Naive out(Shape{out_rows, output.width});
  for (int64_t e = 0; e < rows; ++e)
    for (const Term& term : c.terms)
      for (int32_t channel = 0; channel < term.channels; ++channel) {
        auto place = [&](size_t i) { return term.at[i] + (c.operands[i].channels ? channel : 0); };
        double product = term.coefficient;
        for (size_t i = 0; i < inputs.size(); ++i)
          product *= inputs[i].at({row_of(c.operands[i], e), place(i)});
        out.at({row_of(output, e), place(inputs.size())}) += product;
      }
  return out;
}

inline void add_contract(std::vector<OpCase>& table) {
  const CaseOptions options{.order = 3, .finite = "zero equal"};
  for (const ContractCase& c : contract_cases())
    table.push_back(
        {"contract", c.what,
         [c](Setup& s) {
           const int64_t rows = s.rows;
           const std::vector<Segments> indices{s.segments(rows, 4), s.segments(rows, 3)};
           Tensors inputs;
           for (size_t i = 0; i + 1 < c.operands.size(); ++i) {
             const Operand& o = c.operands[i];
             int64_t size = o.rows == Operand::Rows::shared ? 1 : rows;
             if (o.rows == Operand::Rows::indexed) size = indices[o.index].targets();
             inputs.push_back(s.normal({size, o.width}));
           }
           return Problem{
               inputs,
               [=, plan = Plan(c.operands, c.terms)](const Tensors& x) {
                 return Tensors{contract(plan, x, indices, rows)};
               },
               [=](const Naives& x) { return Naives{naive_contract(c, x, indices, rows)}; }};
         },
         options});
  const ContractCase square{"a square times scalars",
                            {{7, true, Operand::Rows::each, -1},
                             {7, true, Operand::Rows::each, -1},
                             {2, false, Operand::Rows::each, -1},
                             {8, true, Operand::Rows::each, -1}},
                            {{{0, 3, 0, 2}, 0.5, 3}, {{3, 3, 1, 4}, -1.5, 3}}};
  CaseOptions power = options;
  power.speaks = "contract:";
  table.push_back({"contract_power", square.what,
                   [square](Setup& s) {
                     const int64_t rows = s.rows;
                     return Problem{
                         {s.normal({rows, 7}), s.normal({rows, 2})},
                         [=, plan = Plan(square.operands, square.terms)](const Tensors& x) {
                           return Tensors{contract_power(plan, 2, x[0], {x[1]}, {}, rows)};
                         },
                         [=](const Naives& x) {
                           return Naives{naive_contract(square, {x[0], x[0], x[1]}, {}, rows)};
                         }};
                   },
                   power});
}

// mix().

inline MixPlan small_mix_plan() {
  MixPlan plan;  // three inputs into one block, one with a factor of its own; then another block
  plan.instructions = {{0, 2, 0, 3, 3, 0, 0.5},
                       {6, 2, 0, 3, 3, 6, 0.5},
                       {12, 2, 0, 3, 3, 12, -0.25},
                       {18, 4, 9, 2, 1, 18, 2.0}};
  plan.width_in = 22;
  plan.width_out = 11;
  plan.weight_size = 26;
  return plan;
}

// f(input element, weight element, output element, factor) for every product of row n.
inline void each_mix(const MixPlan& plan,
                     const std::function<void(int64_t, int64_t, int64_t, double)>& f) {
  for (const MixInstruction& i : plan.instructions)
    for (int64_t m = 0; m < i.components; ++m)
      for (int64_t u = 0; u < i.mul_in; ++u)
        for (int64_t v = 0; v < i.mul_out; ++v)
          f(i.in + m * i.mul_in + u, i.weight + u * i.mul_out + v, i.out + m * i.mul_out + v,
            i.factor);
}

inline void add_mix(std::vector<OpCase>& table) {
  const MixPlan plan = small_mix_plan();
  for (bool grouped : {false, true}) {
    const char* what = grouped ? "a matrix per species" : "one matrix";
    CaseOptions options{.order = 3};
    if (!grouped) options.free = {{0}};
    auto species_of = [=](Setup& s) { return grouped ? s.segments(s.rows, 4) : Segments(); };
    auto group = [](const Segments& species, int64_t n) -> int64_t {
      return species.defined() ? species[n] : 0;
    };
    auto make_mix = [=](Setup& s) {
      const Segments species = species_of(s);
      return Problem{
          {s.normal({s.rows, plan.width_in}), s.normal({grouped ? 4 : 1, plan.weight_size})},
          [=](const Tensors& x) { return Tensors{mix(plan, x[0], x[1], species)}; },
          [=](const Naives& x) {
            Naive out(Shape{x[0].shape[0], 11});
            for (int64_t n = 0; n < x[0].shape[0]; ++n)
              each_mix(plan, [&](int64_t in, int64_t w, int64_t to, double factor) {
                out.at({n, to}) += factor * x[0].at({n, in}) * x[1].at({group(species, n), w});
              });
            return Naives{out};
          }};
    };
    table.push_back({"mix", what, make_mix, options});
    options.free = {};
    auto make_outer = [=](Setup& s) {
      const Segments species = species_of(s);
      return Problem{
          {s.normal({s.rows, plan.width_in}), s.normal({s.rows, 11})},
          [=](const Tensors& x) { return Tensors{mix_outer(plan, x[0], x[1], species)}; },
          [=](const Naives& x) {
            Naive out(Shape{grouped ? 4 : 1, plan.weight_size});
            for (int64_t n = 0; n < x[0].shape[0]; ++n)
              each_mix(plan, [&](int64_t in, int64_t w, int64_t to, double factor) {
                out.at({group(species, n), w}) += factor * x[0].at({n, in}) * x[1].at({n, to});
              });
            return Naives{out};
          }};
    };
    table.push_back({"mix_outer", what, make_outer, options});
  }
}

// Functions of edges.

// e3nn's harmonics to l = 2 in closed form, component normalisation, of any vector.
inline std::vector<double> solid_harmonics_2(double x, double y, double z) {
  const double s3 = std::sqrt(3.0), s5 = std::sqrt(5.0), s15 = std::sqrt(15.0);
  return {1,
          s3 * x,
          s3 * y,
          s3 * z,
          s15 * x * z,
          s15 * x * y,
          s5 * (y * y - (x * x + z * z) / 2),
          s15 * y * z,
          s15 / 2 * (z * z - x * x)};
}

inline void add_edges(std::vector<OpCase>& table) {
  for (auto [normalize, composite] :
       {std::pair{true, false}, std::pair{false, false}, std::pair{true, true}})
    table.push_back(
        {composite ? "spherical_harmonics_composite" : "spherical_harmonics",
         normalize ? "of directions" : "of vectors",
         [=](Setup& s) {
           auto reference = [=](const Naives& v) {
             Naive out(Shape{v[0].shape[0], 9});
             for (int64_t n = 0; n < v[0].shape[0]; ++n) {
               const double x = v[0].at({n, 0}), y = v[0].at({n, 1}), z = v[0].at({n, 2});
               const double r = normalize ? std::hypot(x, y, z) : 1;
               const std::vector<double> values = solid_harmonics_2(x / r, y / r, z / r);
               for (int64_t i = 0; i < 9; ++i) out.at({n, i}) = values[i];
             }
             return Naives{out};
           };
           return Problem{{s.kinked({s.rows, 3})},
                          [=](const Tensors& x) {
                            return Tensors{composite ? spherical_harmonics_composite(x[0], 2)
                                                     : spherical_harmonics(x[0], 2, normalize)};
                          },
                          reference};
         },
         {.order = 3,
          .free = {{0}},
          .finite = normalize ? "zero equal" : "zero huge equal",
          .speaks = "spherical_harmonics:"}});
  auto lengths = [](Setup& s) { return s.uniform({s.rows}, 0.5, 4); };
  table.push_back({"bessel_basis",
                   "",
                   [=](Setup& s) {
                     return Problem{
                         {lengths(s)},
                         [](const Tensors& x) { return Tensors{bessel_basis(x[0], 5, 4)}; },
                         [](const Naives& x) {
                           Naive out(Shape{x[0].shape[0], 4});
                           each(out.shape, [&](const auto& i) {
                             const double r = x[0].at({i[0]});
                             const double k = static_cast<double>(i[1] + 1) * std::acos(-1.0) / 5;
                             out.at(i) = std::sqrt(2.0 / 5) * std::sin(k * r) / r;
                           });
                           return Naives{out};
                         }};
                   },
                   {.order = 3, .free = {{0}}, .finite = "zero equal"}});
  table.push_back({"polynomial_cutoff",
                   "",
                   [=](Setup& s) {
                     return Problem{
                         {lengths(s)},
                         [](const Tensors& x) { return Tensors{polynomial_cutoff(x[0], 5, 6)}; },
                         [](const Naives& x) {
                           return Naives{naive_map(x[0], [](double r) {
                             const double u = r / 5, u6 = std::pow(u, 6);
                             return 1 - 28 * u6 + 48 * u6 * u - 21 * u6 * u * u;
                           })};
                         }};
                   },
                   {.order = 3, .free = {{0}}}});
  table.push_back({"displaced_vectors",
                   "",
                   [](Setup& s) {
                     Graph graph;
                     graph.sender = s.segments(s.rows, 4);
                     graph.receiver = s.segments(s.rows, 4);
                     return Problem{{s.normal({4, 3}), s.normal({s.rows, 3})},
                                    [=](const Tensors& x) {
                                      Graph moved = graph;
                                      moved.edge_vectors = x[1];
                                      return Tensors{displaced_vectors(moved, x[0])};
                                    },
                                    [=](const Naives& x) {
                                      Naive out = x[1];
                                      each(out.shape, [&](const auto& i) {
                                        out.at(i) += x[0].at({graph.receiver[i[0]], i[1]}) -
                                                     x[0].at({graph.sender[i[0]], i[1]});
                                      });
                                      return Naives{out};
                                    }};
                   },
                   {.speaks = "gather: sub: add:", .data = 1}});
}

inline void add_losses(std::vector<OpCase>& table) {
  auto square = [](double x) { return x * x; };
  auto magnitude = [](double x) { return std::abs(x); };
  auto huber = [](double x) {
    const double size = std::abs(x);
    return size <= 1.2 ? x * x / 2 : 1.2 * (size - 0.6);
  };
  // Both sides of delta = 1.2, and away from it.
  const Draw kinked = [](Setup& s, Shape shape) {
    return s.fill(shape, [&] {
      const double size = s.random.below(2) ? s.random.uniform(0.4, 1.1) : s.random.uniform(1.3, 2);
      return s.random.below(2) ? size : -size;
    });
  };
  auto add = [&](const char* op, const char* what, std::function<Tensor(const Tensor&)> f,
                 Scalar reference, std::string speaks) {
    table.push_back(unary(op, what, f, reference, kinked, {.speaks = std::move(speaks)}));
  };
  add("mse_of", "", mse_of, square, "square:");
  add("mae_of", "", mae_of, magnitude, "abs:");
  add(
      "huber_of", "", [](const Tensor& x) { return huber_of(x, 1.2); }, huber, "abs:");
  for (const auto& [kind, reference, speaks] :
       {std::tuple<const char*, Scalar, const char*>{"mse", square, "square:"},
        {"mae", magnitude, "abs:"},
        {"huber", huber, "abs:"}})
    add(
        "loss_of", kind, [kind = kind](const Tensor& x) { return loss_of(kind, x, 1.2); },
        reference, speaks);
}

}  // namespace casimir::test
