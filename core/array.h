// Array: a buffer with a shape and an element type, always contiguous and row-major.
// Copies share the buffer; copy() does not.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/dtype.h"
#include "core/memory.h"
#include "core/shape.h"

namespace casimir {

class Array {
 public:
  Array() = default;
  // Uninitialised memory (NaN bits in poison mode).
  Array(Shape shape, DType dtype, Device device = Device::cpu);

  template <class T>
  static Array from(std::span<const T> values, Shape shape) {
    check(static_cast<int64_t>(values.size()) == shape.size(), "array: ", values.size(),
          " values for shape ", shape);
    Array array(shape, dtype_of<T>());
    std::copy(values.begin(), values.end(), array.data<T>());
    return array;
  }
  template <class T>
  static Array from(const std::vector<T>& values, Shape shape) {
    return from(std::span<const T>(values), shape);
  }
  template <class T>
  static Array from(const std::vector<T>& values) {
    return from(values, Shape{static_cast<int64_t>(values.size())});
  }

  bool defined() const { return buffer_ != nullptr; }
  const Shape& shape() const { return shape_; }
  int rank() const { return shape_.rank(); }
  int64_t size() const { return shape_.size(); }
  int64_t bytes() const { return size() * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const { return device_; }
  bool on_cpu() const { return device_ == Device::cpu; }
  bool on_cuda() const { return device_ == Device::cuda; }
  const std::shared_ptr<Buffer>& buffer() const { return buffer_; }

  void* raw() { return static_cast<char*>(buffer_->data()) + offset_; }
  const void* raw() const { return static_cast<const char*>(buffer_->data()) + offset_; }
  template <class T>
  T* data() {
    check(dtype_of<T>() == dtype_, "array: asked for ", dtype_of<T>(), ", holds ", dtype_);
    return static_cast<T*>(raw());
  }
  template <class T>
  const T* data() const {
    check(dtype_of<T>() == dtype_, "array: asked for ", dtype_of<T>(), ", holds ", dtype_);
    return static_cast<const T*>(raw());
  }
  template <class T>
  std::span<const T> values() const {
    return {data<T>(), static_cast<size_t>(size())};
  }
  template <class T>
  std::vector<T> to_vector() const {  // on any device
    Array host = to(Device::cpu);
    return {host.data<T>(), host.data<T>() + size()};
  }

  Array copy() const;
  Array to(Device device) const;                 // itself when already there
  Array cast(DType dtype) const;                 // itself when already so; on the CPU
  Array reshaped(Shape shape) const;             // shares the buffer
  Array rows(int64_t begin, int64_t end) const;  // shares the buffer: a range of axis 0
  // Shares the buffer: what lies there read as another type, from a byte on.
  Array view(int64_t first_byte, Shape shape, DType dtype) const;
  void fill(double value);
  void copy_from(const Array& other);  // same shape and dtype

 private:
  std::shared_ptr<Buffer> buffer_;
  Shape shape_{0};
  DType dtype_ = DType::f32;
  Device device_ = Device::cpu;
  size_t offset_ = 0;  // bytes from the buffer's start
};

}  // namespace casimir
