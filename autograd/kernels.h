// What the implementations of the ops share: checks of arguments, and the shapes of loops. Only op
// families include it.
#pragma once

#include <algorithm>
#include <array>

#include "autograd/ops.h"
#include "core/parallel.h"

namespace casimir {

inline void check_present(const char* op, const Tensor& x) {
  check(x.defined(), op, ": an input is absent");
}
// One type, one device.
inline void check_same(const char* op, const Tensor& a, const Tensor& b) {
  check_present(op, a);
  check_present(op, b);
  check(a.dtype() == b.dtype(), op, ": expected inputs of one type, found ", a.dtype(), " and ",
        b.dtype());
  check(a.device() == b.device(), op, ": expected inputs on one device, found ", a.device(),
        " and ", b.device());
}
inline void check_real(const char* op, const Tensor& x) {
  check_present(op, x);
  check(is_float(x.dtype()), op, ": expected f32 or f64, found ", x.dtype());
}

inline Array empty_like(const Tensor& x, const Shape& shape) {
  return Array(shape, x.dtype(), x.device());
}

// A shape seen from one axis: [outer, n, inner].
struct AxisView {
  int64_t outer = 1, n = 1, inner = 1;
};
inline AxisView view_axis(const Shape& shape, int axis) {
  AxisView v{1, shape[axis], 1};
  for (int i = 0; i < axis; ++i) v.outer *= shape[i];
  for (int i = axis + 1; i < shape.rank(); ++i) v.inner *= shape[i];
  return v;
}

// Operands of an element-wise op broadcast to one shape, as nested loops: neighbouring axes that
// every operand walks through evenly are one loop. A stride of 0 repeats.
template <int operands>
struct Broadcast {
  int rank = 0;
  int64_t size[Shape::max_rank] = {};
  int64_t stride[operands][Shape::max_rank] = {};

  Broadcast(const Shape& out, const std::array<Shape, operands>& in) {
    int64_t step[operands];
    std::fill(step, step + operands, 1);
    for (int back = 1; back <= out.rank(); ++back) {  // from the last axis; loops in reverse
      int64_t current[operands];
      for (int o = 0; o < operands; ++o) {
        const int64_t n = back <= in[o].rank() ? in[o][-back] : 1;
        current[o] = n == 1 ? 0 : step[o];
        step[o] *= n;
      }
      add_loop(out[-back], current);
    }
    if (rank == 0) {
      const int64_t none[operands] = {};
      rank = 1, size[0] = 1;
      for (int o = 0; o < operands; ++o) stride[o][0] = none[o];
    }
    std::reverse(size, size + rank);
    for (int o = 0; o < operands; ++o) std::reverse(stride[o], stride[o] + rank);
  }

  int64_t inner() const { return size[rank - 1]; }
  int64_t rows() const {
    int64_t n = 1;
    for (int i = 0; i + 1 < rank; ++i) n *= size[i];
    return n;
  }
  // Where operand o starts in a row (all loops but the last).
  int64_t offset(int o, int64_t row) const {
    if (rank <= 2) return row * stride[o][0] * (rank - 1);
    int64_t at = 0;
    for (int i = rank - 2; i >= 0; --i) {
      at += row % size[i] * stride[o][i];
      row /= size[i];
    }
    return at;
  }

 private:
  void add_loop(int64_t n, const int64_t* current) {
    if (n == 1) return;
    bool joins = rank > 0;
    for (int o = 0; joins && o < operands; ++o)
      joins = current[o] == stride[o][rank - 1] * size[rank - 1];
    if (joins) {
      size[rank - 1] *= n;
      return;
    }
    size[rank] = n;
    for (int o = 0; o < operands; ++o) stride[o][rank] = current[o];
    ++rank;
  }
};

// f(row, begin, end) for pieces [begin, end) of the innermost loop of every row.
template <int operands, class F>
void parallel_rows(const Broadcast<operands>& loops, F&& f) {
  const int64_t n = loops.inner();
  if (loops.rank == 1)
    return parallel_for(n, grain_for(1), [&](int64_t begin, int64_t end) { f(0, begin, end); });
  parallel_for(loops.rows(), grain_for(n), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) f(row, int64_t{0}, n);
  });
}

}  // namespace casimir
