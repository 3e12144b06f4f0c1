#include <cmath>
#include <limits>

#include "autograd/functors.h"
#include "autograd/kernels.h"

namespace casimir {

namespace cuda {
// x seen as [outer, n, inner]; out [outer, inner].
void sum(const Array& x, AxisView view, Array& out);
void max(const Array& x, AxisView view, Array& out);
void softmax(const Array& x, AxisView view, Array& out);
void logsumexp(const Array& x, AxisView view, Array& out);
void expand(const Array& x, Array& out);
}  // namespace cuda

namespace {

// Which axes.

std::vector<bool> axis_mask(const char* op, const Tensor& x, const std::vector<int>& axes) {
  std::vector<bool> mask(x.rank(), axes.empty());
  for (int axis : axes) {
    const int at = normalize_axis(op, axis, x.rank());
    check(!mask[at], op, ": axis ", axis, " is given twice");
    mask[at] = true;
  }
  return mask;
}

// The reduced axes become 1, or go.
Shape reduced_shape(const Shape& shape, const std::vector<bool>& mask, bool keep) {
  std::vector<int64_t> sizes;
  for (int i = 0; i < shape.rank(); ++i)
    if (!mask[i])
      sizes.push_back(shape[i]);
    else if (keep)
      sizes.push_back(1);
  return Shape(std::span<const int64_t>(sizes));
}

// Kernels over [outer, n, inner].

constexpr int64_t row_block = 4096;  // elements of a long axis that one partial sum takes

// Sum of n numbers, in f64, sixteen at a time.
template <class T>
double sum_row(const T* x, int64_t n) {
  constexpr int lanes = 16;
  double sums[lanes] = {}, tail = 0;
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int j = 0; j < lanes; ++j) sums[j] += x[i + j];
  for (; i < n; ++i) tail += x[i];
  for (int width = lanes / 2; width > 0; width /= 2)
    for (int j = 0; j < width; ++j) sums[j] += sums[j + width];
  return sums[0] + tail;
}

// sums[0 .. inner) = sums over n rows of length inner, in f64.
template <class T>
void sum_rows(const T* x, int64_t n, int64_t inner, double* sums) {
  std::fill(sums, sums + inner, 0.0);
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < inner; ++j) sums[j] += x[r * inner + j];
}

// One block of rows of the axis: rows [begin, end) of outer index o, into sums[inner].
template <class T>
void sum_block(const T* x, const AxisView& v, int64_t o, int64_t begin, int64_t end, double* sums) {
  const T* from = x + (o * v.n + begin) * v.inner;
  if (v.inner == 1)
    *sums = sum_row(from, end - begin);
  else
    sum_rows(from, end - begin, v.inner, sums);
}

// Sums over a short axis.
template <class T>
void sum_short_axis(const T* x, const AxisView& v, T* out) {
  parallel_for(v.outer, grain_for(v.n * v.inner + 8), [&](int64_t first, int64_t last) {
    std::vector<double> sums(v.inner);
    for (int64_t o = first; o < last; ++o) {
      sum_block(x, v, o, 0, v.n, sums.data());
      for (int64_t j = 0; j < v.inner; ++j) out[o * v.inner + j] = static_cast<T>(sums[j]);
    }
  });
}

// A long axis is cut in blocks whose sums are added in order, so that few outputs still keep all
// threads busy; the cuts depend on the shape alone.
template <class T>
void sum_axis(const T* x, const AxisView& v, T* out) {
  if (v.outer * v.inner == 0) return;
  const int64_t rows = std::max<int64_t>(1, row_block / v.inner);
  const int64_t blocks = (v.n + rows - 1) / rows;
  if (blocks <= 1) return sum_short_axis(x, v, out);
  Array partial({v.outer * blocks, v.inner}, DType::f64);
  double* sums = partial.data<double>();
  parallel_for(v.outer * blocks, grain_for(row_block), [&](int64_t first, int64_t last) {
    for (int64_t t = first; t < last; ++t) {
      const int64_t o = t / blocks, begin = t % blocks * rows;
      sum_block(x, v, o, begin, std::min(begin + rows, v.n), sums + t * v.inner);
    }
  });
  parallel_for(v.outer, grain_for(blocks * v.inner), [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; ++o) {
      double* total = sums + o * blocks * v.inner;
      for (int64_t b = 1; b < blocks; ++b)
        for (int64_t j = 0; j < v.inner; ++j) total[j] += total[b * v.inner + j];
      for (int64_t j = 0; j < v.inner; ++j) out[o * v.inner + j] = static_cast<T>(total[j]);
    }
  });
}

