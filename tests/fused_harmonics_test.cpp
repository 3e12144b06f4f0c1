// The kernels of the spherical harmonics against their definition by ops, and contract()'s blocks
// of rows, which carry their higher derivatives.
#include <doctest/doctest.h>

#include "equivariant/contraction.h"
#include "equivariant/spherical_harmonics.h"
#include "tests/fused_check.h"

using namespace casimir;
using namespace casimir::test;

namespace {

Composite harmonics(int l_max, Normalization normalization = Normalization::component) {
  return [=](const Tensors& x) {
    return Tensors{spherical_harmonics(x[0], l_max, true, normalization)};
  };
}
Composite definition(int l_max, Normalization normalization = Normalization::component) {
  return [=](const Tensors& x) {
    return Tensors{spherical_harmonics_composite(x[0], l_max, normalization)};
  };
}

// Vectors with lengths between 1 and 2, so that derivatives of order 3 keep their digits in f32.
Tensor some_vectors(int64_t rows, DType dtype) {
  Random random(11);
  std::vector<double> x(3 * rows);
  for (int64_t e = 0; e < rows; ++e) {
    double square = 0, length = random.uniform(1, 2);
    for (int i = 0; i < 3; ++i) square += std::pow(x[3 * e + i] = random.normal(), 2);
    for (int i = 0; i < 3; ++i) x[3 * e + i] *= length / std::sqrt(square);
  }
  return Tensor(Array::from(x, {rows, 3}).cast(dtype));
}

// x [rows, 7], y [rows, 18], z [rows, 1] -> [rows, 6]; number 3 of the output has no term, one term
// is there twice.
const std::vector<int64_t> widths{7, 18, 1, 6};
std::vector<Term> some_terms() {
  std::vector<Term> terms;
  Random random(12);
  for (int t = 0; t < 25; ++t) {
    const int32_t out = static_cast<int32_t>(random.below(5));
    terms.push_back({{static_cast<int32_t>(random.below(7)), static_cast<int32_t>(random.below(18)),
                      0, out < 3 ? out : out + 1},
                     random.normal()});
  }
  terms.push_back(terms.front());
  return terms;
}
Plan some_plan() {
  std::vector<Operand> operands;
  for (int64_t width : widths) operands.push_back({.width = width, .channels = false});
  return Plan(operands, some_terms());
}
Tensors some_operands(int64_t rows, DType dtype) {
  Tensors all;
  for (size_t i = 0; i < 3; ++i) all.push_back(random_tensor({rows, widths[i]}, i + 1, dtype));
  return all;
}

std::vector<double> values(const Tensor& x) {
  return x.array().cast(DType::f64).to_vector<double>();
}

}  // namespace

TEST_CASE("fused harmonics: their definition's values and gradients of orders 1 to 3") {
  for (Normalization normalization :
       {Normalization::component, Normalization::norm, Normalization::integral})
    for (int l_max : {1, 2, 3, 4, 11})
      for (int64_t rows : {1, 21}) {
        INFO("l_max ", l_max, ", rows ", rows);
        check_equal(harmonics(l_max, normalization), definition(l_max, normalization),
                    {some_vectors(rows, DType::f64)}, {0}, 1e-12);
        check_equal(harmonics(l_max, normalization), definition(l_max, normalization),
                    {some_vectors(rows, DType::f32)}, {0}, 1e-4);
      }
}

TEST_CASE("fused harmonics: gradients in f32 are those in f64") {
  for (int l_max : {1, 3, 5}) {
    Tensors narrow{some_vectors(40, DType::f32)};
    Tensors wide{Tensor(narrow[0].array().cast(DType::f64))};
    Tensors a = through_orders(harmonics(l_max), narrow, {0}, 2);
    Tensors b = through_orders(harmonics(l_max), wide, {0}, 2);
    for (size_t i = 0; i < a.size(); ++i) CHECK(difference(a[i], b[i]) < 1e-5);
  }
}

TEST_CASE("fused harmonics: same bits for any number of threads, and with poisoned memory") {
  check_bits(harmonics(3), {some_vectors(9001, DType::f32)}, {0});
  check_bits(harmonics(6), {some_vectors(2503, DType::f64)}, {0});
}

TEST_CASE("fused harmonics: a zero vector changes no other row and has derivatives 0") {
  for (DType dtype : {DType::f64, DType::f32}) {
    std::vector<double> x = values(some_vectors(19, dtype));
    std::fill_n(&x[3 * 5], 3, 0.0);
    Tensors with_zero{Tensor(Array::from(x, {19, 3}).cast(dtype))};
    check_equal(harmonics(3), definition(3), with_zero, {0}, dtype == DType::f64 ? 1e-12 : 1e-4);
    Tensors all = through_orders(harmonics(3), with_zero, {0}, 3);
    for (size_t order = 1; order < all.size(); ++order)
      for (int i = 0; i < 3; ++i) CHECK(values(all[order])[3 * 5 + i] == 0);
    CHECK(values(all[0])[16 * 5] == 1);
    for (int i = 1; i < 16; ++i) CHECK(values(all[0])[16 * 5 + i] == 0);
  }
}

TEST_CASE("contract: plans without channels sum their terms, for any number of rows") {
  const std::vector<Term> terms = some_terms();
  for (int64_t rows : {0, 1, 3, 8, 31, 32, 33, 100}) {
    Tensors in = some_operands(rows, DType::f64);
    std::vector<double> x = values(in[0]), y = values(in[1]), z = values(in[2]);
    std::vector<double> expected(6 * rows);
    for (int64_t e = 0; e < rows; ++e)
      for (const Term& term : terms)
        expected[6 * e + term.at[3]] +=
            term.coefficient * x[7 * e + term.at[0]] * y[18 * e + term.at[1]] * z[e];
    for (DType dtype : {DType::f64, DType::f32}) {
      Tensor out = contract(some_plan(), some_operands(rows, dtype), {}, rows);
      CHECK(out.dtype() == dtype);
      CHECK(difference(out, Tensor::from(expected, {rows, 6})) <
            (dtype == DType::f64 ? 1e-14 : 1e-5));
    }
  }
}

TEST_CASE("contract: without channels a row has the same bits anywhere, always") {
  Composite f = [](const Tensors& t) { return Tensors{contract(some_plan(), t, {}, t[0].dim(0))}; };
  constexpr int64_t rows = 12007;  // several chunks
  Tensors in = some_operands(rows, DType::f32);
  check_bits(f, in, {0, 1, 2});
  const std::vector<double> all = values(f(in)[0]);
  for (int64_t first : {1, 5, 8000}) {
    Tensors cut;
    for (size_t i = 0; i < 3; ++i) {
      std::vector<double> v = values(in[i]);
      v.erase(v.begin(), v.begin() + first * widths[i]);
      cut.push_back(Tensor(Array::from(v, {rows - first, widths[i]}).cast(DType::f32)));
    }
    const std::vector<double> part = values(f(cut)[0]);
    CHECK(std::equal(part.begin(), part.end(), all.begin() + 6 * first));
  }
}
