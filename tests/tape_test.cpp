// The rules of the engine (autograd/tape.h), each with a test.
#include <doctest/doctest.h>

#include <thread>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"
#include "core/random.h"
#include "nn/parameters.h"
#include "tests/tensors.h"

using namespace casimir;
using namespace casimir::test;

namespace {
template <class F>
std::string message_of(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}
}  // namespace

TEST_CASE("tape: derivatives of x^5 to order four") {
  Tape tape;
  Tensor x = tape.watch(Tensor::scalar(2, DType::f64));
  Tensor y = x * x * x * x * x;
  double expected[] = {80, 160, 240, 240};
  for (double value : expected) {
    y = tape.grad({y}, {x}, {}, {.create_graph = true})[0];
    CHECK(y.item() == doctest::Approx(value).epsilon(1e-14));
  }
}

TEST_CASE("tape: without a tape nothing is recorded") {
  Tensor x = Tensor::scalar(2, DType::f64);
  CHECK((x * x).item() == 4);
  Tape tape;
  Tensor y = x * x;
  CHECK(tape.nodes() == 0);
}

TEST_CASE("tape: an output that does not depend on an input gives an absent cotangent") {
  Tape tape;
  Tensor x = tape.watch(Tensor::scalar(2, DType::f64)),
         z = tape.watch(Tensor::scalar(3, DType::f64));
  Tensors g = tape.grad({x * x}, {x, z});
  CHECK(g[0].item() == 4);
  CHECK_FALSE(g[1].defined());
}

TEST_CASE("tape: needs keep what is not asked for from being computed") {
  Tape tape;
  Tensor x = tape.watch(random_tensor({3, 4}, 1)), w = tape.watch(random_tensor({4, 5}, 2));
  Tensor y = sum(matmul(x, w));
  int64_t before = tape.nodes();
  tape.grad({y}, {x}, {}, {.create_graph = true});
  int64_t one = tape.nodes() - before;
  before = tape.nodes();
  tape.grad({y}, {x, w}, {}, {.create_graph = true});
  CHECK(tape.nodes() - before > one);
}

TEST_CASE("tape: a walked and freed op is an error that names it") {
  Tape tape;
  Tensor x = tape.watch(Tensor::scalar(2, DType::f64));
  Tensor y = exp(x);
  tape.grad({y}, {x});
  CHECK(
      message_of([&] { tape.grad({y}, {x}); }) ==
      "grad: 'exp' was already walked and freed; pass create_graph or keep_graph to walk it again");
}

TEST_CASE("tape: a tensor of a tape that has ended is a constant, and its gradient an error") {
  Tensor old;
  {
    Tape tape;
    old = tape.watch(Tensor::scalar(2, DType::f64)) * 3.0;
  }
  Tape tape;
  Tensor x = tape.watch(Tensor::scalar(1, DType::f64));
  CHECK(tape.grad({x * old}, {x})[0].item() == 6);
  CHECK(message_of([&] { tape.grad({x * old}, {old}); }) ==
        "grad: an input of shape [] belongs to a tape that has ended");
}

TEST_CASE("tape: one tensor in several places adds its parts up") {
  auto f = [](const Tensors& in) { return Tensors{in[0] * in[0] * in[1] + exp(in[0])}; };
  CHECK(gradcheck(f, {random_tensor({4}, 3), random_tensor({4}, 4)}, {.order = 3}) < 1e-6);
}

namespace {
// y = x^2 w as a fused op with a kernel and, optionally, a fused rule.
Tensors fused_square(const Tensors& in, bool faster) {
  Composite composite = [](const Tensors& t) { return Tensors{t[0] * t[0] * t[1]}; };
  Kernel kernel = [](const Tensors& t) {
    NoRecord quiet;
    return std::vector<Array>{(square(t[0]) * t[1]).array()};
  };
  Vjp rule = nullptr;
  if (faster)
    rule = [in](const Tensors& g, const Needs&) {
      Composite backward = [](const Tensors& t) {
        return Tensors{t[0] * t[1] * t[2] * 2.0, t[0] * t[0] * t[2]};
      };
      Kernel backward_kernel = [backward](const Tensors& t) {
        NoRecord quiet;
        std::vector<Array> out;
        for (const Tensor& y : backward(t)) out.push_back(y.array());
        return out;
      };
      return fused("square_backward", backward_kernel, backward, {in[0], in[1], g[0]});
    };
  return fused("square", kernel, composite, in, rule);
}
}  // namespace

