// Layers against e3nn 0.4.4: outputs and gradients of all inputs
// (tests/reference/make_e3nn_layers.py, where the cases are described), within 1e-12.
#include <doctest/doctest.h>

#include <optional>

#include "core/safetensors.h"
#include "equivariant/layers.h"
#include "equivariant/norms.h"
#include "equivariant/sphere_grid.h"
#include "tests/layer_values.h"

using namespace casimir;
using namespace casimir::test;

namespace {

const Safetensors& reference() {
  static const Safetensors file =
      read_safetensors(CASIMIR_SOURCE_DIR "/tests/reference/e3nn_layers.safetensors");
  return file;
}

// An input or output of a case: rows of irreps, which change their layout, or plain numbers.
struct Named {
  std::string name;
  std::optional<Irreps> irreps = {};
};

Array as_rows(const Array& x, const Irreps& irreps) {
  return x.reshaped({x.size() / irreps.dim(), irreps.dim()});
}
Array theirs(const Tensor& x, const std::optional<Irreps>& irreps) {
  return irreps ? to_mul_ir(as_rows(x.array(), *irreps), *irreps) : x.array();
}
Tensor ours(const Array& x, const std::optional<Irreps>& irreps) {
  return irreps ? Tensor(from_mul_ir(as_rows(x, *irreps), *irreps).reshaped(x.shape())) : Tensor(x);
}

void check_near(const Array& found, const Array& expected) {
  CHECK(difference(found.reshaped(expected.shape()), expected) < 1e-12);
}

// f of the case's inputs, and the gradients of sum(f * seed).
void check_case(const std::string& name, const std::vector<Named>& inputs,
                const std::optional<Irreps>& out_irreps,
                const std::function<Tensor(const Tensors&)>& f) {
  INFO(name);
  Tape tape;
  Tensors x;
  for (const Named& input : inputs)
    x.push_back(tape.watch(ours(reference().at(name + "/" + input.name), input.irreps)));
  const Tensor out = f(x);
  check_near(theirs(out, out_irreps), reference().at(name + "/out"));
  const Tensor seed = ours(reference().at(name + "/seed"), out_irreps);
  const Tensors grads = tape.grad({out}, x, {reshape(seed, out.shape())});
  for (size_t i = 0; i < x.size(); ++i) {
    INFO(inputs[i].name);
    check_near(theirs(grads[i], inputs[i].irreps),
               reference().at(name + "/grad/" + inputs[i].name));
  }
}

void check_product(const std::string& name, const TensorProduct& product) {
  std::vector<Named> inputs{{"x1", product.irreps_in1()}, {"x2", product.irreps_in2()}};
  if (product.weight_numel() > 0) inputs.push_back({"weight"});
  check_case(name, inputs, product.irreps_out(), [&](const Tensors& x) {
    if (x.size() == 2) return product(x[0], x[1]);
    const int64_t numel = product.weight_numel();
    return product(x[0], x[1], reshape(x[2], {x[2].size() / numel, numel}));
  });
}

struct ProductCase {
  const char* name;
  Irreps in1, in2, out;
  std::vector<Instruction> paths;
};
std::vector<ProductCase> product_cases() {
  using enum Mode;
  return {{"uvw",
           "2x0e+3x1o+1x6e",
           "2x0e+2x1o+1x5o",
           "2x1o+2x2e+2x6e+1x1o",
           {{0, 1, 0, uvw},
            {1, 0, 0, uvw, true, 2.0},
            {1, 1, 1, uvw},
            {2, 0, 2, uvw},
            {1, 2, 2, uvw, true, 0.5},
            {2, 2, 3, uvw}}},
          {"uvu",
           "2x0e+3x1o",
           "2x0e+1x1o+4x2e",
           "2x1o+3x1o+3x2o+2x2e",
           {{0, 1, 0, uvu},
            {1, 0, 1, uvu},
            {1, 2, 1, uvu, true, 3.0},
            {1, 2, 2, uvu, false},
            {0, 2, 3, uvu}}},
          {"uvv",
           "2x0e+1x1o+4x2e",
           "2x0e+3x1o",
           "2x1o+3x1o+3x2o+2x2e",
           {{1, 0, 0, uvv},
            {0, 1, 1, uvv},
            {2, 1, 1, uvv, true, 3.0},
            {2, 1, 2, uvv, false},
            {2, 0, 3, uvv}}},
          {"uuw",
           "3x0e+2x1o+4x6e",
           "3x1e+2x1o+4x6e",
           "2x1e+3x0e+1x0e+2x3e",
           {{0, 0, 0, uuw},
            {1, 1, 1, uuw},
            {2, 2, 1, uuw, true, 2.0},
            {1, 1, 2, uuw, false},
            {2, 2, 3, uuw},
            {2, 2, 2, uuw, false}}},
          {"uuu",
           "3x0e+2x1o+2x6e",
           "3x1e+2x1o+2x5o",
           "3x1e+2x0e+2x2e+2x1o+2x3o",
           {{0, 0, 0, uuu},
            {1, 1, 1, uuu, false},
            {1, 1, 2, uuu, true, 0.3},
            {2, 2, 3, uuu},
            {2, 2, 4, uuu, false}}},
          {"uvuv",
           "2x0e+3x1o+1x4e",
           "2x1o+1x3o+3x0e",
           "4x1o+6x2e+3x4e+9x1o+1x5o+3x4e",
           {{0, 0, 0, uvuv},
            {1, 0, 1, uvuv, false},
            {1, 1, 2, uvuv},
            {1, 2, 3, uvuv},
            {2, 1, 4, uvuv},
            {2, 2, 5, uvuv, false}}},
          {"mixed",
           "3x0e+2x1o",
           "2x1o+3x0e",
           "3x1o+2x1o+3x0e+6x1o",
           {{0, 0, 0, uvu},
            {0, 0, 1, uvv},
            {1, 1, 1, uvu},
            {1, 0, 2, uvw},
            {1, 0, 2, uuw},
            {0, 1, 2, uuu},
            {0, 0, 3, uvuv},
            {1, 1, 0, uvw}}}};
}

}  // namespace

