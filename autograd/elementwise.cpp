#include "autograd/functors.h"
#include "autograd/kernels.h"

namespace casimir {

namespace cuda {
template <class F>
Array zip(const Array& a, const Array& b, const Shape& shape, DType dtype, F f);
Array where(const Array& condition, const Array& a, const Array& b, const Shape& shape);
}  // namespace cuda

namespace {

// One row of out = f(a, b); a stride is 0 or 1.
template <class R, class T, class F>
void zip_row(R* out, const T* a, int64_t stride_a, const T* b, int64_t stride_b, int64_t n, F f) {
  if (stride_a && stride_b)
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], b[i]);
  else if (stride_a)
    for (int64_t i = 0; i < n; ++i) out[i] = f(a[i], *b);
  else if (stride_b)
    for (int64_t i = 0; i < n; ++i) out[i] = f(*a, b[i]);
  else
    std::fill(out, out + n, f(*a, *b));
}

template <class R, class T, class F>
void zip_loops(R* out, const T* a, const T* b, const Broadcast<2>& loops, F f) {
  const int last = loops.rank - 1;
  const int64_t stride_a = loops.stride[0][last], stride_b = loops.stride[1][last];
  const int64_t n = loops.inner();
  parallel_rows(loops, [&](int64_t row, int64_t begin, int64_t end) {
    zip_row(out + row * n + begin, a + loops.offset(0, row) + begin * stride_a, stride_a,
            b + loops.offset(1, row) + begin * stride_b, stride_b, end - begin, f);
  });
}

template <class F>
Array zip(const char* op, const Tensor& a, const Tensor& b, F f) {
  check_same(op, a, b);
  check_real(op, a);
  const Shape shape = broadcast(op, a.shape(), b.shape());
  if constexpr (cuda_built)
    if (a.on_cuda()) return cuda::zip(a.array(), b.array(), shape, a.dtype(), f);
  Array out = empty_like(a, shape);
  const Broadcast<2> loops(shape, {a.shape(), b.shape()});
  visit_float(op, a.dtype(), [&]<class T>(T) {
    zip_loops(out.data<T>(), a.array().data<T>(), b.array().data<T>(), loops, f);
  });
  return out;
}

// A comparison; all types.
template <class F>
Array compare(const char* op, const Tensor& a, const Tensor& b, F f) {
  check_same(op, a, b);
  const Shape shape = broadcast(op, a.shape(), b.shape());
  if constexpr (cuda_built)
    if (a.on_cuda()) return cuda::zip(a.array(), b.array(), shape, DType::u8, f);
  Array out(shape, DType::u8);
  const Broadcast<2> loops(shape, {a.shape(), b.shape()});
  visit(a.dtype(), [&]<class T>(T) {
    zip_loops(out.data<uint8_t>(), a.array().data<T>(), b.array().data<T>(), loops, f);
  });
  return out;
}

// condition ? a : b
Array choose(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_present("where", condition);
  check_same("where", a, b);
  check(condition.dtype() == DType::u8, "where: expected a u8 condition, found ",
        condition.dtype());
  check(condition.device() == a.device(), "where: expected inputs on one device, found ",
        condition.device(), " and ", a.device());
  const Shape shape =
      broadcast("where", condition.shape(), broadcast("where", a.shape(), b.shape()));
  if constexpr (cuda_built)
    if (a.on_cuda()) return cuda::where(condition.array(), a.array(), b.array(), shape);
  Array out = empty_like(a, shape);
  const Broadcast<3> loops(shape, {condition.shape(), a.shape(), b.shape()});
  const int last = loops.rank - 1;
  const int64_t n = loops.inner();
  const int64_t step_c = loops.stride[0][last], step_a = loops.stride[1][last],
                step_b = loops.stride[2][last];
  const uint8_t* all_c = condition.array().data<uint8_t>();
  visit(a.dtype(), [&]<class T>(T) {
    const T *all_a = a.array().data<T>(), *all_b = b.array().data<T>();
    T* to = out.data<T>();
    parallel_rows(loops, [&](int64_t row, int64_t begin, int64_t end) {
      const uint8_t* from_c = all_c + loops.offset(0, row);
      const T *from_a = all_a + loops.offset(1, row), *from_b = all_b + loops.offset(2, row);
      if (step_c && step_a && step_b)
        for (int64_t i = begin; i < end; ++i) to[row * n + i] = from_c[i] ? from_a[i] : from_b[i];
      else
        for (int64_t i = begin; i < end; ++i)
          to[row * n + i] = from_c[i * step_c] ? from_a[i * step_a] : from_b[i * step_b];
    });
  });
  return out;
}

