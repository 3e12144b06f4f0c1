#include "core/parallel.h"

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <stdexcept>
#include <thread>
#include <vector>

using namespace casimir;

TEST_CASE("parallel: every chunk once, with fixed boundaries, for any number of threads") {
  for (int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    for (int64_t n : {0, 1, 7, 64, 1000})
      for (int round = 0; round < 200; ++round) {
        std::vector<std::atomic<int>> seen(n);
        parallel_for(n, 3, [&](int64_t begin, int64_t end) {
          CHECK(begin % 3 == 0);
          CHECK((end == n || end == begin + 3));
          for (int64_t i = begin; i < end; ++i) ++seen[i];
        });
        bool once = true;
        for (auto& count : seen) once = once && count == 1;
        REQUIRE(once);
      }
  }
  set_num_threads(0);
}

TEST_CASE("parallel: an exception of a chunk reaches the caller, and the team goes on") {
  set_num_threads(3);
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> done{0};
    CHECK_THROWS_AS(parallel_for(100, 1,
                                 [&](int64_t begin, int64_t) {
                                   ++done;
                                   if (begin == 42) throw std::runtime_error("chunk 42");
                                 }),
                    std::runtime_error);
    CHECK(done == 100);
  }
  set_num_threads(0);
}

TEST_CASE("parallel: nested calls and calls from several threads are complete") {
  set_num_threads(4);
  std::atomic<int64_t> sum{0};
  std::vector<std::thread> callers;
  for (int t = 0; t < 3; ++t)
    callers.emplace_back([&] {
      for (int round = 0; round < 50; ++round)
        parallel_for(20, 1, [&](int64_t i, int64_t) {
          parallel_for(10, 2, [&](int64_t begin, int64_t end) { sum += (end - begin) * i; });
        });
    });
  for (std::thread& caller : callers) caller.join();
  CHECK(sum == 3 * 50 * 10 * 190);
  set_num_threads(0);
}

TEST_CASE("parallel: signals go to the main thread") {
  set_num_threads(3);
  std::atomic<int> wrong{0}, helped{0};
  const std::thread::id main = std::this_thread::get_id();
  for (int round = 0; round < 100 && helped == 0; ++round)
    parallel_for(300, 1, [&](int64_t, int64_t) {
      std::this_thread::yield();
      sigset_t blocked;
      pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
      const bool helper = std::this_thread::get_id() != main;
      helped += helper;
      for (int signal : {SIGTERM, SIGINT, SIGUSR1, SIGALRM})
        wrong += (sigismember(&blocked, signal) == 1) != helper;
    });
  CHECK(helped > 0);
  CHECK(wrong == 0);
  set_num_threads(0);
}

TEST_CASE("parallel: denormal numbers count as zero in every thread") {
  set_num_threads(3);
  const auto nonzero = [] {
    std::atomic<int> count{0};
    parallel_for(300, 1, [&](int64_t, int64_t) {
      volatile float tiny = 1e-39f;
      volatile double tiny64 = 1e-310;
      count += (tiny * 0.5f != 0) + (tiny64 * 0.5 != 0);
      std::this_thread::yield();
    });
    return count.load();
  };
  CHECK(nonzero() == 600);
  flush_denormals(true);
  CHECK(nonzero() == 0);
  flush_denormals(false);
  CHECK(nonzero() == 600);
  set_num_threads(0);
}
