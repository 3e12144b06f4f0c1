// Linear, norms, batch normalisation and spherical grids: equivariance and state. Values and
// derivatives are rows of the table of ops; e3nn's are in e3nn_layers_test.cpp.
#include "equivariant/layers.h"

#include <doctest/doctest.h>

#include <numbers>

#include "autograd/gradcheck.h"
#include "equivariant/norms.h"
#include "equivariant/sphere_grid.h"
#include "tests/layer_values.h"
#include "tests/message_of.h"

using namespace casimir;
using namespace casimir::test;

TEST_CASE("layers: linear maps, norms and batch normalisation are equivariant") {
  const Irreps irreps("3x0e+2x0o+2x1o+2x1e+1x6e");
  Parameters store(DType::f64, 1);
  Linear linear(store.root() / "linear", irreps, "2x0e+4x1o+3x6e+1x0o", {.biases = true});
  check_equivariant({irreps}, "2x0e+4x1o+3x6e+1x0o",
                    [&](const Tensors& x) { return linear(x[0]); });
  check_equivariant({irreps}, "10x0e", [&](const Tensors& x) { return Norm(irreps)(x[0]); });
  for (bool normalize : {true, false}) {
    NormActivation activation(store.root() / ("activation" + std::to_string(normalize)), irreps,
                              [](const Tensor& x) { return silu(x); },
                              {.normalize = normalize, .bias = true});
    check_equivariant({irreps}, irreps, [&](const Tensors& x) { return activation(x[0]); });
  }
  BatchNorm norm(store.root() / "norm", irreps, {});
  check_equivariant({irreps}, irreps, [&](const Tensors& x) { return norm(x[0]); });
  norm.training = false;
  check_equivariant({irreps}, irreps, [&](const Tensors& x) { return norm(x[0]); });
}

TEST_CASE("linear: paths that do not exist are errors, a second block of one irrep has a name") {
  Parameters store(DType::f64, 1);
  Linear layer(store.root(), "2x0e", "1x0e+1x1o+3x0e", {.biases = true});
  std::string names;
  for (const Parameters::Entry& entry : store.entries()) names += entry.name + " ";
  CHECK(names == "bias_0e weight_0e bias_0e_2 weight_0e_2 ");
  auto message = [&](std::array<int, 2> path) {
    return message_of<ShapeError>(
        [&] { Linear(store.root() / "wrong", "2x0e+1x1o", "1x0e", {.instructions = {path}}); });
  };
  CHECK(message({1, 0}) == "Linear: 1o does not go to 0e");
  CHECK(message({2, 0}) == "Linear: no blocks 2 -> 0 in 2x0e+1x1o -> 1x0e");
}

TEST_CASE("batch norm: running averages are saved with the model and read back") {
  const Irreps irreps("2x0e+1x1o");
  Parameters store(DType::f32, 1);
  BatchNorm norm(store.root() / "norm", irreps, {.momentum = 0.5});
  const Tensor x = Tensor(random_tensor({7, 5}, 1).array().cast(DType::f32));
  norm(x);
  const std::vector<double> mean = norm.running_mean.to_vector<double>(),
                            var = norm.running_var.to_vector<double>();
  CHECK(mean != std::vector<double>{0, 0});
  Safetensors file;
  store.save(file);
  norm(x);
  CHECK(file.at("norm.running_mean").to_vector<double>() == mean);

  Parameters other(DType::f32, 2);
  BatchNorm loaded(other.root() / "norm", irreps, {});
  other.load(file, "file");
  CHECK(loaded.running_mean.to_vector<double>() == mean);
  CHECK(loaded.running_var.to_vector<double>() == var);

  Safetensors lacking;
  for (const auto& [name, array] : file.arrays)
    if (name != "norm.running_var") lacking.add(name, array);
  CHECK(message_of<DataError>([&] { other.load(lacking, "file"); }) ==
        "file: missing: norm.running_var");
  lacking.add("norm.running_var", Array::from(std::vector<double>{1, 2}));
  CHECK(message_of<DataError>([&] { other.load(lacking, "file"); }) ==
        "file: mis-shaped: norm.running_var is [2], model has [3]");
}