// The share of a in the gradient of max(a, b): 1, 1/2 where equal, or 0.
Tensor share(const Tensor& larger, const Tensor& smaller) {
  return add(cast(greater(larger, smaller), larger.dtype()),
             scale(cast(equal(larger, smaller), larger.dtype()), 0.5));
}

}  // namespace

Tensor add(const Tensor& a, const Tensor& b) {
  return record("add", {a, b}, zip("add", a, b, functors::Add{}),
                [](const Tensors& g, const Needs&) {
                  return Tensors{g[0], g[0]};
                });
}

Tensor sub(const Tensor& a, const Tensor& b) {
  return record("sub", {a, b}, zip("sub", a, b, functors::Sub{}),
                [](const Tensors& g, const Needs& needs) {
                  return Tensors{g[0], needs[1] ? neg(g[0]) : Tensor()};
                });
}

Tensor mul(const Tensor& a, const Tensor& b, double factor) {
  Array out = factor == 1 ? zip("mul", a, b, functors::Mul{})
                          : zip("mul", a, b, functors::ScaledMul{factor});
  return record("mul", {a, b}, std::move(out), [=](const Tensors& g, const Needs& needs) {
    return Tensors{needs[0] ? mul(g[0], b, factor) : Tensor(),
                   needs[1] ? mul(g[0], a, factor) : Tensor()};
  });
}

Tensor div(const Tensor& a, const Tensor& b) {
  return record("div", {a, b}, zip("div", a, b, functors::Div{}),
                [b](const Tensors& g, const Needs& needs, const Tensors& out) {
                  Tensor to_a = div(g[0], b);
                  return Tensors{to_a, needs[1] ? neg(mul(to_a, out[0])) : Tensor()};
                });
}

Tensor maximum(const Tensor& a, const Tensor& b) {
  return record("maximum", {a, b}, zip("maximum", a, b, functors::Maximum{}),
                [a, b](const Tensors& g, const Needs& needs) {
                  return Tensors{needs[0] ? mul(g[0], share(a, b)) : Tensor(),
                                 needs[1] ? mul(g[0], share(b, a)) : Tensor()};
                });
}

Tensor minimum(const Tensor& a, const Tensor& b) {
  return record("minimum", {a, b}, zip("minimum", a, b, functors::Minimum{}),
                [a, b](const Tensors& g, const Needs& needs) {
                  return Tensors{needs[0] ? mul(g[0], share(b, a)) : Tensor(),
                                 needs[1] ? mul(g[0], share(a, b)) : Tensor()};
                });
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  Array out = choose(condition, a, b);
  if (!is_float(a.dtype())) return out;
  return record("where", {a, b}, std::move(out), [condition](const Tensors& g, const Needs& needs) {
    Tensor zero = Tensor::zeros({}, g[0].dtype(), g[0].device());
    return Tensors{needs[0] ? where(condition, g[0], zero) : Tensor(),
                   needs[1] ? where(condition, zero, g[0]) : Tensor()};
  });
}

Tensor less(const Tensor& a, const Tensor& b) {
  return compare("less", a, b, functors::Less{});
}
Tensor less_equal(const Tensor& a, const Tensor& b) {
  return compare("less_equal", a, b, functors::LessEqual{});
}
Tensor greater(const Tensor& a, const Tensor& b) {
  return compare("greater", b, a, functors::Less{});
}
Tensor greater_equal(const Tensor& a, const Tensor& b) {
  return compare("greater_equal", b, a, functors::LessEqual{});
}
Tensor equal(const Tensor& a, const Tensor& b) {
  return compare("equal", a, b, functors::Equal{});
}

}  // namespace casimir
