// How kernels are started: on the program's stream, with shapes that follow from sizes alone, and
// with loops over what is left, so that any size works.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/array.h"
#include "core/cuda_check.h"
#include "core/segments.h"

namespace casimir::cuda {

// The one stream all work of the process goes to, in the order of the calls (device.cu).
cudaStream_t stream();

constexpr int block_threads = 256;
constexpr int64_t most_blocks = 16384;

inline int64_t ceil_div(int64_t a, int64_t b) {
  return (a + b - 1) / b;
}

// Whether the kernel just given to the stream was accepted; errors inside it show at the next copy
// to the host.
inline void check_launch(const char* op) {
  cudaError_t status = cudaGetLastError();
  if (status == cudaSuccess) return;
  if (means_no_gpu(status)) check_status(status, op);
  fail<DeviceError>(op, ": the GPU refused the kernel: ", cudaGetErrorString(status), " (error ",
                    static_cast<int>(status), ")");
}

template <class F>
__global__ void each_kernel(int64_t n, const __grid_constant__ F f) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += step)
    f(i);
}
// f(i) for i in [0, n).
template <class F>
void for_each(const char* op, int64_t n, const F& f) {
  if (n <= 0) return;
  const int64_t blocks = std::min(ceil_div(n, block_threads), most_blocks);
  each_kernel<<<static_cast<unsigned>(blocks), block_threads, 0, stream()>>>(n, f);
  check_launch(op);
}

template <class F>
__global__ void rows_kernel(int64_t rows, int64_t columns, const __grid_constant__ F f) {
  const int64_t row_step = static_cast<int64_t>(gridDim.x) * blockDim.y;
  const int64_t column_step = static_cast<int64_t>(gridDim.y) * blockDim.x;
  for (int64_t r = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; r < rows;
       r += row_step)
    for (int64_t c = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x; c < columns;
         c += column_step)
      f(r, c);
}
// A block for rows of that many columns: a power of two of threads along the columns.
inline dim3 row_block(int64_t columns, int most = block_threads) {
  int x = 1;
  while (x < columns && x < most) x *= 2;
  return dim3(x, block_threads / x);
}
// f(row, column) for a matrix, neighbouring threads in neighbouring columns; no division.
template <class F>
void for_rows(const char* op, int64_t rows, int64_t columns, const F& f) {
  if (rows <= 0 || columns <= 0) return;
  const dim3 block = row_block(columns);
  const int64_t x = std::min(ceil_div(rows, block.y), most_blocks);
  const int64_t y = std::min(ceil_div(columns, block.x), std::max<int64_t>(1, most_blocks / x));
  rows_kernel<<<dim3(static_cast<unsigned>(x), static_cast<unsigned>(y)), block, 0, stream()>>>(
      rows, columns, f);
  check_launch(op);
}

// A host pointer's counterpart of Segments::index(), order() and offsets().
inline const int32_t* device_data(const char* op, const Array& part) {
  check<DeviceError>(part.defined() && part.on_cuda(), op,
                     ": the index is on the cpu, the tensors are on cuda");
  return part.data<int32_t>();
}

// to[i, :] = from[index[i], :] and, for an index without repetition, to[index[i], :] = from[i, :].
template <class T>
void gather_rows(const char* op, const T* from, const int32_t* index, int64_t rows, int64_t width,
                 T* to) {
  for_rows(op, rows, width, [=] __device__(int64_t i, int64_t c) {
    to[i * width + c] = from[index[i] * width + c];
  });
}
template <class T>
void scatter_rows(const char* op, const T* from, const int32_t* index, int64_t rows, int64_t width,
                  T* to) {
  for_rows(op, rows, width, [=] __device__(int64_t i, int64_t c) {
    to[index[i] * width + c] = from[i * width + c];
  });
}
// `count` columns of each row, from rows of one length into rows of another.
template <class T>
void copy_columns(const T* from, int64_t width_from, T* to, int64_t width_to, int64_t rows,
                  int64_t count) {
  for_rows("copy", rows, count, [=] __device__(int64_t r, int64_t c) {
    to[r * width_to + c] = from[r * width_from + c];
  });
}

}  // namespace casimir::cuda
