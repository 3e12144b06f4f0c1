// One block for each output row, piece of its rows and tile of its runs; threads go over channels
// and walk the program's tree as the CPU kernel (contraction_kernel.cpp) does.
#include "equivariant/contraction_work.cuh"

namespace casimir::cuda {
namespace {

template <class T>
struct ChannelWork : Work<T> {
  const int4* nodes[max_levels];
  const int4* runs;
  int run_count, channels, leaves;
  int batch;           // rows whose coefficients are held at a time
  const T* constants;  // of the leaves; nullptr: they depend on the row
};

// Where the coefficients of the leaves are: in memory, or computed for each use, where there are so
// many that they do not fit in shared memory.
template <class T>
struct Stored {
  const T* values;
  __device__ T operator()(int leaf) const { return values[leaf]; }
};
template <class T>
struct Computed {
  const ChannelWork<T>& work;
  const T* const* scalar_rows;
  __device__ T operator()(int leaf) const {
    const int4 group = work.groups[leaf];
    T sum = 0;
    for (int t = group.y; t < group.z; ++t) sum += work.scalar_product(t, scalar_rows);
    return sum;
  }
};

// sum[k] += sum over nodes [begin, end) of the level: operand * (sum below), or coefficient *
// operand at the leaves, for the channels `channel` + k `lanes`.
template <int Level, int Levels, int V, class T, class Coefficient>
__device__ void add_nodes(const ChannelWork<T>& work, const T* const (&in)[max_levels], int begin,
                          int end, int channel, int lanes, const Coefficient& coefficient,
                          T (&sum)[V]) {
  if constexpr (Level == Levels) {  // no channel input at all
    for (int n = begin; n < end; ++n)
      for (int k = 0; k < V; ++k) sum[k] += coefficient(n);
  } else {
    for (int n = begin; n < end; ++n) {
      const int4 node = __ldg(work.nodes[Level] + n);
      const T* values = in[Level] + node.x + channel;
      if constexpr (Level + 1 == Levels) {
        const T c = coefficient(n);
        for (int k = 0; k < V; ++k) sum[k] += c * __ldg(values + k * lanes);
      } else {
        T below[V] = {};
        add_nodes<Level + 1, Levels, V>(work, in, node.y, node.z, channel, lanes, coefficient,
                                        below);
        for (int k = 0; k < V; ++k) sum[k] += below[k] * __ldg(values + k * lanes);
      }
    }
  }
}

// Coefficients of the leaves of `count` rows: [count, leaves].
template <class T>
__device__ void leaf_coefficients(const ChannelWork<T>& work, const T* const* pointers, int count,
                                  T* values) {
  const int inputs = work.levels + work.scalars;
  for (int i = threadIdx.x; i < count * work.leaves; i += blockDim.x) {
    const T* const* scalar_rows = pointers + i / work.leaves * inputs + work.levels;
    values[i] = Computed<T>{work, scalar_rows}(i % work.leaves);
  }
}

template <int Levels, int V, bool compute, class T>
__global__ void __launch_bounds__(block_threads)
    channel_kernel(const __grid_constant__ ChannelWork<T> work) {
  extern __shared__ __align__(16) unsigned char memory[];
  const int inputs = work.levels + work.scalars, lanes = work.channels / V;
  auto** pointers = reinterpret_cast<const T**>(memory);                   // [batch, inputs]
  T* coefficients = reinterpret_cast<T*>(pointers + work.batch * inputs);  // [batch, leaves]
  const int64_t target = blockIdx.x, piece = blockIdx.y;
  const auto rows = work.range(target, piece);
  T* out = work.out + (piece * work.targets + target) * work.width;
  for (int64_t first = rows.begin; first < rows.end; first += work.batch) {
    const int count =
        static_cast<int>(rows.end - first < work.batch ? rows.end - first : work.batch);
    __syncthreads();
    for (int i = threadIdx.x; i < count * inputs; i += blockDim.x)
      pointers[i] = work.sources[i % inputs].row(work.plan_row(first + i / inputs));
    __syncthreads();
    if (!compute && !work.constants) {
      leaf_coefficients(work, pointers, count, coefficients);
      __syncthreads();
    }
    const int items = work.run_count * lanes, step = gridDim.z * blockDim.x;
    for (int item = blockIdx.z * blockDim.x + threadIdx.x; item < items; item += step) {
      const int4 run = __ldg(work.runs + item / lanes);
      const int channel = item % lanes;
      T sum[V] = {};
      for (int r = 0; r < count; ++r) {
        const T* in[max_levels];
        for (int level = 0; level < Levels; ++level) in[level] = pointers[r * inputs + level];
        if constexpr (compute) {
          const Computed<T> coefficient{work, pointers + r * inputs + work.levels};
          add_nodes<0, Levels, V>(work, in, run.y, run.z, channel, lanes, coefficient, sum);
        } else {
          const Stored<T> coefficient{work.constants ? work.constants
                                                     : coefficients + r * work.leaves};
          add_nodes<0, Levels, V>(work, in, run.y, run.z, channel, lanes, coefficient, sum);
        }
      }
      for (int k = 0; k < V; ++k) out[run.x + channel + k * lanes] += sum[k];
    }
  }
}

constexpr int64_t coefficient_bytes = 32 << 10;  // of shared memory, for each block

// The shape of a launch: threads, tiles of the runs, rows held at a time.
struct Tiling {
  int64_t threads, tiles, batch, shared;
};
template <class T>
Tiling tiling_of(const ChannelWork<T>& work, int lanes, bool compute) {
  const int64_t items = static_cast<int64_t>(work.run_count) * lanes;
  Tiling t;
  t.threads = std::clamp<int64_t>(ceil_div(items, 32) * 32, 32, block_threads);
  const int64_t most = std::min<int64_t>(ceil_div(items, t.threads), 65535);
  t.tiles = std::clamp<int64_t>(2048 / (work.targets * work.pieces), 1, most);
  const bool stored = !compute && !work.constants;
  const int64_t row = stored ? work.leaves * static_cast<int64_t>(sizeof(T)) : 0;
  const int64_t mean = ceil_div(work.target_offsets || work.shared_output ? work.rows : 1,
                                work.target_offsets ? work.targets : 1);
  t.batch = std::clamp<int64_t>(row ? coefficient_bytes / row : 8, 1, std::min<int64_t>(8, mean));
  t.shared = t.batch * (row + (work.levels + work.scalars) * static_cast<int64_t>(sizeof(T*)));
  return t;
}

template <int Levels, int V, bool compute, class T>
void launch_channels(ChannelWork<T> work) {
  const Tiling t = tiling_of(work, work.channels / V, compute);
  work.batch = static_cast<int>(t.batch);
  const dim3 grid(static_cast<unsigned>(work.targets), static_cast<unsigned>(work.pieces),
                  static_cast<unsigned>(t.tiles));
  channel_kernel<Levels, V, compute><<<grid, t.threads, t.shared, stream()>>>(work);
  check_launch("contract");
}

template <int Levels, class T>
void choose_kernel(const ChannelWork<T>& work) {
  const bool fits = work.constants || work.leaves * sizeof(T) <= coefficient_bytes;
  if (!fits)
    launch_channels<Levels, 1, true>(work);
  else if (work.channels % 128 == 0)
    launch_channels<Levels, 4, false>(work);
  else
    launch_channels<Levels, 1, false>(work);
}

template <class T>
void run_parts(const DeviceProgram& program, const Work<T>& common) {
  ChannelWork<T> work{};
  static_cast<Work<T>&>(work) = common;
  for (const DevicePart& part : program.parts) {
    for (size_t level = 0; level < part.levels.size(); ++level)
      work.nodes[level] = reinterpret_cast<const int4*>(part.levels[level].raw());
    work.channels = part.channels, work.leaves = part.leaves;
    work.groups = common.groups + part.first_leaf;
    work.constants =
        program.constants.defined() ? program.constants.data<T>() + part.first_leaf : nullptr;
    for (const Array& pass : part.passes) {
      work.runs = reinterpret_cast<const int4*>(pass.raw());
      work.run_count = static_cast<int>(pass.size() / 4);
      switch (common.levels) {
        case 0:
          choose_kernel<0>(work);
          break;
        case 1:
          choose_kernel<1>(work);
          break;
        case 2:
          choose_kernel<2>(work);
          break;
        case 3:
          choose_kernel<3>(work);
          break;
        case 4:
          choose_kernel<4>(work);
          break;
        case 5:
          choose_kernel<5>(work);
          break;
        default:
          choose_kernel<6>(work);
      }
    }
  }
}

}  // namespace

void run_channels(const DeviceProgram& program, const Work<float>& work) {
  run_parts(program, work);
}
void run_channels(const DeviceProgram& program, const Work<double>& work) {
  run_parts(program, work);
}

}  // namespace casimir::cuda
