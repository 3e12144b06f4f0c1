// Tensor products: equivariance, agreement of their plans, errors. Values and derivatives are rows
// of the table of ops; e3nn's are in e3nn_layers_test.cpp.
#include "equivariant/tensor_product.h"

#include <doctest/doctest.h>

#include "tests/layer_values.h"
#include "tests/message_of.h"
#include "tests/op_cases_layers.h"

using namespace casimir;
using namespace casimir::test;

TEST_CASE("tensor product: equivariant in every mode, to rotations and inversion") {
  for (const ProductCase& c : product_cases())
    for (bool shared : {true, false}) {
      INFO(c.what);
      TensorProduct product(c.in1, c.in2, c.out, c.paths, {.shared_weights = shared});
      const Tensor w = random_tensor({shared ? 1 : 4, product.weight_numel()}, 3);
      check_equivariant({c.in1, c.in2}, c.out,
                        [&](const Tensors& x) { return product(x[0], x[1], w); });
    }
  for (const TensorProduct& product : {full_tensor_product("2x0e+1x6o", "2x1o+1x3e"),
                                       elementwise_tensor_product("2x0e+1x6o", "2x1o+1x5e"),
                                       full_tensor_product("2x1o", "1x1e+1x2o", {{1, 1}, {0, -1}})})
    check_equivariant({product.irreps_in1(), product.irreps_in2()}, product.irreps_out(),
                      [&](const Tensors& x) { return product(x[0], x[1]); });
}

TEST_CASE("tensor product: shared weights are a row of weights that repeats") {
  for (const ProductCase& c : product_cases()) {
    INFO(c.what);
    TensorProduct shared(c.in1, c.in2, c.out, c.paths),
        each(c.in1, c.in2, c.out, c.paths, {.shared_weights = false});
    const Tensor x1 = random_tensor({4, c.in1.dim()}, 1), x2 = random_tensor({4, c.in2.dim()}, 2);
    const Tensor w = random_tensor({1, shared.weight_numel()}, 3);
    CHECK(difference(each(x1, x2, expand(w, {4, w.dim(1)})), shared(x1, x2, w)) < 1e-14);
  }
}

TEST_CASE("tensor product: blocks without channels and products without paths") {
  TensorProduct empty("2x1o+0x0e", "1x1o", "2x1o+3x0e",
                      {{1, 0, 0, Mode::uvw}, {0, 0, 1, Mode::uvw}});
  CHECK(empty.weight_numel() == 6);
  const Tensor x = random_tensor({2, 6}, 1), y = random_tensor({2, 3}, 2);
  const Tensor out = empty(x, y, random_tensor({1, 6}, 3));
  CHECK(out.shape() == Shape{2, 9});
  CHECK(difference(slice(out, 1, 0, 6), Tensor::zeros({2, 6}, DType::f64)) == 0);
  TensorProduct none("2x1o", "1x1o", "2x1o", {});
  CHECK(difference(none(x, y), Tensor::zeros({2, 6}, DType::f64)) == 0);
}

TEST_CASE("tensor product: wrong paths are errors") {
  auto message = [](const Irreps& in1, const Irreps& in2, const Irreps& out, Instruction path) {
    return message_of<ShapeError>([&] { TensorProduct(in1, in2, out, {path}); });
  };
  CHECK(message("1x1o", "1x1o", "1x1o", {0, 0, 0, Mode::uuu}) ==
        "TensorProduct: 1o x 1o does not contain 1o");
  CHECK(message("1x0e", "1x1o", "1x2o", {0, 0, 0, Mode::uuu}) ==
        "TensorProduct: 0e x 1o does not contain 2o");
  CHECK(message("1x1o", "1x1o", "1x1e", {0, 1, 0, Mode::uuu}) ==
        "TensorProduct: no path 0, 1 -> 0 in 1x1o x 1x1o -> 1x1e");
  CHECK(message("2x0e", "3x0e", "4x0e", {0, 0, 0, Mode::uvw, false}) ==
        "TensorProduct: uvw needs weights, found u = 2, v = 3, w = 4");
  CHECK(message("2x0e", "3x0e", "4x0e", {0, 0, 0, Mode::uvu}) ==
        "TensorProduct: uvu needs w = u, found u = 2, v = 3, w = 4");
  CHECK(message("2x0e", "3x0e", "4x0e", {0, 0, 0, Mode::uvv}) ==
        "TensorProduct: uvv needs w = v, found u = 2, v = 3, w = 4");
  CHECK(message("2x0e", "3x0e", "4x0e", {0, 0, 0, Mode::uuw}) ==
        "TensorProduct: uuw needs v = u, found u = 2, v = 3, w = 4");
  CHECK(message("2x0e", "2x0e", "4x0e", {0, 0, 0, Mode::uuw, false}) ==
        "TensorProduct: uuw without weights needs w = 1, found u = 2, v = 2, w = 4");
  CHECK(message("2x0e", "3x0e", "4x0e", {0, 0, 0, Mode::uuu}) ==
        "TensorProduct: uuu needs u = v = w, found u = 2, v = 3, w = 4");
  CHECK(message("2x0e", "3x0e", "4x0e", {0, 0, 0, Mode::uvuv}) ==
        "TensorProduct: uvuv needs w = u v, found u = 2, v = 3, w = 4");
  CHECK(message_of<ShapeError>([] { elementwise_tensor_product("2x0e+1x1o", "3x0e"); }) ==
        "elementwise_tensor_product: 2x0e+1x1o and 3x0e have different numbers of blocks");
}
