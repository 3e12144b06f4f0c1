// Work over threads with chunk boundaries that depend on sizes alone, so that results have the
// same bits for 1, 2 or 8 threads.
#pragma once

#include <cstdint>
#include <functional>

namespace casimir {

int num_threads();
void set_num_threads(int count);  // 0: what the machine, OMP_NUM_THREADS or Slurm allows
int available_threads();          // that number

// From here on numbers too small for a normal representation (1e-38 in float32) count as zero in
// this thread and those that it starts. Arithmetic with them takes a hundred times as long, and
// weights that decay to nothing pass through them.
void flush_denormals(bool on);

// For threads that help: signals are left to the main thread, which handles them on a stack of
// their own. oneDNN's code for AVX-512 keeps a data address in the stack pointer, where the kernel
// would store the interrupted thread's registers: a program's own handlers need SA_ONSTACK.
void leave_signals_to_main();

// Calls f(begin, end) for the chunks [0, grain), [grain, 2 grain) ... of [0, n). Chunks may run on
// any thread in any order; the first exception is rethrown here. Nested calls run in the caller.
void parallel_chunks(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& f);

template <class F>
void parallel_for(int64_t n, int64_t grain, F&& f) {
  if (n <= 0) return;
  if (n <= grain) return f(int64_t{0}, n);
  parallel_chunks(n, grain, std::forward<F>(f));
}

// A chunk size so that a chunk holds about 16 k element operations.
inline int64_t grain_for(int64_t work_per_item) {
  int64_t grain = 16384 / (work_per_item > 0 ? work_per_item : 1);
  return grain > 0 ? grain : 1;
}

}  // namespace casimir