// Sixteen running values, so that a fold over one line vectorises; combined at the end.
template <class T>
T max_line(const T* x, int64_t n) {
  constexpr int lanes = 16;
  T best[lanes];
  std::fill(best, best + lanes, x[0]);
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int j = 0; j < lanes; ++j) best[j] = functors::Maximum{}(best[j], x[i + j]);
  for (; i < n; ++i) best[0] = functors::Maximum{}(best[0], x[i]);
  for (int j = 1; j < lanes; ++j) best[0] = functors::Maximum{}(best[0], best[j]);
  return best[0];
}

template <class T>
void max_axis(const T* x, const AxisView& v, T* out) {
  parallel_for(v.outer, grain_for(v.n * v.inner), [&](int64_t first, int64_t last) {
    for (int64_t o = first; o < last; ++o) {
      T* best = out + o * v.inner;
      const T* from = x + o * v.n * v.inner;
      if (v.inner == 1) {
        *best = max_line(from, v.n);
        continue;
      }
      std::copy(from, from + v.inner, best);
      for (int64_t r = 1; r < v.n; ++r)
        for (int64_t j = 0; j < v.inner; ++j)
          best[j] = functors::Maximum{}(best[j], from[r * v.inner + j]);
    }
  });
}

// The maximum of n > 0 rows of length inner, each column apart; -inf alone becomes 0, so that
// exp(x - maximum) is 0 there.
template <class T>
void finite_top(const T* x, int64_t n, int64_t inner, T* top) {
  if (inner == 1) {
    *top = max_line(x, n);
  } else {
    std::copy(x, x + inner, top);
    for (int64_t r = 1; r < n; ++r)
      for (int64_t j = 0; j < inner; ++j) top[j] = functors::Maximum{}(top[j], x[r * inner + j]);
  }
  for (int64_t j = 0; j < inner; ++j)
    top[j] = top[j] == -std::numeric_limits<T>::infinity() ? T(0) : top[j];
}

// e = exp(x - top), [n, inner], and its sums over the rows.
template <class T>
void exp_rows(const T* x, int64_t n, int64_t inner, const T* top, T* e, double* sums) {
  if (inner == 1) {
    const T largest = *top;
    for (int64_t r = 0; r < n; ++r) e[r] = functors::fast_exp(x[r] - largest);
    *sums = sum_row(e, n);
    return;
  }
  for (int64_t r = 0; r < n; ++r)
    for (int64_t j = 0; j < inner; ++j)
      e[r * inner + j] = functors::fast_exp(x[r * inner + j] - top[j]);
  sum_rows(e, n, inner, sums);
}

template <class T>
void softmax_axis(const T* x, const AxisView& v, T* out) {
  if (v.n == 0) return;
  const int64_t size = v.n * v.inner;
  parallel_for(v.outer, grain_for(4 * size), [&](int64_t first, int64_t last) {
    std::vector<T> top(v.inner);
    std::vector<double> sums(v.inner);
    for (int64_t o = first; o < last; ++o) {
      T* e = out + o * size;
      finite_top(x + o * size, v.n, v.inner, top.data());
      exp_rows(x + o * size, v.n, v.inner, top.data(), e, sums.data());
      for (int64_t j = 0; j < v.inner; ++j) top[j] = static_cast<T>(1 / sums[j]);
      if (v.inner == 1)
        for (int64_t r = 0; r < v.n; ++r) e[r] *= top[0];
      else
        for (int64_t r = 0; r < v.n; ++r)
          for (int64_t j = 0; j < v.inner; ++j) e[r * v.inner + j] *= top[j];
    }
  });
}

