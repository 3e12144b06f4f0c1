#include "core/cuda_gemm.h"
#include "core/cuda_launch.cuh"

namespace casimir::cuda {
namespace {

// The rows of x in the order of their groups: x itself when they already are.
Array sorted_rows(const char* op, const Array& x, const Segments& index) {
  if (index.sorted()) return x;
  Array sorted(x.shape(), x.dtype(), Device::cuda);
  const int32_t* order = device_data(op, index.device_order());
  visit_float(op, x.dtype(), [&]<class T>(T) {
    gather_rows(op, x.data<T>(), order, x.shape()[0], x.shape().row_size(), sorted.data<T>());
  });
  return sorted;
}

// f(group, begin, end) for the groups that have rows.
template <class F>
void for_groups(const Segments& index, F&& f) {
  const auto offsets = index.offsets();
  for (int64_t t = 0; t < index.targets(); ++t)
    if (offsets[t] < offsets[t + 1]) f(t, int64_t{offsets[t]}, int64_t{offsets[t + 1]});
}

template <class T>
void matmul_groups(const Array& x, const Array& w, const Segments& index, bool trans_w,
                   Array& out) {
  const int64_t rows = x.shape()[1], k = x.shape()[2], n = out.shape()[2];
  const Array from = sorted_rows("grouped_matmul", x, index);
  Array product = index.sorted() ? out : Array(out.shape(), out.dtype(), Device::cuda);
  for_groups(index, [&](int64_t group, int64_t begin, int64_t end) {
    Gemm<T> g{.trans_b = trans_w, .m = (end - begin) * rows, .n = n, .k = k, .lda = k};
    g.a = from.data<T>() + begin * rows * k;
    g.b = w.data<T>() + group * k * n, g.ldb = trans_w ? k : n;
    g.c = product.data<T>() + begin * rows * n, g.ldc = n;
    strided_gemm(g);
  });
  if (index.sorted()) return;
  scatter_rows("grouped_matmul", product.data<T>(),
               device_data("grouped_matmul", index.device_order()), index.size(), rows * n,
               out.data<T>());
}

template <class T>
void outer_groups(const Array& x, const Array& g, const Segments& index, Array& out) {
  const int64_t rows = x.shape()[1], k = x.shape()[2], n = g.shape()[2];
  const Array left = sorted_rows("grouped_outer", x, index);
  const Array right = sorted_rows("grouped_outer", g, index);
  out.fill(0);
  for_groups(index, [&](int64_t group, int64_t begin, int64_t end) {
    Gemm<T> p{.trans_a = true, .m = k, .n = n, .k = (end - begin) * rows, .lda = k};
    p.a = left.data<T>() + begin * rows * k;
    p.b = right.data<T>() + begin * rows * n, p.ldb = n;
    p.c = out.data<T>() + group * k * n, p.ldc = n;
    strided_gemm(p);
  });
}

}  // namespace

void grouped_matmul(const Array& x, const Array& w, const Segments& index, bool trans_w,
                    Array& out) {
  visit_float("grouped_matmul", x.dtype(),
              [&]<class T>(T) { matmul_groups<T>(x, w, index, trans_w, out); });
}

void grouped_outer(const Array& x, const Array& g, const Segments& index, Array& out) {
  visit_float("grouped_outer", x.dtype(), [&]<class T>(T) { outer_groups<T>(x, g, index, out); });
}

}  // namespace casimir::cuda
