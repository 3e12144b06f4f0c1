// Tensor: an array and, while a tape records, its place on that tape. Immutable once made.
#pragma once

#include <vector>

#include "core/array.h"

namespace casimir {

class Tensor {
 public:
  Tensor() = default;                                // absent; not zero
  Tensor(Array array) : array_(std::move(array)) {}  // a constant
  template <class T>
  static Tensor from(const std::vector<T>& values, Shape shape) {
    return Array::from(values, shape);
  }
  static Tensor scalar(double value, DType dtype);  // shape []
  static Tensor zeros(Shape shape, DType dtype, Device device = Device::cpu);
  static Tensor ones(Shape shape, DType dtype, Device device = Device::cpu);
  static Tensor full(Shape shape, double value, DType dtype, Device device = Device::cpu);

  bool defined() const { return array_.defined(); }
  const Array& array() const { return array_; }
  const Shape& shape() const { return array_.shape(); }
  int rank() const { return array_.rank(); }
  int64_t dim(int axis) const { return array_.shape()[axis]; }
  int64_t size() const { return array_.size(); }
  DType dtype() const { return array_.dtype(); }
  Device device() const { return array_.device(); }
  bool on_cpu() const { return array_.on_cpu(); }
  bool on_cuda() const { return array_.on_cuda(); }
  double item() const;  // the value of a one-element tensor

 private:
  friend class Tape;
  friend class Parameters;
  Array array_;
  uint64_t tape_ = 0;       // id of the tape that made it; 0: none
  int32_t slot_ = -1;       // its place there
  int32_t parameter_ = -1;  // number in its Parameters, for good
  uint64_t store_ = 0;      // id of those Parameters
};

using Tensors = std::vector<Tensor>;

Tensor operator+(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a, const Tensor& b);
Tensor operator*(const Tensor& a, const Tensor& b);
Tensor operator/(const Tensor& a, const Tensor& b);
Tensor operator-(const Tensor& a);
Tensor operator+(const Tensor& a, double b);
Tensor operator-(const Tensor& a, double b);
Tensor operator*(const Tensor& a, double b);
Tensor operator/(const Tensor& a, double b);
inline Tensor operator+(double a, const Tensor& b) {
  return b + a;
}
inline Tensor operator*(double a, const Tensor& b) {
  return b * a;
}
Tensor operator-(double a, const Tensor& b);
Tensor operator/(double a, const Tensor& b);

}  // namespace casimir
