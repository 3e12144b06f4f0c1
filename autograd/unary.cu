#include "autograd/functors.h"
#include "core/cuda_launch.cuh"

namespace casimir::cuda {
namespace {

template <class T, class F>
void map_elements(const Array& x, Array& out, F f) {
  const T* in = x.data<T>();
  T* to = out.data<T>();
  for_each("map", x.size(), [=] __device__(int64_t i) { to[i] = f(in[i]); });
}

template <class From, class To>
void cast_elements(const Array& x, Array& out) {
  const From* in = x.data<From>();
  To* to = out.data<To>();
  for_each("cast", x.size(), [=] __device__(int64_t i) { to[i] = static_cast<To>(in[i]); });
}

}  // namespace

template <class F>
Array map(const Array& x, F f) {
  Array out(x.shape(), x.dtype(), Device::cuda);
  visit_float("map", x.dtype(), [&]<class T>(T) { map_elements<T>(x, out, f); });
  return out;
}

using namespace functors;
template Array map(const Array&, Neg);
template Array map(const Array&, Scale);
template Array map(const Array&, Shift);
template Array map(const Array&, Pow);
template Array map(const Array&, Square);
template Array map(const Array&, Sqrt);
template Array map(const Array&, Reciprocal);
template Array map(const Array&, SafeReciprocal);
template Array map(const Array&, Exp);
template Array map(const Array&, Log);
template Array map(const Array&, Sin);
template Array map(const Array&, Cos);
template Array map(const Array&, Tanh);
template Array map(const Array&, Abs);
template Array map(const Array&, Sign);
template Array map(const Array&, Relu);
template Array map(const Array&, Sigmoid);
template Array map(const Array&, SigmoidDerivative<3>);
template Array map(const Array&, SigmoidDerivative<max_sigmoid_order>);
template Array map(const Array&, Silu);
template Array map(const Array&, SiluDerivative<3>);
template Array map(const Array&, SiluDerivative<max_sigmoid_order>);
template Array map(const Array&, Softplus);

Array cast(const Array& x, DType dtype) {
  Array out(x.shape(), dtype, Device::cuda);
  visit(x.dtype(), [&]<class From>(From) {
    visit(dtype, [&]<class To>(To) { cast_elements<From, To>(x, out); });
  });
  return out;
}

}  // namespace casimir::cuda
