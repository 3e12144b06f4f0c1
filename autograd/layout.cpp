#include <cstring>

#include "autograd/kernels.h"

namespace casimir {

namespace cuda {
void permute(const Array& x, const std::vector<int>& axes, Array& out);
// Copies [outer, count, inner] from offset `from` of an axis of length n_from to offset `to` of one
// of length n_to, in both an outer number of times.
void copy_range(const Array& x, int64_t from, int64_t n_from, Array& out, int64_t to, int64_t n_to,
                int64_t outer, int64_t count, int64_t inner);
}  // namespace cuda

namespace {

// out[o, to + i, :] = x[o, from + i, :] for i < count.
void copy_range(const Array& x, const AxisView& vx, int64_t from, Array& out, const AxisView& vo,
                int64_t to, int64_t count) {
  if constexpr (cuda_built)
    if (x.on_cuda())
      return cuda::copy_range(x, from, vx.n, out, to, vo.n, vx.outer, count, vx.inner);
  const int64_t item = size_of(x.dtype()) * vx.inner, bytes = item * count;
  const char* source = static_cast<const char*>(x.raw()) + from * item;
  char* target = static_cast<char*>(out.raw()) + to * item;
  if (bytes == 0) return;
  parallel_for(vx.outer, grain_for(bytes / 4 + 4), [&](int64_t begin, int64_t end) {
    for (int64_t o = begin; o < end; ++o)
      std::memcpy(target + o * vo.n * item, source + o * vx.n * item, bytes);
  });
}

// Permute.

// The loops of a permutation, in the order of the output, neighbours that stay together joined.
struct Permutation {
  int rank = 0;
  int64_t size[Shape::max_rank] = {}, stride[Shape::max_rank] = {};  // strides in the input
  int64_t step[Shape::max_rank] = {};                                // strides in the output
};
Permutation plan_permutation(const Shape& shape, const std::vector<int>& axes) {
  int64_t strides[Shape::max_rank] = {}, step = 1;
  for (int i = shape.rank() - 1; i >= 0; --i) strides[i] = step, step *= shape[i];
  Permutation p;
  for (int axis : axes) {
    if (shape[axis] == 1) continue;
    const int last = p.rank - 1;
    if (p.rank && p.stride[last] == strides[axis] * shape[axis]) {
      p.size[last] *= shape[axis], p.stride[last] = strides[axis];
    } else {
      p.size[p.rank] = shape[axis], p.stride[p.rank++] = strides[axis];
    }
  }
  if (p.rank == 0) p.rank = 1, p.size[0] = 1, p.stride[0] = 1;
  step = 1;
  for (int i = p.rank - 1; i >= 0; --i) p.step[i] = step, step *= p.size[i];
  return p;
}

// Copies the last loop, or the plane of the last loop and the one that is contiguous in the input,
// in tiles, so that both sides are read and written in whole cache lines; `outer` loops go around.
template <class T>
void permute_kernel(const T* x, T* out, const Permutation& p) {
  constexpr int64_t tile = 16;
  const int last = p.rank - 1;
  int fast = last;  // the loop along which the input is contiguous
  for (int i = 0; i < p.rank; ++i)
    if (p.stride[i] == 1) fast = i;
  const int64_t n = p.size[last], m = fast == last ? 1 : p.size[fast];
  int64_t outer = 1;
  for (int i = 0; i < last; ++i)
    if (i != fast) outer *= p.size[i];
  const int64_t strips = (m + tile - 1) / tile;
  parallel_for(outer * strips, grain_for(n * std::min(m, tile)), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t) {
      int64_t row = t / strips, in = 0, to = 0;
      for (int i = last - 1; i >= 0; --i) {
        if (i == fast) continue;
        in += row % p.size[i] * p.stride[i], to += row % p.size[i] * p.step[i];
        row /= p.size[i];
      }
      if (fast == last) {
        std::copy(x + in, x + in + n, out + to);
        continue;
      }
      const int64_t first = t % strips * tile, stop = std::min(first + tile, m);
      for (int64_t j = 0; j < n; j += tile)
        for (int64_t i = first; i < stop; ++i)
          for (int64_t k = j; k < std::min(j + tile, n); ++k)
            out[to + i * p.step[fast] + k] = x[in + i + k * p.stride[last]];
    }
  });
}

}  // namespace