TEST_CASE(
    "tape: fused ops equal their composite to order three, also when a cotangent depends on an "
    "input") {
  for (bool faster : {false, true}) {
    auto f = [faster](const Tensors& in) {
      Tensor y = fused_square({in[0], in[1]}, faster)[0];
      return Tensors{y * in[0] + fused_square({y, in[1]}, faster)[0]};
    };
    CHECK(gradcheck(f, {random_tensor({3}, 5), random_tensor({3}, 6)}, {.order = 3}) < 1e-6);
    auto plain = [](const Tensors& in) {
      Tensor y = in[0] * in[0] * in[1];
      return Tensors{y * in[0] + y * y * in[1]};
    };
    Tensors in{random_tensor({3}, 5), random_tensor({3}, 6)};
    Tape tape;
    Tensors watched{tape.watch(in[0]), tape.watch(in[1])};
    Tensor a = tape.grad({sum(f(watched)[0])}, {watched[0]})[0];
    Tensor b = tape.grad({sum(plain(watched)[0])}, {watched[0]})[0];
    for (int64_t i = 0; i < 3; ++i)
      CHECK(a.array().values<double>()[i] ==
            doctest::Approx(b.array().values<double>()[i]).epsilon(1e-12));
  }
}

TEST_CASE("tape: checkpoint gives the same values and derivatives with fewer nodes") {
  auto f = [](const Tensors& in) { return Tensors{sum(silu(exp(in[0]) * in[1]))}; };
  auto g = [f](const Tensors& in) { return checkpoint(f, in); };
  Tensors in{random_tensor({5}, 7), random_tensor({5}, 8)};
  CHECK(gradcheck(g, in, {.order = 3}) < 1e-6);
  Tape tape;
  Tensors watched{tape.watch(in[0]), tape.watch(in[1])};
  CHECK(f(in)[0].item() == g(watched)[0].item());
  CHECK(tape.nodes() == 1);
}

TEST_CASE("tape: gradients with respect to a tensor in the middle of the graph") {
  Tape tape;
  Tensor x = tape.watch(random_tensor({3}, 1)), y = exp(x), z = y * y;
  Tensors g = tape.grad({sum(z)}, {y, x, z});
  for (const Tensor& each : g) REQUIRE(each.defined());
  for (int64_t i = 0; i < 3; ++i) {
    const double value = y.array().values<double>()[i];
    CHECK(g[0].array().values<double>()[i] == 2 * value);
    CHECK(g[1].array().values<double>()[i] == 2 * value * value);
    CHECK(g[2].array().values<double>()[i] == 1);
  }
}

TEST_CASE("tape: after an error in a rule the next walk records as before") {
  Tape tape;
  Tensor x = tape.watch(random_tensor({3}, 1));
  Tensor y = record("faulty", {x}, x.array().copy(), [](const Tensors&, const Needs&) -> Tensors {
    throw std::runtime_error("in the rule");
  });
  CHECK_THROWS_WITH(tape.grad({sum(y)}, {x}), "in the rule");
  Tensor slope = tape.grad({sum(x * x * x)}, {x}, {}, {.create_graph = true})[0];
  Tensor curvature = tape.grad({sum(slope)}, {x})[0];
  REQUIRE(curvature.defined());
  for (int64_t i = 0; i < 3; ++i)
    CHECK(curvature.array().values<double>()[i] ==
          doctest::Approx(6 * x.array().values<double>()[i]).epsilon(1e-14));
}

TEST_CASE("tape: parameters are variables where they are watched, constants elsewhere") {
  Parameters parameters(DType::f64, 1);
  Tensor w = (parameters.root() / "layer").get("weight", {3}, init::normal());
  parameters.flatten();
  {
    Tape tape;
    CHECK_FALSE(tracked({w}));
    parameters.watch(tape);
    Tensors g = tape.grad({sum(w * w)}, parameters.all());
    for (int i = 0; i < 3; ++i)
      CHECK(g[0].array().values<double>()[i] == 2 * parameters.flat().values<double>()[i]);
  }
}

TEST_CASE("tape: threads run their own tapes over the same parameters") {
  Parameters parameters(DType::f64, 1);
  Tensor w = parameters.root().get("weight", {64}, init::normal());
  parameters.flatten();
  std::vector<double> found(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      Tape tape;
      parameters.watch(tape);
      found[t] = sum(tape.grad({sum(exp(w))}, {w})[0]).item();
    });
  for (std::thread& thread : threads) thread.join();
  for (double value : found) CHECK(value == found[0]);
}

TEST_CASE("tape: check_finite names the op and the scope of the first NaN") {
  set_check_finite(true);
  Scope scope("layer");
  std::string text = message_of([] { log(Tensor::scalar(-1, DType::f64)); });
  set_check_finite(false);
  CHECK(text == "log: produced -nan, shape []\n  in layer");
}

TEST_CASE("tape: check_finite says backward where the way back makes the first infinity") {
  Tape tape;
  Tensor x = tape.watch(Tensor::scalar(0, DType::f64)), y;
  {
    Scope scope("layer");
    y = pow(x, 0.5);
  }
  set_check_finite(true);
  std::string text = message_of([&] { tape.grad({y}, {x}); });
  set_check_finite(false);
  CHECK(text == "pow: produced inf, shape []\n  in layer.backward");
}
