#include "core/array.h"

#include <cstring>

#include "core/parallel.h"

namespace casimir {

namespace cuda {
void copy(void* to, Device to_device, const void* from, Device from_device, size_t bytes);
void fill(Array& array, double value);
}  // namespace cuda

namespace {
void copy_bytes(void* to, Device to_device, const void* from, Device from_device, size_t bytes) {
  if (bytes == 0) return;
  if constexpr (cuda_built)
    if (to_device == Device::cuda || from_device == Device::cuda)
      return cuda::copy(to, to_device, from, from_device, bytes);
  std::memcpy(to, from, bytes);
}
}  // namespace

Array::Array(Shape shape, DType dtype, Device device)
    : buffer_(std::make_shared<Buffer>(shape.size() * size_of(dtype), device)),
      shape_(shape),
      dtype_(dtype),
      device_(device) {}

Array Array::copy() const {
  Array out(shape_, dtype_, device_);
  copy_bytes(out.raw(), device_, raw(), device_, bytes());
  return out;
}

Array Array::to(Device device) const {
  if (device == device_) return *this;
  Array out(shape_, dtype_, device);
  copy_bytes(out.raw(), device, raw(), device_, bytes());
  return out;
}

Array Array::cast(DType dtype) const {
  if (dtype == dtype_) return *this;
  Array out(shape_, dtype);
  visit(dtype_, [&]<class From>(From) {
    visit(dtype, [&]<class To>(To) {
      const From* from = data<From>();
      To* to = out.data<To>();
      for (int64_t i = 0; i < size(); ++i) to[i] = static_cast<To>(from[i]);
    });
  });
  return out;
}

Array Array::reshaped(Shape shape) const {
  check(shape.size() == size(), "reshape: ", shape_, " has ", size(), " elements, ", shape, " has ",
        shape.size());
  Array out = *this;
  out.shape_ = shape;
  return out;
}

Array Array::rows(int64_t begin, int64_t end) const {
  check(rank() > 0 && begin >= 0 && begin <= end && end <= shape_[0], "rows: ", begin, " to ", end,
        " of ", shape_);
  Array out = *this;
  out.offset_ += begin * shape_.row_size() * size_of(dtype_);
  out.shape_ = shape_.with(0, end - begin);
  return out;
}

Array Array::view(int64_t first_byte, Shape shape, DType dtype) const {
  const int64_t end = first_byte + shape.size() * size_of(dtype);
  check(first_byte >= 0 && end <= bytes() && first_byte % size_of(dtype) == 0, "view: bytes ",
        first_byte, " to ", end, " of ", bytes(), " as ", dtype, " ", shape);
  Array out = *this;
  out.offset_ += first_byte;
  out.shape_ = shape;
  out.dtype_ = dtype;
  return out;
}

void Array::fill(double value) {
  if constexpr (cuda_built)
    if (on_cuda()) return cuda::fill(*this, value);
  visit(dtype_, [&]<class T>(T) {
    T* out = data<T>();
    parallel_for(size(), 1 << 16, [&](int64_t begin, int64_t end) {
      std::fill(out + begin, out + end, static_cast<T>(value));
    });
  });
}

void Array::copy_from(const Array& other) {
  check(other.shape_ == shape_ && other.dtype_ == dtype_, "copy: ", other.shape_, " ", other.dtype_,
        " into ", shape_, " ", dtype_);
  copy_bytes(raw(), device_, other.raw(), other.device_, bytes());
}

}  // namespace casimir
