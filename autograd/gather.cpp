#include <cstring>
#include <limits>

#include "autograd/functors.h"
#include "autograd/kernels.h"

namespace casimir {

namespace cuda {
void gather(const Array& x, const Segments& index, Array& out);
void segment_sum(const Array& x, const Segments& index, Array& out);
void segment_max(const Array& x, const Segments& index, Array& out);
}  // namespace cuda

namespace {

void check_rows(const char* op, const Tensor& x, const Segments& index, int64_t rows) {
  check_present(op, x);
  check(index.defined(), op, ": the index is absent");
  check(x.rank() > 0 && x.dim(0) == rows, op, ": expected ", rows, " rows, found shape ",
        x.shape());
}

// Copies rows of a fixed number of bytes; small fixed sizes become plain loads and stores.
template <class Copy>
void for_row_bytes(int64_t bytes, Copy&& copy) {
  switch (bytes) {
    case 4:
      return copy(std::integral_constant<int64_t, 4>{});
    case 8:
      return copy(std::integral_constant<int64_t, 8>{});
    case 12:
      return copy(std::integral_constant<int64_t, 12>{});
    case 24:
      return copy(std::integral_constant<int64_t, 24>{});
    default:
      return copy(bytes);
  }
}

void gather_rows(const Array& x, const Segments& index, Array& out) {
  const int64_t bytes = x.shape().row_size() * size_of(x.dtype());
  if (bytes == 0) return;
  const char* from = static_cast<const char*>(x.raw());
  char* to = static_cast<char*>(out.raw());
  const int32_t* rows = index.index().data();
  for_row_bytes(bytes, [&](auto size) {
    parallel_for(index.size(), grain_for(size / 4 + 1), [&](int64_t begin, int64_t end) {
      for (int64_t e = begin; e < end; ++e)
        std::memcpy(to + e * size, from + rows[e] * int64_t{size}, size);
    });
  });
}

// Reductions over the rows of one target.

// Rows order[begin, end) of x reduced into `out` [width], starting from its first row.
template <class T, class F>
void reduce_rows(const T* x, const int32_t* order, int64_t begin, int64_t end, int64_t width,
                 T* out, F f) {
  std::copy_n(x + order[begin] * width, width, out);
  for (int64_t r = begin + 1; r < end; ++r) {
    const T* row = x + order[r] * width;
    for (int64_t j = 0; j < width; ++j) out[j] = f(out[j], row[j]);
  }
}

// A piece of the rows of one target.
struct Piece {
  int32_t begin, end;
  int64_t target;
};

// Targets with many rows are cut in blocks of fixed length, so that a sum over few targets still
// keeps all threads busy; the blocks of a target are then joined in order.
template <class T, class F>
void reduce_long(const T* x, const Segments& index, int64_t width, int64_t block, T* out, F f) {
  const auto offsets = index.offsets();
  std::vector<Piece> pieces;
  std::vector<int64_t> first(index.targets() + 1, 0);
  for (int64_t t = 0; t < index.targets(); ++t) {
    for (int64_t r = offsets[t]; r < offsets[t + 1]; r += block)
      pieces.push_back({static_cast<int32_t>(r),
                        static_cast<int32_t>(std::min<int64_t>(r + block, offsets[t + 1])), t});
    first[t + 1] = static_cast<int64_t>(pieces.size());
  }
  const auto count = static_cast<int64_t>(pieces.size());
  Array partial({count, width}, dtype_of<T>());
  T* parts = partial.data<T>();
  parallel_for(count, grain_for(block * width), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      reduce_rows(x, index.order().data(), pieces[i].begin, pieces[i].end, width, parts + i * width,
                  f);
  });
  parallel_for(index.targets(), grain_for((count / index.targets() + 1) * width),
               [&](int64_t begin, int64_t end) {
                 for (int64_t t = begin; t < end; ++t) {
                   if (first[t] == first[t + 1]) continue;
                   T* to = out + t * width;
                   std::copy_n(parts + first[t] * width, width, to);
                   for (int64_t i = first[t] + 1; i < first[t + 1]; ++i)
                     for (int64_t j = 0; j < width; ++j) to[j] = f(to[j], parts[i * width + j]);
                 }
               });
}

// out[t, :] = f over the rows of t, `empty` where there are none.
template <class T, class F>
void segment_reduce(const T* x, const Segments& index, int64_t width, T* out, T empty, F f) {
  if (width == 0 || index.targets() == 0) return;
  const auto offsets = index.offsets();
  const int64_t block = std::max<int64_t>(64, 16384 / width);
  int64_t longest = 0;
  for (int64_t t = 0; t < index.targets(); ++t) {
    longest = std::max<int64_t>(longest, offsets[t + 1] - offsets[t]);
    if (offsets[t + 1] == offsets[t]) std::fill_n(out + t * width, width, empty);
  }
  if (longest > block) return reduce_long(x, index, width, block, out, f);
  const int64_t work = (index.size() / index.targets() + 1) * width;
  parallel_for(index.targets(), grain_for(work), [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      if (offsets[t] < offsets[t + 1])
        reduce_rows(x, index.order().data(), offsets[t], offsets[t + 1], width, out + t * width, f);
  });
}

}  // namespace

Tensor gather(const Tensor& x, const Segments& index) {
  check_rows("gather", x, index, index.targets());
  Array out = empty_like(x, x.shape().with(0, index.size()));
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::gather(x.array(), index, out);
  if (x.on_cpu()) gather_rows(x.array(), index, out);
  if (!is_float(x.dtype())) return out;
  return record("gather", {x}, std::move(out), [index](const Tensors& g, const Needs&) {
    return Tensors{segment_sum(g[0], index)};
  });
}

Tensor segment_sum(const Tensor& x, const Segments& index) {
  check_rows("segment_sum", x, index, index.size());
  check_real("segment_sum", x);
  Array out = empty_like(x, x.shape().with(0, index.targets()));
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::segment_sum(x.array(), index, out);
  if (x.on_cpu())
    visit_float("segment_sum", x.dtype(), [&]<class T>(T) {
      segment_reduce(x.array().data<T>(), index, x.shape().row_size(), out.data<T>(), T(0),
                     functors::Add{});
    });
  return record("segment_sum", {x}, std::move(out),
                [index](const Tensors& g, const Needs&) { return Tensors{gather(g[0], index)}; });
}

Tensor segment_max(const Tensor& x, const Segments& index) {
  check_rows("segment_max", x, index, index.size());
  check_real("segment_max", x);
  Array out = empty_like(x, x.shape().with(0, index.targets()));
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::segment_max(x.array(), index, out);
  if (x.on_cpu())
    visit_float("segment_max", x.dtype(), [&]<class T>(T) {
      segment_reduce(x.array().data<T>(), index, x.shape().row_size(), out.data<T>(),
                     -std::numeric_limits<T>::infinity(), functors::Maximum{});
    });
  return out;
}

Tensor segment_softmax(const Tensor& x, const Segments& index) {
  check_rows("segment_softmax", x, index, index.size());
  check_real("segment_softmax", x);
  Array out;
  {
    NoRecord quiet;
    Tensor e = exp(sub(x, gather(segment_max(x, index), index)));
    out = div(e, gather(segment_sum(e, index), index)).array();
  }
  return record("segment_softmax", {x}, std::move(out),
                [index](const Tensors& g, const Needs&, const Tensors& made) {
                  Tensor weighted = mul(g[0], made[0]);
                  Tensor total = gather(segment_sum(weighted, index), index);
                  return Tensors{sub(weighted, mul(made[0], total))};
                });
}

}  // namespace casimir
