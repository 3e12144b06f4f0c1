#include "core/parallel.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
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

// A team of workers that sleeps between jobs after a short spin. One job at a time.
class Team {
 public:
  explicit Team(int workers) {
    for (int i = 0; i < workers; ++i) threads_.emplace_back([this] { work(); });
  }
  ~Team() {
    {
      std::lock_guard lock(mutex_);
      stop_ = true;
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void run(int64_t chunks, const std::function<void(int64_t)>& chunk) {
    chunk_ = &chunk;
    chunks_ = chunks;
    next_.store(0, std::memory_order_relaxed);
    busy_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
    {
      std::lock_guard lock(mutex_);
      generation_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
    drain();
    spin_until([this] { return busy_.load(std::memory_order_acquire) == 0; });
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
  }

 private:
  static constexpr int spins = 20000;  // about 0.2 ms

  template <class Ready>
  static void spin_until(Ready ready) {
    for (int i = 0; !ready(); ++i) {
      if (i < spins)
        __builtin_ia32_pause();
      else
        std::this_thread::yield();
    }
  }

  void drain() {
    bool before = std::exchange(inside, true);
    for (int64_t i; (i = next_.fetch_add(1, std::memory_order_relaxed)) < chunks_;) {
      try {
        (*chunk_)(i);
      } catch (...) {
        std::lock_guard lock(mutex_);
        if (!error_) error_ = std::current_exception();
      }
    }
    inside = before;
  }

  void work() {
    uint64_t seen = 0;
    while (true) {
      for (int i = 0; i < spins && generation_.load(std::memory_order_acquire) == seen; ++i)
        __builtin_ia32_pause();
      if (generation_.load(std::memory_order_acquire) == seen) {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return generation_.load(std::memory_order_relaxed) != seen; });
      }
      seen = generation_.load(std::memory_order_acquire);
      if (stop_) return;
      drain();
      busy_.fetch_sub(1, std::memory_order_release);
    }
  }

  std::vector<std::thread> threads_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int64_t> next_{0};
  std::atomic<int> busy_{0};
  int64_t chunks_ = 0;
  const std::function<void(int64_t)>* chunk_ = nullptr;
  std::exception_ptr error_;
  bool stop_ = false;
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
