#include <vector>

#include "core/cuda_launch.cuh"

namespace casimir::cuda {
namespace {

// The loops of a permutation in the order of the output, with their strides in the input.
struct Permutation {
  int rank = 0;
  int64_t size[Shape::max_rank] = {}, stride[Shape::max_rank] = {};
};

Permutation plan_permutation(const Shape& shape, const std::vector<int>& axes) {
  int64_t strides[Shape::max_rank] = {}, step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) strides[i] = step, step *= shape[i];
  Permutation p;
  for (int axis : axes) {
    if (shape[axis] == 1) continue;
    const int last = p.rank - 1;
    if (p.rank > 0 && p.stride[last] == strides[axis] * shape[axis]) {
      p.size[last] *= shape[axis], p.stride[last] = strides[axis];
    } else {
      p.size[p.rank] = shape[axis], p.stride[p.rank++] = strides[axis];
    }
  }
  if (p.rank == 0) p.rank = 1, p.size[0] = 1;
  return p;
}

template <class T>
void permute_elements(const Array& x, const Permutation& p, Array& out) {
  const T* in = x.data<T>();
  T* to = out.data<T>();
  const int last = p.rank - 1;
  const int64_t n = p.size[last];
  for_rows("permute", x.size() / n, n, [=] __device__(int64_t row, int64_t i) {
    int64_t from = i * p.stride[last], rest = row;
    for (int loop = last - 1; loop >= 0; --loop) {
      from += rest % p.size[loop] * p.stride[loop];
      rest /= p.size[loop];
    }
    to[row * n + i] = in[from];
  });
}

}  // namespace

void permute(const Array& x, const std::vector<int>& axes, Array& out) {
  if (x.size() == 0) return;
  const Permutation p = plan_permutation(x.shape(), axes);
  visit(x.dtype(), [&]<class T>(T) { permute_elements<T>(x, p, out); });
}

void copy_range(const Array& x, int64_t from, int64_t n_from, Array& out, int64_t to, int64_t n_to,
                int64_t outer, int64_t count, int64_t inner) {
  visit(x.dtype(), [&]<class T>(T) {
    copy_columns(x.data<T>() + from * inner, n_from * inner, out.data<T>() + to * inner,
                 n_to * inner, outer, count * inner);
  });
}

}  // namespace casimir::cuda
