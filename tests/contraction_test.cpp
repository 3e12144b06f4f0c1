// contract() and mix(), against naive sums and each other.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "core/parallel.h"
#include "core/random.h"
#include "equivariant/contraction.h"
#include "equivariant/mixing.h"
#include "equivariant/symmetric_basis.h"
#include "tests/tensors.h"

using namespace casimir;
using namespace casimir::test;
using Rows = Operand::Rows;

namespace {

Segments random_segments(int64_t size, int64_t targets, uint64_t seed) {
  Random random(seed);
  std::vector<int32_t> index(size);
  for (int32_t& i : index) i = static_cast<int32_t>(random.below(targets));
  return Segments(std::move(index), targets);
}

struct Problem {
  std::vector<Operand> operands;
  std::vector<Term> terms;
  std::vector<Segments> indices;
  int64_t rows;
};

// out[row, o + c] += coefficient * product of inputs, term by term.
Tensor naive(const Problem& p, const Tensors& inputs) {
  const Operand& output = p.operands.back();
  auto row_of = [&](const Operand& o, int64_t e) -> int64_t {
    return o.rows == Rows::shared ? 0 : o.rows == Rows::each ? e : p.indices[o.index][e];
  };
  int64_t out_rows = output.rows == Rows::shared ? 1
                     : output.rows == Rows::each ? p.rows
                                                 : p.indices[output.index].targets();
  std::vector<double> out(out_rows * output.width, 0.0);
  for (int64_t e = 0; e < p.rows; ++e)
    for (const Term& term : p.terms)
      for (int c = 0; c < term.channels; ++c) {
        double product = term.coefficient;
        for (size_t i = 0; i < inputs.size(); ++i)
          product *=
              inputs[i].array().values<double>()[row_of(p.operands[i], e) * p.operands[i].width +
                                                 term.at[i] + (p.operands[i].channels ? c : 0)];
        out[row_of(output, e) * output.width + term.at.back() + (output.channels ? c : 0)] +=
            product;
      }
  return Tensor::from(out, {out_rows, output.width});
}

// Random terms over random operands; two channel counts.
Problem random_problem(std::vector<Operand> operands, int64_t rows, int64_t terms, uint64_t seed) {
  Problem p{std::move(operands),
            {},
            {random_segments(rows, 7, seed), random_segments(rows, 3, seed + 1)},
            rows};
  Random random(seed + 2);
  bool any_channels = std::any_of(p.operands.begin(), p.operands.end(),
                                  [](const Operand& o) { return o.channels; });
  for (int64_t t = 0; t < terms; ++t) {
    Term term;
    term.coefficient = random.normal();
    term.channels = !any_channels ? 1 : t % 2 ? 21 : 5;
    for (const Operand& o : p.operands)
      term.at.push_back(
          static_cast<int32_t>(random.below(o.width - (o.channels ? term.channels : 1) + 1)));
    p.terms.push_back(term);
  }
  return p;
}

Tensors inputs_of(const Problem& p, uint64_t seed) {
  Tensors inputs;
  for (size_t i = 0; i + 1 < p.operands.size(); ++i) {
    const Operand& o = p.operands[i];
    int64_t rows = o.rows == Rows::shared ? 1
                   : o.rows == Rows::each ? p.rows
                                          : p.indices[o.index].targets();
    inputs.push_back(random_tensor({rows, o.width}, seed + i));
  }
  return inputs;
}

std::vector<Problem> problems() {
  return {
      // message passing: gather, scalars, weights, sum by receiver
      random_problem({{90, true, Rows::indexed, 0},
                      {9, false, Rows::each, -1},
                      {60, true, Rows::each, -1},
                      {100, true, Rows::indexed, 1}},
                     150, 40, 1),
      // symmetric product with coefficients by index
      random_problem({{60, true, Rows::each, -1},
                      {60, true, Rows::each, -1},
                      {60, true, Rows::each, -1},
                      {80, true, Rows::indexed, 1},
                      {70, true, Rows::each, -1}},
                     20, 30, 2),
      // shared input, scalar output, two scalar inputs
      random_problem({{40, true, Rows::shared, -1},
                      {6, false, Rows::each, -1},
                      {5, false, Rows::indexed, 0},
                      {40, true, Rows::each, -1},
                      {8, false, Rows::each, -1}},
                     30, 25, 3),
      // scalars only, summed over all rows
      random_problem(
          {{6, false, Rows::each, -1}, {5, false, Rows::each, -1}, {9, false, Rows::shared, -1}},
          200, 20, 4),
      // a channel output without channel inputs
      random_problem({{6, false, Rows::each, -1}, {50, true, Rows::indexed, 0}}, 40, 10, 5),
  };
}

}  // namespace

