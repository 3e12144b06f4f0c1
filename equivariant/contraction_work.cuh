// What the CUDA kernels of contract() share: where rows are, and the products of scalar inputs.
#pragma once

#include "core/cuda_launch.cuh"
#include "equivariant/contraction_device.cuh"

namespace casimir::cuda {

constexpr int max_levels = ContractionProgram::max_levels, max_scalars = 8;
constexpr int max_inputs = max_levels + max_scalars;

template <class T>
struct Source {
  const T* data;
  int64_t width;
  const int32_t* index;  // nullptr: row e itself
  bool shared;
  __device__ const T* row(int64_t e) const {
    return data + (shared ? 0 : index ? index[e] : e) * width;
  }
};

// What both kernels need. Rows of the plan are added up to rows of the output, long sums in
// `pieces` whose results are added in order afterwards.
template <class T>
struct Work {
  Source<T> sources[max_inputs];  // channel inputs by level, then scalar inputs
  int levels, scalars;
  const T* coefficients;   // of the terms
  const int32_t* offsets;  // [terms, scalars]
  const int4* groups;      // of terms

  const int32_t *target_offsets, *target_order;  // of an indexed output
  bool shared_output;
  int64_t rows, targets, pieces;
  T* out;  // [pieces, targets, width]
  int64_t width;

  struct Range {
    int64_t begin, end;
  };
  __device__ Range range(int64_t target, int64_t piece) const {
    Range all{target, target + 1};
    if (target_offsets) all = {target_offsets[target], target_offsets[target + 1]};
    if (shared_output) all = {0, rows};
    const int64_t length = (all.end - all.begin + pieces - 1) / pieces;
    const int64_t begin = all.begin + piece * length, end = begin + length;
    return {begin, end < all.end ? end : all.end};
  }
  __device__ int64_t plan_row(int64_t place) const {
    return target_order ? target_order[place] : place;
  }
  // Product of a term's coefficient and scalar inputs; pointers are those of the row.
  __device__ T scalar_product(int term, const T* const* scalar_rows) const {
    T product = coefficients[term];
    for (int i = 0; i < scalars; ++i) product *= scalar_rows[i][offsets[term * scalars + i]];
    return product;
  }
};

// A channel output (contraction_channels.cu), and a scalar one (contraction_scalars.cu), added to
// an output of zeros.
void run_channels(const DeviceProgram& program, const Work<float>& work);
void run_channels(const DeviceProgram& program, const Work<double>& work);
void run_scalars(const DeviceProgram& program, const Work<float>& work);
void run_scalars(const DeviceProgram& program, const Work<double>& work);

}  // namespace casimir::cuda
