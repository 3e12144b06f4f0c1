#include "autograd/functors.h"
#include "autograd/kernels.h"

namespace casimir {

namespace cuda {
template <class F>
Array map(const Array& x, F f);
Array cast(const Array& x, DType dtype);
}  // namespace cuda

namespace {

// f of every element.
template <class F>
Array map(const char* op, const Tensor& x, F f) {
  check_real(op, x);
  if constexpr (cuda_built)
    if (x.on_cuda()) return cuda::map(x.array(), f);
  Array out = empty_like(x, x.shape());
  visit_float(op, x.dtype(), [&]<class T>(T) {
    const T* in = x.array().data<T>();
    T* to = out.data<T>();
    parallel_for(x.size(), grain_for(1), [=](int64_t begin, int64_t end) {
      const F local = f;  // whose members no store through `to` can change
      for (int64_t i = begin; i < end; ++i) to[i] = local(in[i]);
    });
  });
  return out;
}

// 1 / x, and 0 at x = 0 with all its derivatives: -(1 / x)^2 is of the same kind.
Tensor safe_reciprocal(const Tensor& x) {
  return record("safe_reciprocal", {x}, map("safe_reciprocal", x, functors::SafeReciprocal{}),
                [](const Tensors& g, const Needs&, const Tensors& out) {
                  return Tensors{neg(mul(g[0], square(out[0])))};
                });
}

}  // namespace

Tensor neg(const Tensor& x) {
  return record("neg", {x}, map("neg", x, functors::Neg{}),
                [](const Tensors& g, const Needs&) { return Tensors{neg(g[0])}; });
}

Tensor scale(const Tensor& x, double factor) {
  return record("scale", {x}, map("scale", x, functors::Scale{factor}),
                [factor](const Tensors& g, const Needs&) { return Tensors{scale(g[0], factor)}; });
}

Tensor shift(const Tensor& x, double term) {
  return record("shift", {x}, map("shift", x, functors::Shift{term}),
                [](const Tensors& g, const Needs&) { return g; });
}

Tensor pow(const Tensor& x, double exponent) {
  Array out = map("pow", x, functors::Pow{exponent});
  if (exponent == 0) return out;
  return record("pow", {x}, std::move(out), [x, exponent](const Tensors& g, const Needs&) {
    return Tensors{mul(g[0], pow(x, exponent - 1), exponent)};
  });
}

Tensor square(const Tensor& x) {
  return record("square", {x}, map("square", x, functors::Square{}),
                [x](const Tensors& g, const Needs&) { return Tensors{mul(g[0], x, 2)}; });
}

Tensor sqrt(const Tensor& x) {
  return record("sqrt", {x}, map("sqrt", x, functors::Sqrt{}),
                [](const Tensors& g, const Needs&, const Tensors& out) {
                  return Tensors{mul(g[0], safe_reciprocal(out[0]), 0.5)};
                });
}

Tensor reciprocal(const Tensor& x) {
  return record("reciprocal", {x}, map("reciprocal", x, functors::Reciprocal{}),
                [](const Tensors& g, const Needs&, const Tensors& out) {
                  return Tensors{neg(mul(g[0], square(out[0])))};
                });
}

Tensor exp(const Tensor& x) {
  return record("exp", {x}, map("exp", x, functors::Exp{}),
                [](const Tensors& g, const Needs&, const Tensors& out) {
                  return Tensors{mul(g[0], out[0])};
                });
}

Tensor log(const Tensor& x) {
  return record("log", {x}, map("log", x, functors::Log{}),
                [x](const Tensors& g, const Needs&) { return Tensors{div(g[0], x)}; });
}

Tensor sin(const Tensor& x) {
  return record("sin", {x}, map("sin", x, functors::Sin{}),
                [x](const Tensors& g, const Needs&) { return Tensors{mul(g[0], cos(x))}; });
}

Tensor cos(const Tensor& x) {
  return record("cos", {x}, map("cos", x, functors::Cos{}),
                [x](const Tensors& g, const Needs&) { return Tensors{neg(mul(g[0], sin(x)))}; });
}

Tensor tanh(const Tensor& x) {
  return record("tanh", {x}, map("tanh", x, functors::Tanh{}),
                [](const Tensors& g, const Needs&, const Tensors& out) {
                  return Tensors{mul(g[0], shift(neg(square(out[0])), 1))};
                });
}

Tensor abs(const Tensor& x) {
  return record("abs", {x}, map("abs", x, functors::Abs{}),
                [x](const Tensors& g, const Needs&) { return Tensors{mul(g[0], sign(x))}; });
}

Tensor sign(const Tensor& x) {
  return map("sign", x, functors::Sign{});
}

Tensor relu(const Tensor& x) {
  return record("relu", {x}, map("relu", x, functors::Relu{}),
                [](const Tensors& g, const Needs&, const Tensors& out) {
                  return Tensors{mul(g[0], sign(out[0]))};
                });
}

namespace {
void check_order(const char* op, int order) {
  constexpr int most = functors::max_sigmoid_order;
  check(order >= 0 && order <= most, op, ": expected a derivative order from 0 to ", most,
        ", found ", order);
}
// Short polynomials for the orders that training needs.
template <template <int> class Derivative>
Array map_derivative(const char* op, const Tensor& x, int order) {
  constexpr int few = 3;
  return order <= few ? map(op, x, Derivative<few>(order))
                      : map(op, x, Derivative<functors::max_sigmoid_order>(order));
}
}  // namespace

Tensor sigmoid(const Tensor& x, int order) {
  check_order("sigmoid", order);
  Array out = order == 0 ? map("sigmoid", x, functors::Sigmoid{})
                         : map_derivative<functors::SigmoidDerivative>("sigmoid", x, order);
  return record("sigmoid", {x}, std::move(out), [x, order](const Tensors& g, const Needs&) {
    return Tensors{mul(g[0], sigmoid(x, order + 1))};
  });
}

Tensor silu(const Tensor& x, int order) {
  check_order("silu", order);
  Array out = order == 0 ? map("silu", x, functors::Silu{})
                         : map_derivative<functors::SiluDerivative>("silu", x, order);
  return record("silu", {x}, std::move(out), [x, order](const Tensors& g, const Needs&) {
    return Tensors{mul(g[0], silu(x, order + 1))};
  });
}

Tensor softplus(const Tensor& x) {
  return record("softplus", {x}, map("softplus", x, functors::Softplus{}),
                [x](const Tensors& g, const Needs&) { return Tensors{mul(g[0], sigmoid(x))}; });
}

Tensor cast(const Tensor& x, DType dtype) {
  check_present("cast", x);
  if (dtype == x.dtype()) return x;
  Array out(x.shape(), dtype, x.device());
  if (x.on_cpu())
    visit(x.dtype(), [&]<class From>(From) {
      visit(dtype, [&]<class To>(To) {
        const From* in = x.array().data<From>();
        To* to = out.data<To>();
        parallel_for(x.size(), grain_for(1), [&](int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) to[i] = static_cast<To>(in[i]);
        });
      });
    });
  else if constexpr (cuda_built)
    out = cuda::cast(x.array(), dtype);
  if (!is_float(dtype) || !is_float(x.dtype())) return out;
  return record("cast", {x}, std::move(out), [back = x.dtype()](const Tensors& g, const Needs&) {
    return Tensors{cast(g[0], back)};
  });
}

Tensor alias(const Tensor& x) {
  check_present("alias", x);
  return record("alias", {x}, x.array(), [](const Tensors& g, const Needs&) { return g; });
}

Tensor detach(const Tensor& x) {
  return x.array();
}

}  // namespace casimir
