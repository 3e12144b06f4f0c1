#include <limits>

#include "autograd/functors.h"
#include "core/cuda_reduce.cuh"

namespace casimir::cuda {
namespace {

// out[t, :] = the rows of t joined, `empty` where there are none.
template <class T, class Join>
void segment_reduce(const char* op, const Array& x, const Segments& index, Array& out, T empty,
                    Join join) {
  const T* in = x.data<T>();
  T* to = out.data<T>();
  const int64_t width = out.shape().row_size(), targets = index.targets();
  if (targets == 0) return;
  const int32_t* offsets = device_data(op, index.device_offsets());
  const int32_t* order = index.sorted() ? nullptr : device_data(op, index.device_order());
  reduce(
      op, {targets, index.size() / targets, width}, empty,
      [=] __device__(int64_t t) {
        return RowRange{offsets[t], offsets[t + 1]};
      },
      [=] __device__(int64_t, int64_t r, int64_t c) {
        return in[(order ? order[r] : r) * width + c];
      },
      join, [=] __device__(int64_t, int64_t t, int64_t c, T value) { to[t * width + c] = value; });
}

}  // namespace

void gather(const Array& x, const Segments& index, Array& out) {
  const int32_t* rows = device_data("gather", index.device_index());
  visit(x.dtype(), [&]<class T>(T) {
    gather_rows("gather", x.data<T>(), rows, index.size(), out.shape().row_size(), out.data<T>());
  });
}

void segment_sum(const Array& x, const Segments& index, Array& out) {
  visit_float("segment_sum", x.dtype(), [&]<class T>(T) {
    segment_reduce("segment_sum", x, index, out, T(0), functors::Add{});
  });
}

void segment_max(const Array& x, const Segments& index, Array& out) {
  visit_float("segment_max", x.dtype(), [&]<class T>(T) {
    segment_reduce("segment_max", x, index, out, -std::numeric_limits<T>::infinity(),
                   functors::Maximum{});
  });
}

}  // namespace casimir::cuda
