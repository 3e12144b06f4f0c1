// Reductions on the GPU in a fixed order: the shape of the launch, and with it the order of the
// additions, follows from sizes alone, and every number has one writer.
#pragma once

#include "core/cuda_launch.cuh"

namespace casimir::cuda {

// Each group has some rows of `columns` numbers; a group's rows become one. `rows` is their mean
// number, which decides how the work is divided.
struct Lines {
  int64_t groups, rows, columns;
};
struct RowRange {
  int64_t begin, end;
};

// The joined rows of a group: a thread for each column, or, for longer groups, a block for some
// columns whose threads take every y-th row and are joined as a tree.
//   range(g) -> RowRange, load(g, row, column) -> Acc, join(Acc, Acc) -> Acc,
//   store(piece, g, column, Acc)
template <class Acc, class Range, class Load, class Join, class Store>
__global__ void reduce_kernel(Lines lines, Acc identity, Range range, Load load, Join join,
                              Store store) {
  __shared__ Acc values[block_threads];
  const int x = threadIdx.x, y = threadIdx.y, width = blockDim.x;
  const int64_t tiles = (lines.columns + width - 1) / width, units = lines.groups * tiles;
  for (int64_t unit = blockIdx.x; unit < units; unit += gridDim.x) {
    const int64_t group = unit / tiles, column = unit % tiles * width + x;
    const RowRange all = range(group);
    const int64_t length = (all.end - all.begin + gridDim.y - 1) / gridDim.y;
    const int64_t begin = all.begin + blockIdx.y * length;
    const int64_t end = begin + length < all.end ? begin + length : all.end;
    Acc sum = identity;
    if (column < lines.columns)
      for (int64_t row = begin + y; row < end; row += blockDim.y)
        sum = join(sum, load(group, row, column));
    values[y * width + x] = sum;
    __syncthreads();
    for (int half = blockDim.y / 2; half > 0; half /= 2) {
      if (y < half)
        values[y * width + x] = join(values[y * width + x], values[(y + half) * width + x]);
      __syncthreads();
    }
    if (y == 0 && column < lines.columns) store(blockIdx.y, group, column, values[x]);
    __syncthreads();
  }
}

template <class Acc, class Range, class Load, class Join, class Store>
void reduce_short(const char* op, Lines lines, Acc identity, Range range, Load load, Join join,
                  Store store) {
  for_rows(op, lines.groups, lines.columns, [=] __device__(int64_t group, int64_t column) {
    const RowRange rows = range(group);
    Acc sum = identity;
    for (int64_t row = rows.begin; row < rows.end; ++row) sum = join(sum, load(group, row, column));
    store(0, group, column, sum);
  });
}

template <class Acc, class Range, class Load, class Join, class Store>
void reduce_pieces(const char* op, Lines lines, int64_t pieces, Acc identity, Range range,
                   Load load, Join join, Store store) {
  const dim3 block = row_block(lines.columns, 64);
  const int64_t units = lines.groups * ceil_div(lines.columns, block.x);
  const dim3 grid(static_cast<unsigned>(std::min(units, most_blocks)),
                  static_cast<unsigned>(pieces));
  reduce_kernel<<<grid, block, 0, stream()>>>(lines, identity, range, load, join, store);
  check_launch(op);
}

// store(0, group, column, value) for every group and column. Few long groups are cut in pieces,
// whose values are joined in order.
template <class Acc, class Range, class Load, class Join, class Store>
void reduce(const char* op, Lines lines, Acc identity, Range range, Load load, Join join,
            Store store) {
  if (lines.groups <= 0 || lines.columns <= 0) return;
  if (lines.rows <= 32) return reduce_short(op, lines, identity, range, load, join, store);
  const dim3 block = row_block(lines.columns, 64);
  const int64_t units = lines.groups * ceil_div(lines.columns, block.x);
  const int64_t pieces =
      std::clamp<int64_t>(1024 / units, 1, ceil_div(lines.rows, 8 * static_cast<int64_t>(block.y)));
  if (pieces == 1) return reduce_pieces(op, lines, 1, identity, range, load, join, store);

  const int64_t size = lines.groups * lines.columns, columns = lines.columns;
  Array partial(Shape{pieces, size}, dtype_of<Acc>(), Device::cuda);
  Acc* values = partial.data<Acc>();
  reduce_pieces(op, lines, pieces, identity, range, load, join,
                [=] __device__(int64_t piece, int64_t group, int64_t column, Acc value) {
                  values[piece * size + group * columns + column] = value;
                });
  reduce_short(
      op, {lines.groups, pieces, columns}, identity,
      [=] __device__(int64_t) {
        return RowRange{0, pieces};
      },
      [=] __device__(int64_t group, int64_t piece, int64_t column) {
        return values[piece * size + group * columns + column];
      },
      join, store);
}

}  // namespace casimir::cuda
