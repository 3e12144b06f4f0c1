#include "autograd/tensor.h"

#include "autograd/ops.h"

namespace casimir {

Tensor Tensor::full(Shape shape, double value, DType dtype, Device device) {
  Array array(shape, dtype, device);
  array.fill(value);
  return array;
}
Tensor Tensor::scalar(double value, DType dtype) {
  return full(Shape{}, value, dtype);
}
Tensor Tensor::zeros(Shape shape, DType dtype, Device device) {
  return full(shape, 0, dtype, device);
}
Tensor Tensor::ones(Shape shape, DType dtype, Device device) {
  return full(shape, 1, dtype, device);
}

double Tensor::item() const {
  check(size() == 1, "item: expected one element, found shape ", shape());
  Array host = array_.to(Device::cpu);
  return visit(dtype(), [&]<class T>(T) { return static_cast<double>(*host.data<T>()); });
}

Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}
Tensor operator-(const Tensor& a, const Tensor& b) {
  return sub(a, b);
}
Tensor operator*(const Tensor& a, const Tensor& b) {
  return mul(a, b);
}
Tensor operator/(const Tensor& a, const Tensor& b) {
  return div(a, b);
}
Tensor operator-(const Tensor& a) {
  return neg(a);
}
Tensor operator+(const Tensor& a, double b) {
  return shift(a, b);
}
Tensor operator-(const Tensor& a, double b) {
  return shift(a, -b);
}
Tensor operator*(const Tensor& a, double b) {
  return scale(a, b);
}
Tensor operator/(const Tensor& a, double b) {
  return scale(a, 1 / b);
}
Tensor operator-(double a, const Tensor& b) {
  return shift(neg(b), a);
}
Tensor operator/(double a, const Tensor& b) {
  return scale(reciprocal(b), a);
}

}  // namespace casimir
