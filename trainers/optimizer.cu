#include "autograd/functors.h"
#include "core/cuda_reduce.cuh"
#include "trainers/optimizer_update.h"

namespace casimir::cuda {
namespace {

template <class T>
void update_elements(const UpdatePointers<T>& x, const Array& update, const Array& outcome,
                     int64_t begin, int64_t end, bool decay, double lr_factor) {
  const auto* numbers = reinterpret_cast<const Update<double>*>(update.raw());
  const auto* decided = reinterpret_cast<const StepOutcome*>(outcome.raw());
  for_each("optimizer", end - begin, [=] __device__(int64_t i) {
    if (!decided->apply) return;
    Update<T> u = numbers->as<T>();
    u.gradient_scale = static_cast<T>(decided->gradient_scale);
    update_element(x, for_range(u, decay, lr_factor), begin + i);
  });
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

template <class T>
void judge(const Array& loss, const Array& gradient, double clip, Array& outcome) {
  Array total(Shape{1}, DType::f64, Device::cuda);
  add_squares<T>(gradient, total);
  const T* loss_value = loss.data<T>();
  const double* squares = total.data<double>();
  auto* decided = reinterpret_cast<StepOutcome*>(outcome.raw());
  for_each("judge_step", 1, [=] __device__(int64_t) {
    const double norm = sqrt(*squares);
    decided->loss = static_cast<double>(*loss_value);
    decided->norm = norm;
    decided->gradient_scale = clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1;
    decided->apply = isfinite(decided->loss) && isfinite(norm);
  });
}

}  // namespace

void update_range(const UpdatePointers<float>& x, const Array& update, const Array& outcome,
                  int64_t begin, int64_t end, bool decay, double lr_factor) {
  update_elements(x, update, outcome, begin, end, decay, lr_factor);
}
void update_range(const UpdatePointers<double>& x, const Array& update, const Array& outcome,
                  int64_t begin, int64_t end, bool decay, double lr_factor) {
  update_elements(x, update, outcome, begin, end, decay, lr_factor);
}

// Sum of squares, in f64, on the host: waits for the gradient.
double square_sum(const Array& flat) {
  Array total(Shape{1}, DType::f64, Device::cuda);
  visit_float("global_norm", flat.dtype(), [&]<class T>(T) { add_squares<T>(flat, total); });
  return total.to_vector<double>()[0];
}

void judge_step(const Array& loss, const Array& gradient, double clip, Array& outcome) {
  visit_float("judge_step", gradient.dtype(),
              [&]<class T>(T) { judge<T>(loss, gradient, clip, outcome); });
}

}  // namespace casimir::cuda
