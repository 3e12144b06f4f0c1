#include "autograd/kernels.h"
#include "core/gemm.h"

namespace casimir {

namespace cuda {
void grouped_matmul(const Array& x, const Array& w, const Segments& index, bool trans_w,
                    Array& out);
void grouped_outer(const Array& x, const Array& g, const Segments& index, Array& out);
}  // namespace cuda

namespace {

constexpr int64_t chunk_rows = 256;  // matrix rows of one product

// Rows [begin, end) of the sorted order, all of one group.
struct Chunk {
  int64_t begin, end, group;
};
// Pieces of at most `length` rows of one group; groups without rows have none.
std::vector<Chunk> chunks_of(const Segments& index, int64_t length) {
  std::vector<Chunk> chunks;
  const auto offsets = index.offsets();
  for (int64_t t = 0; t < index.targets(); ++t)
    for (int64_t r = offsets[t]; r < offsets[t + 1]; r += length)
      chunks.push_back({r, std::min<int64_t>(r + length, offsets[t + 1]), t});
  return chunks;
}

// The rows order[begin, end) of x one after the other: x itself when they already are, else a copy
// in `space`.
template <class T>
const T* rows_together(const T* x, int64_t width, const Segments& index, const Chunk& chunk,
                       std::vector<T>& space) {
  if (index.sorted()) return x + chunk.begin * width;
  space.resize((chunk.end - chunk.begin) * width);
  T* to = space.data();
  for (int64_t r = chunk.begin; r < chunk.end; ++r, to += width)
    std::copy_n(x + index.order()[r] * width, width, to);
  return space.data();
}

template <class T>
void matmul_kernel(const Tensor& x, const Tensor& w, const Segments& index, bool trans_w,
                   Array& out) {
  const int64_t rows = x.dim(1), k = x.dim(2), n = out.shape()[2];
  const std::vector<Chunk> chunks = chunks_of(index, std::max<int64_t>(1, chunk_rows / rows));
  const T* from = x.array().data<T>();
  const T* weights = w.array().data<T>();
  T* to = out.data<T>();
  parallel_for(static_cast<int64_t>(chunks.size()), 1, [&](int64_t begin, int64_t end) {
    thread_local std::vector<T> gathered, product;
    for (int64_t c = begin; c < end; ++c) {
      const Chunk& chunk = chunks[c];
      const int64_t count = chunk.end - chunk.begin;
      if (!index.sorted()) product.resize(count * rows * n);
      Gemm<T> g{.trans_b = trans_w, .m = count * rows, .n = n, .k = k, .lda = k};
      g.a = rows_together(from, rows * k, index, chunk, gathered);
      g.b = weights + chunk.group * k * n, g.ldb = trans_w ? k : n;
      g.c = index.sorted() ? to + chunk.begin * rows * n : product.data(), g.ldc = n;
      gemm_serial(g);
      if (index.sorted()) continue;
      for (int64_t r = 0; r < count; ++r)
        std::copy_n(product.data() + r * rows * n, rows * n,
                    to + index.order()[chunk.begin + r] * rows * n);
    }
  });
}

// Products of fixed pieces of a group's rows, added in order: one writer per group.
template <class T>
void outer_kernel(const Tensor& x, const Tensor& g, const Segments& index, Array& out) {
  const int64_t rows = x.dim(1), k = x.dim(2), n = g.dim(2), size = k * n;
  const int64_t length = std::max<int64_t>(1, chunk_rows / rows);
  const std::vector<Chunk> chunks = chunks_of(index, length);
  const auto count = static_cast<int64_t>(chunks.size());
  std::vector<int64_t> first(index.targets() + 1, 0);
  for (const Chunk& chunk : chunks) ++first[chunk.group + 1];
  for (int64_t t = 0; t < index.targets(); ++t) first[t + 1] += first[t];
  Array partial({count, size}, dtype_of<T>());
  T* parts = partial.data<T>();
  parallel_for(count, 1, [&](int64_t begin, int64_t end) {
    thread_local std::vector<T> left, right;
    for (int64_t c = begin; c < end; ++c) {
      const Chunk& chunk = chunks[c];
      Gemm<T> p{.trans_a = true, .m = k, .n = n, .k = (chunk.end - chunk.begin) * rows, .lda = k};
      p.a = rows_together(x.array().data<T>(), rows * k, index, chunk, left);
      p.b = rows_together(g.array().data<T>(), rows * n, index, chunk, right), p.ldb = n;
      p.c = parts + c * size, p.ldc = n;
      gemm_serial(p);
    }
  });
  T* to = out.data<T>();
  const int64_t slices = (size + 4095) / 4096;
  parallel_for(index.targets() * slices, 1, [&](int64_t begin, int64_t end) {
    for (int64_t s = begin; s < end; ++s) {
      const int64_t t = s / slices, from = s % slices * 4096, stop = std::min(from + 4096, size);
      for (int64_t j = from; j < stop; ++j) to[t * size + j] = 0;
      for (int64_t c = first[t]; c < first[t + 1]; ++c)
        for (int64_t j = from; j < stop; ++j) to[t * size + j] += parts[c * size + j];
    }
  });
}

void check_rank(const char* op, const char* name, const Tensor& x) {
  check(x.rank() == 3, op, ": expected ", name, " with 3 axes, found ", x.shape());
}

}  // namespace

Tensor grouped_matmul(const Tensor& x, const Tensor& w, const Segments& index, bool trans_w) {
  const char* op = "grouped_matmul";
  check_same(op, x, w);
  check_real(op, x);
  check_rank(op, "x", x);
  check_rank(op, "w", w);
  check(index.defined(), op, ": the index is absent");
  check(x.dim(0) == index.size(), op, ": expected ", index.size(), " rows, found x ", x.shape());
  check(w.dim(0) == index.targets(), op, ": expected ", index.targets(), " matrices, found w ",
        w.shape());
  check(x.dim(2) == w.dim(trans_w ? 2 : 1), op, ": inner sizes differ: ", x.shape(), " @ ",
        w.shape(), trans_w ? "^T" : "");
  Array out = empty_like(x, x.shape().with(2, w.dim(trans_w ? 1 : 2)));
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::grouped_matmul(x.array(), w.array(), index, trans_w, out);
  if (x.on_cpu() && out.size() > 0)
    visit_float(op, x.dtype(), [&]<class T>(T) { matmul_kernel<T>(x, w, index, trans_w, out); });
  return record(
      op, {x, w}, std::move(out), [x, w, index, trans_w](const Tensors& g, const Needs& needs) {
        Tensors parts(2);
        if (needs[0]) parts[0] = grouped_matmul(g[0], w, index, !trans_w);
        if (needs[1])
          parts[1] = trans_w ? grouped_outer(g[0], x, index) : grouped_outer(x, g[0], index);
        return parts;
      });
}

Tensor grouped_outer(const Tensor& x, const Tensor& g, const Segments& index) {
  const char* op = "grouped_outer";
  check_same(op, x, g);
  check_real(op, x);
  check_rank(op, "x", x);
  check_rank(op, "g", g);
  check(index.defined(), op, ": the index is absent");
  check(x.dim(0) == index.size(), op, ": expected ", index.size(), " rows, found x ", x.shape());
  check(x.dim(0) == g.dim(0) && x.dim(1) == g.dim(1), op, ": rows differ: ", x.shape(), " and ",
        g.shape());
  Array out = empty_like(x, {index.targets(), x.dim(2), g.dim(2)});
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::grouped_outer(x.array(), g.array(), index, out);
  if (x.on_cpu() && x.dim(1) > 0)
    visit_float(op, x.dtype(), [&]<class T>(T) { outer_kernel<T>(x, g, index, out); });
  else if (x.on_cpu())
    out.fill(0);
  return record(op, {x, g}, std::move(out), [x, g, index](const Tensors& h, const Needs& needs) {
    Tensors parts(2);
    if (needs[0]) parts[0] = grouped_matmul(g, h[0], index, true);
    if (needs[1]) parts[1] = grouped_matmul(x, h[0], index, false);
    return parts;
  });
}

}  // namespace casimir