TEST_CASE("e3nn: tensor products in all modes, normalisations and kinds of weights") {
  for (const ProductCase& c : product_cases()) {
    const std::string name = c.name;
    check_product(name + "/component", TensorProduct(c.in1, c.in2, c.out, c.paths));
    check_product(name + "/norm", TensorProduct(c.in1, c.in2, c.out, c.paths,
                                                {.shared_weights = false,
                                                 .irrep_normalization = IrrepNormalization::norm,
                                                 .path_normalization = PathNormalization::path}));
    check_product(name + "/none", TensorProduct(c.in1, c.in2, c.out, c.paths,
                                                {.irrep_normalization = IrrepNormalization::none,
                                                 .path_normalization = PathNormalization::none}));
  }
}

TEST_CASE("e3nn: fully connected, full and element-wise tensor products") {
  const Irreps in1("2x0e+2x1o+1x2e"), in2("2x0e+1x1o"), out("3x0e+2x1o+2x1e+2x2e");
  check_product("fully/component", fully_connected_tensor_product(in1, in2, out));
  check_product("fully/norm",
                fully_connected_tensor_product(in1, in2, out,
                                               {.shared_weights = false,
                                                .irrep_normalization = IrrepNormalization::norm,
                                                .path_normalization = PathNormalization::path}));
  const Irrep e0{0, 1}, e1{1, 1}, o1{1, -1}, e6{6, 1}, o11{11, -1};
  check_product("full", full_tensor_product("2x0e+2x1o", "1x0o+2x1o+1x2e"));
  check_product("full/kept", full_tensor_product("2x0e+2x1o", "1x0o+2x1o+1x2e", {e0, e1, o1}));
  check_product("full/norm",
                full_tensor_product("1x6e", "1x5o+1x6e", {o1, e6, o11},
                                    {.irrep_normalization = IrrepNormalization::norm}));
  check_product("elementwise", elementwise_tensor_product("3x0e+2x1o+2x2e", "3x1o+2x1e+2x2e"));
  check_product("elementwise/kept",
                elementwise_tensor_product("3x0e+2x1o+2x2e", "3x1o+2x1e+2x2e", {e0, o1}));
}

namespace {

// e3nn's flat weights, path after path, as the weights of each output block.
Tensors by_output(const Tensor& flat, const Irreps& in, const Irreps& out,
                  const std::vector<std::array<int, 2>>& paths) {
  std::vector<Tensors> parts(out.size());
  int64_t at = 0;
  for (const auto& [i, o] : paths) {
    const int64_t size = in[i].mul * out[o].mul;
    parts[o].push_back(reshape(slice(flat, 0, at, at + size), {in[i].mul, out[o].mul}));
    at += size;
  }
  Tensors weights;
  for (const Tensors& some : parts)
    if (!some.empty()) weights.push_back(concat(some, 0));
  return weights;
}

}  // namespace

TEST_CASE("e3nn: linear, with chosen paths, both normalisations and biases") {
  struct Case {
    std::string name;
    Irreps in, out;
    std::vector<std::array<int, 2>> paths;
    bool chosen;
  };
  for (const Case& c : std::vector<Case>{{"all",
                                          "2x0e+3x1o+4x0e+1x2e",
                                          "3x0e+2x1o+2x0e+1x3e",
                                          {{0, 0}, {0, 2}, {1, 1}, {2, 0}, {2, 2}},
                                          false},
                                         {"some",
                                          "3x0e+3x0e+2x0e+2x1o",
                                          "2x0e+3x0e+2x1o",
                                          {{0, 0}, {1, 0}, {1, 1}, {2, 1}, {3, 2}, {2, 0}},
                                          true}})
    for (const auto& [name, normalization] :
         {std::pair{"element", PathNormalization::element}, {"path", PathNormalization::path}}) {
      Parameters store(DType::f64, 1);
      Linear::Options options{.path_normalization = normalization, .biases = true};
      if (c.chosen) options.instructions = c.paths;
      Linear linear(store.root(), c.in, c.out, options);
      check_case("linear/" + c.name + "/" + name, {{"x", c.in}, {"weight"}, {"bias"}}, c.out,
                 [&](const Tensors& x) {
                   linear.weights = by_output(x[1], c.in, c.out, c.paths);
                   int64_t at = 0;
                   for (Tensor& bias : linear.biases) {
                     const int64_t size = bias.size();
                     bias = slice(x[2], 0, at, at + size);
                     at += size;
                   }
                   return linear(x[0]);
                 });
    }
}

