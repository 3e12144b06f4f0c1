#include <limits>

#include "autograd/broadcast.cuh"
#include "autograd/functors.h"
#include "core/cuda_reduce.cuh"

namespace casimir::cuda {
namespace {

// store(o, j, value) with the joined values load(line, x[o, :, j]), where line = o inner + j.
template <class Acc, class T, class Load, class Join, class Store>
void reduce_axis(const char* op, const Array& x, const AxisView& v, Acc identity, Load load,
                 Join join, Store store) {
  const T* in = x.data<T>();
  const int64_t n = v.n, inner = v.inner;
  reduce(
      op, {v.outer, n, inner}, identity,
      [=] __device__(int64_t) {
        return RowRange{0, n};
      },
      [=] __device__(int64_t o, int64_t r, int64_t j) -> Acc {
        return load(o * inner + j, in[(o * n + r) * inner + j]);
      },
      join,
      [=] __device__(int64_t, int64_t o, int64_t j, Acc value) { store(o * inner + j, value); });
}

// In f64, as on the CPU.
template <class T>
void sum_axis(const Array& x, const AxisView& v, Array& out) {
  T* to = out.data<T>();
  reduce_axis<double, T>(
      "sum", x, v, 0.0, [=] __device__(int64_t, T value) { return static_cast<double>(value); },
      functors::Add{},
      [=] __device__(int64_t line, double sum) { to[line] = static_cast<T>(sum); });
}

template <class T>
void max_axis(const Array& x, const AxisView& v, Array& out) {
  T* to = out.data<T>();
  reduce_axis<T, T>(
      "max", x, v, -std::numeric_limits<T>::infinity(),
      [=] __device__(int64_t, T value) { return value; }, functors::Maximum{},
      [=] __device__(int64_t line, T best) { to[line] = best; });
}

// For each line of the axis its maximum (0 where that is -inf) and the sum of exp(x - maximum).
struct ExpLines {
  Array top, sums;
};
template <class T>
ExpLines exp_lines(const char* op, const Array& x, const AxisView& v) {
  ExpLines lines{Array({v.outer, v.inner}, x.dtype(), Device::cuda),
                 Array({v.outer, v.inner}, DType::f64, Device::cuda)};
  T* top = lines.top.data<T>();
  const T lowest = -std::numeric_limits<T>::infinity();
  reduce_axis<T, T>(
      op, x, v, lowest, [=] __device__(int64_t, T value) { return value; }, functors::Maximum{},
      [=] __device__(int64_t line, T best) { top[line] = best == lowest ? T(0) : best; });
  double* sums = lines.sums.data<double>();
  reduce_axis<double, T>(
      op, x, v, 0.0,
      [=] __device__(int64_t line, T value) {
        return static_cast<double>(functors::fast_exp(value - top[line]));
      },
      functors::Add{}, [=] __device__(int64_t line, double sum) { sums[line] = sum; });
  return lines;
}

template <class T>
void softmax_axis(const Array& x, const AxisView& v, Array& out) {
  const ExpLines lines = exp_lines<T>("softmax", x, v);
  const T *in = x.data<T>(), *top = lines.top.data<T>();
  const double* sums = lines.sums.data<double>();
  T* to = out.data<T>();
  const int64_t n = v.n, inner = v.inner;
  for_rows("softmax", v.outer * n, inner, [=] __device__(int64_t row, int64_t j) {
    const int64_t line = row / n * inner + j, i = row * inner + j;
    to[i] = functors::fast_exp(in[i] - top[line]) / static_cast<T>(sums[line]);
  });
}

template <class T>
void logsumexp_axis(const Array& x, const AxisView& v, Array& out) {
  const ExpLines lines = exp_lines<T>("logsumexp", x, v);
  const T* top = lines.top.data<T>();
  const double* sums = lines.sums.data<double>();
  T* to = out.data<T>();
  for_each("logsumexp", out.size(),
           [=] __device__(int64_t i) { to[i] = static_cast<T>(top[i] + ::log(sums[i])); });
}

template <class T>
void expand_rows(const Array& x, Array& out) {
  const Broadcast<1> loops(out.shape(), {x.shape()});
  const T* in = x.data<T>();
  T* to = out.data<T>();
  const int64_t n = loops.inner();
  for_rows("expand", loops.rows(), n, [=] __device__(int64_t row, int64_t i) {
    to[row * n + i] = in[element(loops, 0, row, i)];
  });
}

}  // namespace

void sum(const Array& x, AxisView view, Array& out) {
  visit_float("sum", x.dtype(), [&]<class T>(T) { sum_axis<T>(x, view, out); });
}
void max(const Array& x, AxisView view, Array& out) {
  visit_float("max", x.dtype(), [&]<class T>(T) { max_axis<T>(x, view, out); });
}
void softmax(const Array& x, AxisView view, Array& out) {
  visit_float("softmax", x.dtype(), [&]<class T>(T) { softmax_axis<T>(x, view, out); });
}
void logsumexp(const Array& x, AxisView view, Array& out) {
  visit_float("logsumexp", x.dtype(), [&]<class T>(T) { logsumexp_axis<T>(x, view, out); });
}
void expand(const Array& x, Array& out) {
  visit_float("expand", x.dtype(), [&]<class T>(T) { expand_rows<T>(x, out); });
}

}  // namespace casimir::cuda
