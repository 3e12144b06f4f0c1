#include "core/parallel.h"

#include <immintrin.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace casimir {
namespace {

thread_local bool inside = false;  // nested calls stay in their thread

// A team of workers that take chunks of the current job and sleep after a spin without one. One job
// at a time. A job is over when its chunks are done, whether or not every worker has woken up.
class Team {
 public:
  explicit Team(int workers) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Team() {
    stop_ = true;
    publish(0, nullptr);
    for (std::thread& thread : threads_) thread.join();
  }

  void run(int64_t chunks, const std::function<void(int64_t)>& chunk) {
    done_.store(0, std::memory_order_relaxed);
    publish(chunks, &chunk);
    drain();
    for (int i = 0; done_.load(std::memory_order_acquire) != chunks; ++i)
      i < spins ? __builtin_ia32_pause() : std::this_thread::yield();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  static constexpr int spins = 20000;  // about 0.2 ms
  static constexpr uint64_t chunk_mask = 0xFFFFFFFF;
  struct Job {
    std::atomic<int64_t> chunks{0};
    std::atomic<const std::function<void(int64_t)>*> chunk{nullptr};
  };

  void publish(int64_t chunks, const std::function<void(int64_t)>* chunk) {
    uint64_t number = (state_.load() >> 32) + 1;
    jobs_[number % 2].chunks.store(chunks);
    jobs_[number % 2].chunk.store(chunk);
    state_.store(number << 32);
    if (sleepers_.load() == 0) return;
    std::lock_guard lock(mutex_);
    wake_.notify_all();
  }

  // Claims chunks by counting state_ up: it holds the job's number, so that a late worker cannot
  // claim a chunk of a job that it did not read.
  void drain() {
    bool before = std::exchange(inside, true);
    uint64_t state = state_.load(std::memory_order_acquire);
    while (true) {
      Job& job = jobs_[(state >> 32) % 2];
      int64_t chunks = job.chunks.load(std::memory_order_acquire);
      const auto* chunk = job.chunk.load(std::memory_order_acquire);
      auto index = static_cast<int64_t>(state & chunk_mask);
      if (index >= chunks) break;
      if (!state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) continue;
      try {
        (*chunk)(index);
      } catch (...) {
        std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
      done_.fetch_add(1, std::memory_order_release);
      state = state_.load(std::memory_order_acquire);
    }
    inside = before;
  }

  void work() {
    leave_signals_to_main();
    uint64_t seen = 0;
    auto idle = [&] { return state_.load() >> 32 == seen; };
    while (true) {
      for (int i = 0; i < spins && idle(); ++i) __builtin_ia32_pause();
      if (idle()) {
        std::unique_lock lock(mutex_);
        ++sleepers_;
        wake_.wait(lock, [&] { return !idle(); });
        --sleepers_;
      }
      if (stop_) return;
      seen = state_.load() >> 32;
      drain();
    }
  }

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> state_{0};  // number of the job << 32 | next chunk
  std::atomic<int64_t> done_{0};
  std::atomic<int> sleepers_{0};
  std::atomic<bool> stop_{false};
  Job jobs_[2];
  std::exception_ptr error_;
};

int count = 0;
std::unique_ptr<Team> team;
std::mutex team_mutex;  // held by the thread whose job the team runs

int threads_now() {
  if (count == 0) set_num_threads(0);
  return count;
}

}  // namespace

int available_threads() {
  for (const char* name : {"OMP_NUM_THREADS", "SLURM_CPUS_PER_TASK"})
    if (const char* text = std::getenv(name))
      if (int n = std::atoi(text); n > 0) return n;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

int num_threads() {
  return threads_now();
}

void set_num_threads(int threads) {
  if (threads <= 0) threads = available_threads();
  if (threads == count) return;
  std::lock_guard lock(team_mutex);
  team.reset();
  count = threads;
}

void flush_denormals(bool on) {
  _MM_SET_FLUSH_ZERO_MODE(on ? _MM_FLUSH_ZERO_ON : _MM_FLUSH_ZERO_OFF);
  _MM_SET_DENORMALS_ZERO_MODE(on ? _MM_DENORMALS_ZERO_ON : _MM_DENORMALS_ZERO_OFF);
  std::lock_guard lock(team_mutex);
  team.reset();  // the next one's threads inherit the mode
}

void leave_signals_to_main() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, nullptr);
}

void parallel_chunks(int64_t n, int64_t grain, const std::function<void(int64_t, int64_t)>& f) {
  int64_t chunks = (n + grain - 1) / grain;
  auto chunk = [&](int64_t i) { f(i * grain, std::min(n, (i + 1) * grain)); };
  std::unique_lock lock(team_mutex, std::defer_lock);
  if (inside || threads_now() == 1 || chunks == 1 || !lock.try_lock()) {
    for (int64_t i = 0; i < chunks; ++i) chunk(i);
    return;
  }
  if (!team) team = std::make_unique<Team>(count - 1);
  team->run(chunks, chunk);
}

}  // namespace casimir
