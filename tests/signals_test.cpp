#include "trainers/signals.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "core/gemm.h"

using namespace casimir;

namespace {

using Handler = void (*)(int);
Handler handler_of(int signal) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler;
}

}  // namespace

TEST_CASE("signals: SIGTERM, SIGINT and SIGUSR1 ask to stop, and the former handlers come back") {
  Handler before = handler_of(SIGTERM);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    StopSignals signals;
    CHECK_FALSE(StopSignals::asked());
    CHECK(std::string(StopSignals::name()).empty());
    std::raise(signal);
    CHECK(StopSignals::asked());
    std::string name = signal == SIGTERM ? "SIGTERM" : signal == SIGINT ? "SIGINT" : "SIGUSR1";
    CHECK(StopSignals::name() == name);
  }
  bool back = handler_of(SIGTERM) == before;
  CHECK(back);
}

TEST_CASE("signals: after one SIGINT the next has its usual effect") {
  StopSignals signals;
  std::raise(SIGINT);
  bool usual = handler_of(SIGINT) == SIG_DFL;
  CHECK(usual);
}

// oneDNN's code for AVX-512 moves the stack pointer into its data: handled on the same stack, a
// signal overwrote the heap.
TEST_CASE("signals: they do not disturb a product of matrices that they interrupt") {
  constexpr int64_t m = 64, n = 512, k = 500;
  const std::vector<float> a(m * k, 1), b(k * n, 1);
  std::vector<float> c(m * n);
  const Gemm<float> product{.m = m,
                            .n = n,
                            .k = k,
                            .a = a.data(),
                            .lda = k,
                            .b = b.data(),
                            .ldb = n,
                            .c = c.data(),
                            .ldc = n};
  StopSignals signals;
  std::atomic<bool> done{false};
  std::thread sender([&done, to = pthread_self()] {
    while (!done) {
      pthread_kill(to, SIGUSR1);
      std::this_thread::sleep_for(std::chrono::microseconds(100));
    }
  });
  int64_t wrong = 0;
  for (int round = 0; round < 300; ++round) {
    gemm_serial(product);
    for (float value : c) wrong += value != k;
  }
  done = true;
  sender.join();
  CHECK(StopSignals::asked());
  CHECK(wrong == 0);
}
