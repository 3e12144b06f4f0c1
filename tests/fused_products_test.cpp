// The fused convolution and symmetric product against their definitions by contract(): values and
// gradients of orders 1 to 3, in f64 and f32, for irreps of real models and awkward ones.
#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/gradcheck.h"
#include "equivariant/layers.h"
#include "equivariant/symmetric_basis.h"
#include "tests/fused_check.h"

using namespace casimir;
using namespace casimir::test;

namespace {

const std::vector<std::vector<int>> some_inputs{{0, 1, 2}, {1}, {0, 2}, {2}};

struct ConvolutionCase {
  const char* features;
  int l_max;
  const char* targets;
};
const std::vector<ConvolutionCase> convolution_cases{
    {"16x0e+16x1o+16x2e", 3, "1x0e+1x1o+1x2e+1x3o"},               // MACE, second layer
    {"32x0e", 3, "1x0e+1x1o+1x2e+1x3o"},                           // MACE, first layer
    {"21x0e+5x1o+3x2e+2x0o+7x1e", 2, "1x0e+1x1o+1x2e+1x1e+1x0o"},  // NequIP with parity, ragged
    {"3x3o+2x4e", 4, "1x0e+1x3o+1x5o+1x2e"},                       // degrees beyond the unrolled
};

// Edges without order, nodes without edges; every second edge shares its pair with another, one
// pair has three edges and one none.
EdgeIndex some_edges(int64_t nodes, int64_t edges) {
  Random random(4);
  std::vector<int32_t> sender, receiver, pair;
  for (int64_t e = 0; e < edges; ++e) {
    sender.push_back(static_cast<int32_t>(random.below(nodes - 1)));
    receiver.push_back(static_cast<int32_t>(1 + random.below(nodes - 1)));
    pair.push_back(static_cast<int32_t>(e / 2));
  }
  pair[5] = 0;
  return {Segments(sender, nodes), Segments(receiver, nodes), Segments(pair, (edges + 1) / 2 + 1)};
}

struct ConvolutionProblem {
  Convolution layer;
  EdgeIndex index;
  Tensors inputs;
  Composite fused() const {
    return [this](const Tensors& t) { return Tensors{layer.op(t[0], t[1], t[2], index)}; };
  }
  Composite definition() const {
    return
        [this](const Tensors& t) { return Tensors{layer.op.composite(t[0], t[1], t[2], index)}; };
  }
};

ConvolutionProblem convolution_problem(const ConvolutionCase& c, DType dtype) {
  const Irreps features(c.features), harmonics = Irreps::spherical_harmonics(c.l_max);
  ConvolutionProblem p{Convolution(features, harmonics, Irreps(c.targets)), some_edges(9, 70), {}};
  p.inputs = {random_tensor({9, features.dim()}, 1, dtype),
              random_tensor({70, harmonics.dim()}, 2, dtype),
              random_tensor({36, p.layer.weight_numel}, 3, dtype)};
  return p;
}

struct SymmetricProblem {
  SymmetricProductOp op;
  Segments species;
  Tensors inputs;
  Composite fused() const {
    return [this](const Tensors& t) { return Tensors{op(t[0], t[1], species)}; };
  }
  Composite definition() const {
    return [this](const Tensors& t) { return Tensors{op.composite(t[0], t[1], species)}; };
  }
};

struct SymmetricCase {
  int l_max, correlation, l_out;
  int64_t channels;
};
// Of degree 4 by the tree of monomials, the others by cubic forms.
const std::vector<SymmetricCase> symmetric_cases{{3, 3, 1, 16}, {3, 2, 2, 20}, {2, 4, 0, 5},
                                                 {2, 4, 1, 16}, {1, 1, 1, 3},  {3, 3, 0, 20},
                                                 {2, 2, 0, 5}};

SymmetricProblem symmetric_problem(const SymmetricCase& c, DType dtype) {
  SymmetricPolynomials sum;
  sum.components = (c.l_max + 1) * (c.l_max + 1);
  sum.channels = c.channels;
  for (int nu = c.correlation; nu >= 1; --nu) {
    const SymmetricBasis& basis = symmetric_basis(c.l_max, nu, c.l_out);
    for (const SymmetricBasis::Entry& entry : basis.entries)
      sum.entries.push_back({basis.monomials[entry.monomial],
                             entry.component,
                             {{static_cast<int32_t>(sum.paths) + entry.path, entry.value}}});
    sum.paths += basis.paths;
  }
  sum.outputs = 2 * c.l_out + 1;
  const int64_t rows = 11, species = 4;
  std::vector<int32_t> index;
  for (int64_t n = 0; n < rows; ++n) index.push_back(n % 3 == 1 ? 3 : static_cast<int32_t>(n % 2));
  SymmetricProblem p{SymmetricProductOp(sum, dtype), Segments(index, species), {}};
  p.inputs = {random_tensor({rows, sum.components * c.channels}, 5, dtype),
              random_tensor({species, sum.paths * c.channels}, 6, dtype)};
  return p;
}

}  // namespace

TEST_CASE("fused convolution: its definition's values and gradients of orders 1 to 3") {
  for (const ConvolutionCase& c : convolution_cases)
    for (const std::vector<int>& wanted : some_inputs) {
      INFO(std::string(c.features), ", inputs from ", wanted[0], ": ", wanted.size());
      ConvolutionProblem p = convolution_problem(c, DType::f64);
      check_equal(p.fused(), p.definition(), p.inputs, wanted, 1e-12);
      ConvolutionProblem single = convolution_problem(c, DType::f32);
      check_equal(single.fused(), single.definition(), single.inputs, wanted, 1e-5);
    }
}

