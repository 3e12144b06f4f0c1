#include "equivariant/irreps.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace casimir;

namespace {

std::string message_of(const std::string& text) {
  try {
    Irreps::parse(text);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("irreps: text is read and written") {
  CHECK(Irreps("32x0e+16x1o").text() == "32x0e+16x1o");
  CHECK(Irreps(" 3x1o + 2e ").text() == "3x1o+1x2e");
  CHECK(Irreps("0x0e").text() == "0x0e");
  CHECK(Irreps("").size() == 0);
  CHECK(Irreps("").text().empty());
  CHECK(Irreps("128x0e+64x11o")[1] == MulIrrep{64, {11, -1}});
  CHECK(Irrep::parse("1o") == Irrep{1, -1});
  CHECK(Irrep::parse(" 10e ").text() == "10e");
}

TEST_CASE("irreps: a wrong text names the fault and the place") {
  CHECK(message_of("64x0e+64x1q") == "cannot read '64x0e+64x1q': parity must be e or o, at 'q'");
  CHECK(message_of("64x1q+1e") == "cannot read '64x1q+1e': parity must be e or o, at 'q'");
  CHECK(message_of("3x0") == "cannot read '3x0': parity must be e or o, at the end");
  CHECK(message_of("3*0e") == "cannot read '3*0e': parity must be e or o, at '*0e'");
  CHECK(message_of("x0e") == "cannot read 'x0e': expected an irrep such as 1o or 32x1o, at 'x0e'");
  CHECK(message_of("1o+") ==
        "cannot read '1o+': expected an irrep such as 1o or 32x1o, at the end");
  CHECK(message_of("1o++0e") ==
        "cannot read '1o++0e': expected an irrep such as 1o or 32x1o, at '+0e'");
  CHECK(message_of("-1x0e") ==
        "cannot read '-1x0e': expected an irrep such as 1o or 32x1o, at '-1x0e'");
  CHECK(message_of("3x1o 2e") == "cannot read '3x1o 2e': expected +, at '2e'");
  CHECK(message_of("1oo") == "cannot read '1oo': expected +, at 'o'");
  CHECK(message_of("99999999999999999999x0e") ==
        "cannot read '99999999999999999999x0e': numbers are at most 1000000, at "
        "'99999999999999999999x0e'");
  CHECK_THROWS_WITH_AS(Irrep::parse("1q"), "cannot read '1q': parity must be e or o, at 'q'",
                       ConfigError);
  CHECK_THROWS_WITH_AS(Irrep::parse("2x1o"), "cannot read '2x1o': expected one irrep such as 1o",
                       ConfigError);
  CHECK_THROWS_WITH_AS(Irrep::parse("1o+0e"), "cannot read '1o+0e': expected one irrep such as 1o",
                       ConfigError);
}

TEST_CASE("irreps: sizes") {
  Irreps irreps("4x0e+3x1o+2x2e+1o");
  CHECK(irreps.dim() == 4 + 9 + 10 + 3);
  CHECK(irreps.num_irreps() == 10);
  CHECK(irreps.l_max() == 2);
  CHECK(irreps.count({1, -1}) == 4);
  CHECK(irreps.count({1, 1}) == 0);
  CHECK(irreps.offsets() == std::vector<int64_t>{0, 4, 13, 23, 26});
  CHECK(irreps.uniform_mul() == 0);
  CHECK(Irreps("8x0e+8x1o").uniform_mul() == 8);
  CHECK(Irreps().uniform_mul() == 0);
  CHECK(Irreps("1x0e+0x3o").l_max() == 0);
  CHECK_THROWS_WITH_AS(Irreps("0x3o").l_max(), "irreps: '0x3o' has no l_max: it is empty",
                       ShapeError);
  CHECK(Irreps::spherical_harmonics(3).text() == "1x0e+1x1o+1x2e+1x3o");
  CHECK(Irreps::spherical_harmonics(2, 1).text() == "1x0e+1x1e+1x2e");
}

// The expected orders are those printed by e3nn 0.4.4.
TEST_CASE("irreps: order, product, sort, simplify, filter as in e3nn") {
  std::vector<Irrep> all;
  for (int l = 2; l >= 0; --l)
    for (int p : {1, -1}) all.push_back({l, p});
  std::sort(all.begin(), all.end());
  std::string text;
  for (const Irrep& ir : all) text += ir.text() + " ";
  CHECK(text == "0o 0e 1o 1e 2o 2e ");

  CHECK(Irrep{1, -1} * Irrep{2, 1} == std::vector<Irrep>{{1, -1}, {2, -1}, {3, -1}});

  Irreps::Sorted sorted = Irreps("1o+0e+2x1e+0o+1o").sort();
  CHECK(sorted.irreps.text() == "1x0o+1x0e+1x1o+1x1o+2x1e");
  CHECK(sorted.p == std::vector<int>{2, 1, 4, 0, 3});
  CHECK(sorted.inv == std::vector<int>{3, 1, 0, 4, 2});

  CHECK(Irreps("1o+0x2e+2x1o+0e+0x0e+1o").simplify().text() == "3x1o+1x0e+1x1o");
  CHECK(Irreps("4x0e+3x1o+2x2e").filter({{0, 1}, {2, 1}}).text() == "4x0e+2x2e");
}

TEST_CASE("irreps: conversion between mul_ir and ir_mul") {
  Irreps irreps("2x1o+3x0e+0x2e+2x2e");  // 6 + 3 + 10
  std::vector<double> values(2 * 19);
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<double>(i);
  Array x = Array::from(values, {2, 19});
  std::vector<double> y = from_mul_ir(x, irreps).to_vector<double>();
  // Row 1 of e3nn starts at 19: [mul][component] of the two vectors are 19 20 21 | 22 23 24.
  CHECK(std::vector<double>(y.begin() + 19, y.begin() + 30) ==
        std::vector<double>{19, 22, 20, 23, 21, 24, 25, 26, 27, 28, 33});
  CHECK(to_mul_ir(from_mul_ir(x, irreps), irreps).to_vector<double>() == values);
  Array single = x.cast(DType::f32);
  CHECK(from_mul_ir(single, irreps).cast(DType::f64).to_vector<double>() == y);
  CHECK(from_mul_ir(Array({0, 19}, DType::f32), irreps).shape() == Shape{0, 19});
  CHECK_THROWS_WITH_AS(from_mul_ir(Array({2, 18}, DType::f32), irreps),
                       "from_mul_ir: expected [rows, 19] for 2x1o+3x0e+0x2e+2x2e, found [2, 18]",
                       ShapeError);
}