template <class T>
void logsumexp_axis(const T* x, const AxisView& v, T* out) {
  const int64_t size = v.n * v.inner;
  if (v.n == 0) std::fill_n(out, v.outer * v.inner, -std::numeric_limits<T>::infinity());
  if (v.n == 0) return;
  parallel_for(v.outer, grain_for(4 * size), [&](int64_t first, int64_t last) {
    std::vector<T> top(v.inner), e(size);
    std::vector<double> sums(v.inner);
    for (int64_t o = first; o < last; ++o) {
      finite_top(x + o * size, v.n, v.inner, top.data());
      exp_rows(x + o * size, v.n, v.inner, top.data(), e.data(), sums.data());
      for (int64_t j = 0; j < v.inner; ++j)
        out[o * v.inner + j] = static_cast<T>(top[j] + std::log(sums[j]));
    }
  });
}

// Several axes: neighbours together, then one group after the other.

// Reduces the axes of the mask with one_axis(array, view) -> array of outer * inner elements.
template <class F>
Array reduce_groups(const Tensor& x, const std::vector<bool>& mask, F one_axis) {
  Array current = x.array();
  std::vector<int64_t> sizes(x.shape().sizes().begin(), x.shape().sizes().end());
  for (int end = x.rank(); end > 0;) {
    if (!mask[end - 1]) {
      --end;
      continue;
    }
    int begin = end;
    while (begin > 0 && mask[begin - 1]) --begin;
    AxisView v;
    for (int i = 0; i < x.rank(); ++i) (i < begin ? v.outer : i < end ? v.n : v.inner) *= sizes[i];
    current = one_axis(current, v);
    std::fill(sizes.begin() + begin, sizes.begin() + end, 1);
    end = begin;
  }
  return current;
}

Array sum_kernel(const Tensor& x, const std::vector<bool>& mask) {
  return reduce_groups(x, mask, [](const Array& in, const AxisView& v) {
    Array out({v.outer, v.inner}, in.dtype(), in.device());
    if constexpr (cuda_built)
      if (in.on_cuda()) {
        cuda::sum(in, v, out);
        return out;
      }
    visit_float("sum", in.dtype(), [&]<class T>(T) { sum_axis(in.data<T>(), v, out.data<T>()); });
    return out;
  });
}

}  // namespace

Tensor sum(const Tensor& x, std::vector<int> axes, bool keep) {
  check_real("sum", x);
  const std::vector<bool> mask = axis_mask("sum", x, axes);
  const Shape kept = reduced_shape(x.shape(), mask, true);
  Array out = sum_kernel(x, mask).reshaped(reduced_shape(x.shape(), mask, keep));
  return record("sum", {x}, std::move(out),
                [kept, shape = x.shape()](const Tensors& g, const Needs&) {
                  return Tensors{expand(reshape(g[0], kept), shape)};
                });
}

Tensor mean(const Tensor& x, std::vector<int> axes, bool keep) {
  check_real("mean", x);
  const std::vector<bool> mask = axis_mask("mean", x, axes);
  int64_t count = 1;
  for (int i = 0; i < x.rank(); ++i)
    if (mask[i]) count *= x.dim(i);
  check(count > 0, "mean: of no numbers, in shape ", x.shape());
  return scale(sum(x, std::move(axes), keep), 1.0 / static_cast<double>(count));
}

Tensor max(const Tensor& x, std::vector<int> axes, bool keep) {
  check_real("max", x);
  const std::vector<bool> mask = axis_mask("max", x, axes);
  for (int i = 0; i < x.rank(); ++i)
    check(!mask[i] || x.dim(i) > 0, "max: of no numbers, in shape ", x.shape());
  const Shape kept = reduced_shape(x.shape(), mask, true);
  Array out = reduce_groups(x, mask, [](const Array& in, const AxisView& v) {
    Array part({v.outer, v.inner}, in.dtype(), in.device());
    if constexpr (cuda_built)
      if (in.on_cuda()) {
        cuda::max(in, v, part);
        return part;
      }
    visit_float("max", in.dtype(), [&]<class T>(T) { max_axis(in.data<T>(), v, part.data<T>()); });
    return part;
  });
  std::vector<int> positions;
  for (int i = 0; i < x.rank(); ++i)
    if (mask[i]) positions.push_back(i);
  return record("max", {x}, out.reshaped(reduced_shape(x.shape(), mask, keep)),
                [x, kept, positions](const Tensors& g, const Needs&, const Tensors& made) {
                  if (positions.empty()) return g;
                  Tensor best = detach(made[0]);
                  Tensor hit = cast(equal(detach(x), reshape(best, kept)), x.dtype());
                  Tensor share = div(hit, sum(hit, positions, true));
                  return Tensors{mul(share, reshape(g[0], kept))};
                });
}

