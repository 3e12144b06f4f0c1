// A scalar output sums over channels: one warp for each number of each output row and piece.
#include "equivariant/contraction_work.cuh"

namespace casimir::cuda {
namespace {

template <class T>
struct ScalarWork : Work<T> {
  const int32_t* channel_offsets;  // [terms, levels]
  const int32_t* channel_counts;   // [terms]
  int places;                      // numbers in an output row that terms name
  int lanes;                       // of a warp that go over the channels of one term
};

// Sum over a term's channels of the product of its channel inputs: this lane's share.
template <class T>
__device__ T channel_product(const ScalarWork<T>& work, int term, int lane,
                             const T* const* pointers) {
  const int32_t* at = work.channel_offsets + term * work.levels;
  T sum = 0;
  for (int c = lane; c < work.channel_counts[term]; c += work.lanes) {
    T product = 1;
    for (int level = 0; level < work.levels; ++level)
      product *= __ldg(pointers[level] + at[level] + c);
    sum += product;
  }
  return sum;
}

template <class T>
__global__ void __launch_bounds__(block_threads)
    scalar_kernel(const __grid_constant__ ScalarWork<T> work) {
  __shared__ const T* rows[block_threads / 32][max_inputs];
  const T** pointers = rows[threadIdx.x / 32];
  const int lane = threadIdx.x % 32, inputs = work.levels + work.scalars;
  const int first_term = lane / work.lanes, term_step = 32 / work.lanes;
  const int64_t count = work.pieces * work.targets * work.places;
  const int64_t step = static_cast<int64_t>(gridDim.x) * (blockDim.x / 32);
  int64_t number = static_cast<int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  for (; number < count; number += step) {
    const int4 group = work.groups[number % work.places];
    const int64_t place = number / work.places;  // piece and target
    const auto range = work.range(place % work.targets, place / work.targets);
    T sum = 0;
    for (int64_t row = range.begin; row < range.end; ++row) {
      __syncwarp();
      if (lane < inputs) pointers[lane] = work.sources[lane].row(work.plan_row(row));
      __syncwarp();
      for (int t = group.y + first_term; t < group.z; t += term_step)
        sum += channel_product(work, t, lane % work.lanes, pointers) *
               work.scalar_product(t, pointers + work.levels);
    }
    for (int half = 16; half > 0; half /= 2) sum += __shfl_down_sync(0xffffffffu, sum, half);
    if (lane == 0) work.out[place * work.width + group.x] = sum;
  }
}

template <class T>
void run_places(const DeviceProgram& program, const Work<T>& common) {
  ScalarWork<T> work{};
  static_cast<Work<T>&>(work) = common;
  work.channel_offsets = program.channel_offsets.data<int32_t>();
  work.channel_counts = program.channel_counts.data<int32_t>();
  work.places = program.places;
  work.lanes = 1;
  while (work.lanes < 32 && work.lanes < program.widest) work.lanes *= 2;
  const int64_t count = work.pieces * work.targets * work.places;
  const int64_t blocks = std::min(ceil_div(count, block_threads / 32), most_blocks);
  if (blocks == 0) return;
  scalar_kernel<<<static_cast<unsigned>(blocks), block_threads, 0, stream()>>>(work);
  check_launch("contract");
}

}  // namespace

void run_scalars(const DeviceProgram& program, const Work<float>& work) {
  run_places(program, work);
}
void run_scalars(const DeviceProgram& program, const Work<double>& work) {
  run_places(program, work);
}

}  // namespace casimir::cuda
