#include "autograd/functors.h"
#include "core/cuda_reduce.cuh"
#include "trainers/optimizer_update.h"

namespace casimir::cuda {
namespace {

template <class T>
void update_elements(const UpdatePointers<T>& x, const Update<T>& u, int64_t begin, int64_t end,
                     bool decay) {
  const T decay_gradient = decay ? u.decay_gradient : T(0);
  const T keep = decay ? T(1) - u.decay_weight : T(1);
  for_each("optimizer", end - begin,
           [=] __device__(int64_t i) { update_element(x, u, decay_gradient, keep, begin + i); });
}

template <class T>
void add_squares(const Array& flat, Array& total) {
  const T* x = flat.data<T>();
  double* out = total.data<double>();
  const int64_t n = flat.size();
  reduce(
      "global_norm", {1, n, 1}, 0.0,
      [=] __device__(int64_t) {
        return RowRange{0, n};
      },
      [=] __device__(int64_t, int64_t i, int64_t) { return static_cast<double>(x[i]) * x[i]; },
      functors::Add{}, [=] __device__(int64_t, int64_t, int64_t, double sum) { *out = sum; });
}

}  // namespace

void update_range(const UpdatePointers<float>& x, const Update<float>& u, int64_t begin,
                  int64_t end, bool decay) {
  update_elements(x, u, begin, end, decay);
}
void update_range(const UpdatePointers<double>& x, const Update<double>& u, int64_t begin,
                  int64_t end, bool decay) {
  update_elements(x, u, begin, end, decay);
}

// Sum of squares, in f64, on the host: waits for the gradient.
double square_sum(const Array& flat) {
  Array total(Shape{1}, DType::f64, Device::cuda);
  visit_float("global_norm", flat.dtype(), [&]<class T>(T) { add_squares<T>(flat, total); });
  return total.to_vector<double>()[0];
}

}  // namespace casimir::cuda