TEST_CASE("e3nn: norms and norm activations") {
  const Irreps irreps("2x0e+1x0o+2x1o+1x6e"), norms("6x0e");
  check_case("norm/squared", {{"features", irreps}}, norms,
             [&](const Tensors& x) { return Norm(irreps, true)(x[0]); });
  check_case("norm/root", {{"features", irreps}}, norms,
             [&](const Tensors& x) { return Norm(irreps)(x[0]); });
  struct Function {
    std::string name;
    std::function<Tensor(const Tensor&)> f;
  };
  for (const Function& function : {Function{"sigmoid", [](const Tensor& x) { return sigmoid(x); }},
                                   Function{"silu", [](const Tensor& x) { return silu(x); }}}) {
    auto check_activation = [&](const std::string& name, NormActivation::Options options) {
      Parameters store(DType::f64, 1);
      NormActivation layer(store.root(), irreps, function.f, options);
      std::vector<Named> inputs{{"features", irreps}};
      if (options.bias) inputs.push_back({"biases"});
      check_case("norm_activation/" + function.name + name, inputs, irreps, [&](const Tensors& x) {
        if (options.bias) layer.biases = x[1];
        return layer(x[0]);
      });
    };
    check_activation("", {});
    check_activation("/epsilon", {.epsilon = 0.01});
    check_activation("/bias", {.bias = true});
    check_activation("/plain", {.normalize = false});
  }
}

TEST_CASE("e3nn: batch normalisation, training and evaluation") {
  const Irreps irreps("3x0e+2x0o+2x1o+1x2e");
  for (const auto normalization : {IrrepNormalization::component, IrrepNormalization::norm})
    for (const auto reduce : {BatchNorm::Reduce::mean, BatchNorm::Reduce::max})
      for (const bool instance : {false, true}) {
        const bool component = normalization == IrrepNormalization::component;
        const bool mean = reduce == BatchNorm::Reduce::mean, affine = component == mean;
        const std::string name =
            concat_text("batch_norm/", component ? "component" : "norm", '/', mean ? "mean" : "max",
                        '/', instance ? "instance" : "batch");
        Parameters store(DType::f64, 1);
        BatchNorm norm(store.root(), irreps,
                       {.momentum = 0.3,
                        .affine = affine,
                        .reduce = reduce,
                        .instance = instance,
                        .normalization = normalization});
        std::vector<Named> inputs{{"input", irreps}};
        if (affine) inputs.insert(inputs.end(), {{"weight"}, {"bias"}});
        auto f = [&](const Tensors& x) {
          if (affine) norm.weight = x[1], norm.bias = x[2];
          return norm(x[0]);
        };
        check_case(name + "/training", inputs, irreps, f);
        if (!instance) {
          check_near(norm.running_mean, reference().at(name + "/running_mean"));
          check_near(norm.running_var, reference().at(name + "/running_var"));
        }
        norm.training = false;
        check_case(name + "/evaluation", inputs, irreps, f);
      }
}

TEST_CASE("e3nn: spherical grids") {
  struct Resolution {
    int l_max;
    S2Resolution res;
  };
  for (const auto& [name, normalization] : {std::pair{"component", Normalization::component},
                                            {"norm", Normalization::norm},
                                            {"integral", Normalization::integral}})
    for (const auto& [l_max, res] :
         {Resolution{2, {6, 5}}, Resolution{3, {8, 8}}, Resolution{6, {14, 13}}}) {
      const std::string which = concat_text(name, '/', l_max);
      const ToS2Grid to(l_max, res, normalization, DType::f64);
      const FromS2Grid from(res, l_max, normalization, -1, DType::f64);
      check_case("to_grid/" + which, {{"x"}}, {}, [&](const Tensors& x) { return to(x[0]); });
      check_case("from_grid/" + which, {{"x"}}, {}, [&](const Tensors& x) {
        return from(reshape(x[0], {x[0].dim(0), x[0].dim(1), x[0].dim(2), 1}));
      });
      check_near(s2_grid(res), reference().at(concat_text("grid/", l_max)));
    }
  const FromS2Grid lower({10, 9}, 2, Normalization::component, 4, DType::f64);
  check_case("from_grid/lower", {{"x"}}, {}, [&](const Tensors& x) {
    return lower(reshape(x[0], {x[0].dim(0), 10, 9, 1}));
  });
}