TEST_CASE("batch norm: evaluation leaves the running averages alone") {
  Parameters store(DType::f64, 1);
  BatchNorm norm(store.root(), "2x0e+1x1o", {});
  norm.training = false;
  norm(random_tensor({7, 5}, 1));
  CHECK(norm.running_mean.to_vector<double>() == std::vector<double>{0, 0});
  CHECK(norm.running_var.to_vector<double>() == std::vector<double>{1, 1, 1});
}

TEST_CASE("norm activation: below epsilon the norm counts as epsilon, and gradients are finite") {
  Parameters store(DType::f64, 1);
  NormActivation layer(store.root(), "1x1o", [](const Tensor& x) { return sigmoid(x); },
                       {.epsilon = 0.1});
  const Tensor small = Tensor::from(std::vector<double>{0.03, 0, 0, 0, 0, 0}, {2, 3});
  CHECK(layer(small).array().to_vector<double>()[0] ==
        doctest::Approx(0.3 / (1 + std::exp(-0.1))).epsilon(1e-14));
  CHECK(gradcheck([&](const Tensors& x) { return Tensors{layer(x[0])}; }, {small}) < 1e-8);
  CHECK(message_of<ShapeError>([&] {
          NormActivation(store.root(), "1x1o", [](const Tensor& x) { return x; }, {.epsilon = 0});
        }) == "NormActivation: expected epsilon > 0, found 0");
}

TEST_CASE("sphere grid: to the grid and back, and values of harmonics at its points") {
  for (const Normalization normalization :
       {Normalization::component, Normalization::norm, Normalization::integral})
    for (int l_max : {0, 3, 6, 11}) {
      const S2Resolution res{2 * (l_max + 1), 2 * l_max + 1};
      const ToS2Grid to(l_max, res, normalization, DType::f64);
      const FromS2Grid from(res, l_max, normalization, -1, DType::f64);
      for (int64_t mul : {1, 3}) {
        const Tensor x = random_tensor({4, (l_max + 1) * (l_max + 1) * mul}, 1);
        CHECK(difference(from(to(x)), x) < 1e-12);
      }
    }
  const S2Resolution res{8, 6};
  const Tensor x = random_tensor({4, 16}, 1);
  const Tensor points = reshape(Tensor(s2_grid(res)), {48, 3});
  const Tensor harmonics = spherical_harmonics(points, 3, true, Normalization::integral);
  CHECK(difference(reshape(ToS2Grid(3, res, Normalization::integral, DType::f64)(x), {4, 48}),
                   matmul(x, harmonics, {.trans_b = true})) < 1e-13);
}

// A turn by one step of alpha, about y, moves the values by one place.
TEST_CASE("sphere grid: a rotated signal is the signal at rotated points") {
  const S2Resolution res{10, 9};
  const ToS2Grid to(4, res, Normalization::component, DType::f64);
  const Irreps irreps = Irreps::spherical_harmonics(4);
  const Tensor x = random_tensor({2, 25}, 1);
  const Turn turn{rotation_from_angles(2 * std::numbers::pi / 9, 0, 0)};
  const Tensor before = to(x), after = to(rotated(x, irreps, turn));
  CHECK(difference(slice(after, 2, 1, 9), slice(before, 2, 0, 8)) < 1e-13);
}

TEST_CASE("sphere grid: too few betas, or an odd number, are errors") {
  CHECK(message_of<ShapeError>([] {
          ToS2Grid(3, {6, 7});
        }) ==
        "ToS2Grid: expected an even number of betas, at least 8, and some alphas, found 6 and 7");
  CHECK(message_of<ShapeError>([] {
          FromS2Grid({9, 7}, 3);
        }) ==
        "FromS2Grid: expected an even number of betas, at least 8, and some alphas, found 9 and 7");
}
