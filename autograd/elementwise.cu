#include <type_traits>

#include "autograd/broadcast.cuh"
#include "autograd/functors.h"
#include "core/cuda_launch.cuh"

namespace casimir::cuda {
namespace {

// out = f(a, b); R is what f returns.
template <class R, class T, class F>
void zip_rows(const Array& a, const Array& b, Array& out, F f) {
  const Broadcast<2> loops(out.shape(), {a.shape(), b.shape()});
  const T *from_a = a.data<T>(), *from_b = b.data<T>();
  R* to = out.data<R>();
  const int64_t n = loops.inner();
  for_rows("zip", loops.rows(), n, [=] __device__(int64_t row, int64_t i) {
    to[row * n + i] = f(from_a[element(loops, 0, row, i)], from_b[element(loops, 1, row, i)]);
  });
}

template <class T>
void where_rows(const Array& condition, const Array& a, const Array& b, Array& out) {
  const Broadcast<3> loops(out.shape(), {condition.shape(), a.shape(), b.shape()});
  const uint8_t* c = condition.data<uint8_t>();
  const T *from_a = a.data<T>(), *from_b = b.data<T>();
  T* to = out.data<T>();
  const int64_t n = loops.inner();
  for_rows("where", loops.rows(), n, [=] __device__(int64_t row, int64_t i) {
    to[row * n + i] = c[element(loops, 0, row, i)] ? from_a[element(loops, 1, row, i)]
                                                   : from_b[element(loops, 2, row, i)];
  });
}

}  // namespace

// Arithmetic is between real numbers, comparisons, which give u8, between any.
template <class F>
Array zip(const Array& a, const Array& b, const Shape& shape, DType dtype, F f) {
  using Result = std::invoke_result_t<F, float, float>;
  Array out(shape, dtype, Device::cuda);
  if constexpr (std::is_same_v<Result, uint8_t>)
    visit(a.dtype(), [&]<class T>(T) { zip_rows<uint8_t, T>(a, b, out, f); });
  else
    visit_float("zip", a.dtype(), [&]<class T>(T) { zip_rows<T, T>(a, b, out, f); });
  return out;
}

using namespace functors;
template Array zip(const Array&, const Array&, const Shape&, DType, Add);
template Array zip(const Array&, const Array&, const Shape&, DType, Sub);
template Array zip(const Array&, const Array&, const Shape&, DType, Mul);
template Array zip(const Array&, const Array&, const Shape&, DType, ScaledMul);
template Array zip(const Array&, const Array&, const Shape&, DType, Div);
template Array zip(const Array&, const Array&, const Shape&, DType, Maximum);
template Array zip(const Array&, const Array&, const Shape&, DType, Minimum);
template Array zip(const Array&, const Array&, const Shape&, DType, Less);
template Array zip(const Array&, const Array&, const Shape&, DType, LessEqual);
template Array zip(const Array&, const Array&, const Shape&, DType, Equal);

Array where(const Array& condition, const Array& a, const Array& b, const Shape& shape) {
  Array out(shape, a.dtype(), Device::cuda);
  visit(a.dtype(), [&]<class T>(T) { where_rows<T>(condition, a, b, out); });
  return out;
}

}  // namespace casimir::cuda