Tensor logsumexp(const Tensor& x, int axis, bool keep) {
  check_real("logsumexp", x);
  axis = normalize_axis("logsumexp", axis, x.rank());
  const AxisView v = view_axis(x.shape(), axis);
  const Shape kept = x.shape().with(axis, 1);
  Array out = empty_like(x, kept);
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::logsumexp(x.array(), v, out);
  if (x.on_cpu())
    visit_float("logsumexp", x.dtype(),
                [&]<class T>(T) { logsumexp_axis(x.array().data<T>(), v, out.data<T>()); });
  std::vector<bool> mask(x.rank(), false);
  mask[axis] = true;
  return record("logsumexp", {x}, out.reshaped(reduced_shape(x.shape(), mask, keep)),
                [x, axis, kept](const Tensors& g, const Needs&) {
                  return Tensors{mul(softmax(x, axis), reshape(g[0], kept))};
                });
}

Tensor norm(const Tensor& x, int axis, bool keep) {
  check_real("norm", x);
  return sqrt(sum(square(x), {normalize_axis("norm", axis, x.rank())}, keep));
}

Tensor softmax(const Tensor& x, int axis) {
  check_real("softmax", x);
  axis = normalize_axis("softmax", axis, x.rank());
  const AxisView v = view_axis(x.shape(), axis);
  Array out = empty_like(x, x.shape());
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::softmax(x.array(), v, out);
  if (x.on_cpu())
    visit_float("softmax", x.dtype(),
                [&]<class T>(T) { softmax_axis(x.array().data<T>(), v, out.data<T>()); });
  return record("softmax", {x}, std::move(out),
                [axis](const Tensors& g, const Needs&, const Tensors& made) {
                  Tensor weighted = mul(g[0], made[0]);
                  return Tensors{sub(weighted, mul(made[0], sum(weighted, {axis}, true)))};
                });
}

Tensor expand(const Tensor& x, const Shape& shape) {
  check_real("expand", x);
  check(broadcast("expand", x.shape(), shape) == shape, "expand: ", x.shape(), " does not fit in ",
        shape);
  if (x.shape() == shape) return x;
  Array out = empty_like(x, shape);
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::expand(x.array(), out);
  if (x.on_cpu()) {
    const Broadcast<1> loops(shape, {x.shape()});
    const int64_t n = loops.inner(), step = loops.stride[0][loops.rank - 1];
    visit_float("expand", x.dtype(), [&]<class T>(T) {
      T* to = out.data<T>();
      const T* from = x.array().data<T>();
      parallel_rows(loops, [&](int64_t row, int64_t begin, int64_t end) {
        const T* line = from + loops.offset(0, row);
        if (step)
          std::copy(line + begin, line + end, to + row * n + begin);
        else
          std::fill(to + row * n + begin, to + row * n + end, *line);
      });
    });
  }
  return record("expand", {x}, std::move(out), [small = x.shape()](const Tensors& g, const Needs&) {
    return Tensors{sum_to(g[0], small)};
  });
}

Tensor sum_to(const Tensor& x, const Shape& shape) {
  check_real("sum_to", x);
  check(shape.rank() <= x.rank() && broadcast("sum_to", shape, x.shape()) == x.shape(),
        "sum_to: ", shape, " does not broadcast to ", x.shape());
  if (x.shape() == shape) return x;
  const int extra = x.rank() - shape.rank();
  std::vector<bool> mask(x.rank(), true);
  for (int i = extra; i < x.rank(); ++i) mask[i] = shape[i - extra] == 1 && x.dim(i) != 1;
  return record(
      "sum_to", {x}, sum_kernel(x, mask).reshaped(shape),
      [large = x.shape()](const Tensors& g, const Needs&) { return Tensors{expand(g[0], large)}; });
}

}  // namespace casimir
