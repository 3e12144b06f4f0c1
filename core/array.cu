#include "core/cuda_launch.cuh"

namespace casimir::cuda {

void fill_bytes(void* data, int value, size_t bytes);

namespace {
template <class T>
void fill_with(Array& array, T value) {
  T* out = array.data<T>();
  for_each("fill", array.size(), [=] __device__(int64_t i) { out[i] = value; });
}
}  // namespace

void fill(Array& array, double value) {
  if (array.size() == 0) return;
  if (value == 0) return fill_bytes(array.raw(), 0, array.bytes());
  visit(array.dtype(), [&]<class T>(T) { fill_with(array, static_cast<T>(value)); });
}

}  // namespace casimir::cuda