TEST_CASE("fused convolution: an output of two paths, and one of none") {
  ConvolutionProblem p =
      convolution_problem({"16x0e+16x0e", 1, "1x0e+1x1o"}, DType::f64);  // four paths
  ConvolutionPaths paths = p.layer.op.paths();
  REQUIRE(paths.paths.size() == 4);
  const auto same_shape = [&](const auto& path) { return path.d_out == paths.paths[0].d_out; };
  std::find_if(paths.paths.begin() + 1, paths.paths.end(), same_shape)->out = paths.paths[0].out;
  p.layer.op = ConvolutionOp(paths);
  check_equal(p.fused(), p.definition(), p.inputs, {0, 1, 2}, 1e-12);

  ConvolutionProblem one = convolution_problem({"16x0e+16x0e", 0, "1x0e"}, DType::f64);
  paths = one.layer.op.paths();
  REQUIRE(paths.paths.size() == 2);
  paths.paths[1].out = paths.paths[0].out = 0;
  paths.width_out = 16;
  one.layer.op = ConvolutionOp(paths);
  check_equal(one.fused(), one.definition(), one.inputs, {0, 1, 2}, 1e-12);
}

TEST_CASE("fused convolution: derivatives to order three against differences") {
  ConvolutionProblem p = convolution_problem(convolution_cases[2], DType::f64);
  CHECK(gradcheck(p.fused(), p.inputs, {.order = 3}) < 1e-6);
}

TEST_CASE("fused convolution: same bits for any number of threads, and with poisoned memory") {
  for (const ConvolutionCase& c : convolution_cases) {
    ConvolutionProblem p = convolution_problem(c, DType::f32);
    check_bits(p.fused(), p.inputs, {0, 1, 2});
  }
}

TEST_CASE("fused convolution: no edges, no nodes") {
  for (int64_t nodes : {0, 3}) {
    Convolution layer(Irreps("4x0e+4x1o"), Irreps::spherical_harmonics(1), Irreps("1x0e+1x1o"));
    Segments none({}, nodes);
    Tensor x = random_tensor({nodes, 16}, 1, DType::f64), y = Tensor::zeros({0, 4}, DType::f64);
    Tensor w = Tensor::zeros({0, layer.weight_numel}, DType::f64);
    Tape tape;
    Tensor in = tape.watch(x);
    Tensor out = layer(in, y, w, none, none, Segments({}, 0));
    CHECK(out.shape() == Shape{nodes, layer.irreps_out.dim()});
    CHECK(sum(square(out)).item() == 0);
    Tensor gradient = tape.grad({sum(out)}, {in})[0];
    CHECK(sum(square(gradient)).item() == 0);
  }
}

TEST_CASE("fused convolution: wrong inputs are errors that say what was expected") {
  ConvolutionProblem p = convolution_problem(convolution_cases[1], DType::f64);
  auto message = [&](Tensors in) {
    try {
      p.fused()(in);
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK(message({p.inputs[0], p.inputs[0], p.inputs[2]}) ==
        "convolution: y: expected shape [70, 16], found [9, 32]");
  CHECK(message({p.inputs[0], Tensor(p.inputs[1].array().cast(DType::f32)), p.inputs[2]}) ==
        "convolution: y is f32 on cpu, x f64 on cpu");
}

TEST_CASE("fused symmetric product: its definition's values and gradients of orders 1 to 3") {
  for (const SymmetricCase& c : symmetric_cases)
    for (const std::vector<int>& wanted : std::vector<std::vector<int>>{{0, 1}, {0}, {1}}) {
      INFO("l_max ", c.l_max, " correlation ", c.correlation, " inputs from ", wanted[0]);
      SymmetricProblem p = symmetric_problem(c, DType::f64);
      check_equal(p.fused(), p.definition(), p.inputs, wanted, 1e-12);
      SymmetricProblem single = symmetric_problem(c, DType::f32);
      check_equal(single.fused(), single.definition(), single.inputs, wanted, 1e-5);
    }
}

TEST_CASE("fused symmetric product: derivatives to order three against differences") {
  for (int l_out : {0, 1}) {
    SymmetricProblem p = symmetric_problem({2, 3, l_out, 3}, DType::f64);
    CHECK(gradcheck(p.fused(), p.inputs, {.order = 3}) < 1e-6);
  }
}

TEST_CASE("fused symmetric product: same bits for any number of threads, poisoned memory") {
  for (const SymmetricCase& c : symmetric_cases) {
    SymmetricProblem p = symmetric_problem(c, DType::f32);
    check_bits(p.fused(), p.inputs, {0, 1});
  }
}

TEST_CASE("fused symmetric product: wrong inputs are errors that say what was expected") {
  SymmetricProblem p = symmetric_problem({1, 1, 1, 3}, DType::f64);
  auto message = [&](const Tensor& x, const Tensor& c) {
    try {
      p.fused()({x, c});
    } catch (const ShapeError& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  CHECK(message(p.inputs[1], p.inputs[1]) ==
        "symmetric product: expected x [11, 12] and weights [4, 3], found [4, 3] and [4, 3]");
  CHECK(message(p.inputs[0], Tensor(p.inputs[1].array().cast(DType::f32))) ==
        "symmetric product: x is f64 on cpu, the weights f32 on cpu");
}