Tensor reshape(const Tensor& x, const Shape& shape) {
  check_present("reshape", x);
  if (x.shape() == shape) return x;
  return record("reshape", {x}, x.array().reshaped(shape),
                [before = x.shape()](const Tensors& g, const Needs&) {
                  return Tensors{reshape(g[0], before)};
                });
}

Tensor permute(const Tensor& x, const std::vector<int>& axes) {
  check_present("permute", x);
  check(static_cast<int>(axes.size()) == x.rank(), "permute: ", axes.size(), " axes for shape ",
        x.shape());
  std::vector<int> order(axes.size()), back(axes.size(), -1);
  std::vector<int64_t> sizes(axes.size());
  for (int i = 0; i < x.rank(); ++i) {
    order[i] = normalize_axis("permute", axes[i], x.rank());
    check(back[order[i]] < 0, "permute: axis ", axes[i], " is given twice");
    back[order[i]] = i;
    sizes[i] = x.dim(order[i]);
  }
  Array out = empty_like(x, Shape(std::span<const int64_t>(sizes)));
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::permute(x.array(), order, out);
  if (x.on_cpu() && x.size() > 0)
    visit(x.dtype(), [&]<class T>(T) {
      permute_kernel(x.array().data<T>(), out.data<T>(), plan_permutation(x.shape(), order));
    });
  return record("permute", {x}, std::move(out),
                [back](const Tensors& g, const Needs&) { return Tensors{permute(g[0], back)}; });
}

Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end) {
  check_present("slice", x);
  axis = normalize_axis("slice", axis, x.rank());
  const int64_t n = x.dim(axis);
  check(0 <= begin && begin <= end && end <= n, "slice: ", begin, " to ", end, " of axis ", axis,
        " of ", x.shape());
  if (begin == 0 && end == n) return x;
  Array out;
  if (axis == 0) {
    out = x.array().rows(begin, end);
  } else {
    out = empty_like(x, x.shape().with(axis, end - begin));
    copy_range(x.array(), view_axis(x.shape(), axis), begin, out, view_axis(out.shape(), axis), 0,
               end - begin);
  }
  return record("slice", {x}, std::move(out),
                [axis, begin, after = n - end](const Tensors& g, const Needs&) {
                  return Tensors{pad(g[0], axis, begin, after)};
                });
}

Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after) {
  check_present("pad", x);
  axis = normalize_axis("pad", axis, x.rank());
  check(before >= 0 && after >= 0, "pad: by ", before, " and ", after, " rows");
  const int64_t n = x.dim(axis);
  if (before == 0 && after == 0) return x;
  Array out = empty_like(x, x.shape().with(axis, before + n + after));
  out.fill(0);
  copy_range(x.array(), view_axis(x.shape(), axis), 0, out, view_axis(out.shape(), axis), before,
             n);
  return record("pad", {x}, std::move(out), [axis, before, n](const Tensors& g, const Needs&) {
    return Tensors{slice(g[0], axis, before, before + n)};
  });
}

Tensor concat(const Tensors& xs, int axis) {
  check(!xs.empty(), "concat: of no tensors");
  check_present("concat", xs[0]);
  axis = normalize_axis("concat", axis, xs[0].rank());
  std::vector<int64_t> starts{0};
  for (const Tensor& x : xs) {
    check_same("concat", xs[0], x);
    check(x.rank() == xs[0].rank() && x.shape().with(axis, 0) == xs[0].shape().with(axis, 0),
          "concat: along axis ", axis, ", shapes differ elsewhere: ", xs[0].shape(), " and ",
          x.shape());
    starts.push_back(starts.back() + x.dim(axis));
  }
  if (xs.size() == 1) return xs[0];
  Array out = empty_like(xs[0], xs[0].shape().with(axis, starts.back()));
  for (size_t i = 0; i < xs.size(); ++i)
    copy_range(xs[i].array(), view_axis(xs[i].shape(), axis), 0, out, view_axis(out.shape(), axis),
               starts[i], xs[i].dim(axis));
  return record("concat", xs, std::move(out), [axis, starts](const Tensors& g, const Needs& needs) {
    Tensors parts(needs.size());
    for (size_t i = 0; i < parts.size(); ++i)
      if (needs[i]) parts[i] = slice(g[0], axis, starts[i], starts[i + 1]);
    return parts;
  });
}

}  // namespace casimir