TEST_CASE("contract: equals the naive sum, for every choice of the output") {
  for (const Problem& p : problems()) {
    Plan plan(p.operands, p.terms);
    Tensors in = inputs_of(p, 10);
    CHECK(difference(contract(plan, in, p.indices, p.rows), naive(p, in)) < 1e-13);
    for (size_t a = 0; a < in.size(); ++a) {
      Problem swapped = p;
      std::swap(swapped.operands[a], swapped.operands.back());
      for (Term& term : swapped.terms) std::swap(term.at[a], term.at.back());
      Tensors other = inputs_of(swapped, 20);
      CHECK(difference(contract(plan.with_output(a), other, p.indices, p.rows),
                       naive(swapped, other)) < 1e-13);
    }
  }
}

TEST_CASE("contract: derivatives to order three") {
  for (const Problem& p : problems()) {
    Plan plan(p.operands, p.terms);
    auto f = [&](const Tensors& in) { return Tensors{contract(plan, in, p.indices, p.rows)}; };
    CHECK(gradcheck(f, inputs_of(p, 30), {.order = 3}) < 1e-6);
  }
}

TEST_CASE("contract: one tensor in several places, derivatives to order three") {
  Problem p = random_problem({{60, true, Rows::each, -1},
                              {60, true, Rows::each, -1},
                              {60, true, Rows::each, -1},
                              {80, true, Rows::indexed, 1},
                              {70, true, Rows::each, -1}},
                             6, 30, 2);
  Plan plan(p.operands, p.terms);
  auto f = [&](const Tensors& in) {
    return Tensors{contract(plan, {in[0], in[0], in[0], in[1]}, p.indices, p.rows)};
  };
  CHECK(gradcheck(f, {random_tensor({6, 60}, 1), random_tensor({3, 80}, 2)}, {.order = 3}) < 1e-6);
}

TEST_CASE(
    "contract: same bits for any number of threads, no use of what was not written, f32 near f64") {
  for (const Problem& p : problems()) {
    Plan plan(p.operands, p.terms);
    Tensors in = inputs_of(p, 40), single;
    for (const Tensor& t : in) single.push_back(Tensor(t.array().cast(DType::f32)));
    set_num_threads(1);
    std::vector<double> expected =
        contract(plan, in, p.indices, p.rows).array().to_vector<double>();
    for (int threads : {2, 3, 8}) {
      set_num_threads(threads);
      CHECK(contract(plan, in, p.indices, p.rows).array().to_vector<double>() == expected);
    }
    set_num_threads(0);
    set_poison(true);
    CHECK(contract(plan, in, p.indices, p.rows).array().to_vector<double>() == expected);
    set_poison(false);
    CHECK(difference(contract(plan, single, p.indices, p.rows),
                     contract(plan, in, p.indices, p.rows)) < 1e-5);
  }
}

TEST_CASE("contract: wrong inputs are errors that start with its name") {
  Problem p = problems()[0];
  Plan plan(p.operands, p.terms);
  Tensors in = inputs_of(p, 50);
  auto message = [&](Tensors inputs) {
    try {
      contract(plan, inputs, p.indices, p.rows);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK(message({in[0], in[1]}) == "contract: 2 inputs for a plan of 3");
  CHECK(message({in[1], in[1], in[2]}) ==
        "contract: input 0: expected 7 rows of 90, found [150, 9]");
  CHECK(message({in[0], Tensor(in[1].array().cast(DType::f32)), in[2]}) ==
        "contract: input 1 is f32 on cpu, input 0 f64 on cpu");
}

namespace {
MixPlan some_mix_plan() {
  // two inputs into one block, a block of its own, and an output that nothing reaches
  MixPlan plan;
  plan.instructions = {
      {0, 4, 0, 6, 3, 0, 0.5}, {12, 4, 0, 6, 3, 24, 0.5}, {24, 5, 18, 2, 1, 48, 2.0}};
  plan.width_in = 29;
  plan.width_out = 24;
  plan.weight_size = 58;
  return plan;
}

Tensor naive_mix(const MixPlan& plan, const Tensor& x, const Tensor& w, const Segments& species) {
  std::vector<double> out(x.dim(0) * plan.width_out, 0.0);
  auto xs = x.array().values<double>(), ws = w.array().values<double>();
  for (int64_t n = 0; n < x.dim(0); ++n)
    for (const MixInstruction& i : plan.instructions)
      for (int64_t m = 0; m < i.components; ++m)
        for (int64_t u = 0; u < i.mul_in; ++u)
          for (int64_t v = 0; v < i.mul_out; ++v)
            out[n * plan.width_out + i.out + m * i.mul_out + v] +=
                i.factor * xs[n * plan.width_in + i.in + m * i.mul_in + u] *
                ws[(species.defined() ? species[n] : 0) * plan.weight_size + i.weight +
                   u * i.mul_out + v];
  return Tensor::from(out, {x.dim(0), plan.width_out});
}
}  // namespace

TEST_CASE(
    "mix: equals the naive sum, with and without species; derivatives to order three; threads; "
    "poison") {
  MixPlan plan = some_mix_plan();
  for (bool by_species : {false, true}) {
    const int64_t rows = 150, groups = by_species ? 4 : 1;
    Segments species = by_species ? random_segments(rows, groups, 5) : Segments();
    Tensor x = random_tensor({rows, plan.width_in}, 1),
           w = random_tensor({groups, plan.weight_size}, 2);
    set_poison(true);
    Tensor y = mix(plan, x, w, species);
    CHECK(difference(y, naive_mix(plan, x, w, species)) < 1e-13);
    Tensor outer = mix_outer(plan, x, y, species);
    set_poison(false);
    for (int threads : {1, 3}) {
      set_num_threads(threads);
      CHECK(mix(plan, x, w, species).array().to_vector<double>() == y.array().to_vector<double>());
      CHECK(mix_outer(plan, x, y, species).array().to_vector<double>() ==
            outer.array().to_vector<double>());
    }
    set_num_threads(0);
    auto f = [&](const Tensors& in) { return Tensors{mix(plan, in[0], in[1], species)}; };
    CHECK(gradcheck(f, {x, w}, {.order = 3}) < 1e-6);
    auto g = [&](const Tensors& in) { return Tensors{mix_outer(plan, in[0], in[1], species)}; };
    CHECK(gradcheck(g, {x, y}, {.order = 3}) < 1e-6);
  }
}

TEST_CASE("symmetric basis: numbers of paths are mace-torch's") {
  // U_matrix_real of mace-torch 0.3.16, l_max 3: K for L = 0, 1, 2 (also performance notes of the
  // paper's tables)
  const int64_t expected[3][3] = {{1, 1, 1}, {4, 6, 7}, {23, 51, 65}};
  for (int nu = 1; nu <= 3; ++nu)
    for (int l = 0; l <= 2; ++l) CHECK(symmetric_basis(3, nu, l).paths == expected[nu - 1][l]);
}
