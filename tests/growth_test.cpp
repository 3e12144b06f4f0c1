// Memory: a training of 5 000 steps does not grow, and the build with sanitizers finds leaks.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <thread>

#include "datasets/extxyz.h"
#include "datasets/silicon.h"
#include "tests/program.h"
#include "tests/temporary_folder.h"

#ifdef __SANITIZE_ADDRESS__
extern "C" int __lsan_do_recoverable_leak_check();  // sanitizer/lsan_interface.h: 0 when none
#endif

using namespace casimir;

namespace {

// Without the report, whose page is in memory once, at the end.
constexpr const char* yaml = R"(seed: 1
data: {train: train.xyz, valid_count: 4}
model:
  r_max: 4.0
  hidden_irreps: 4x0e+4x1o
  l_max: 2
  correlation: 2
  radial_mlp: [8]
  readout_irreps: 4x0e
task: {weights: {energy: 1, forces: 10, stress: 100}}
train: {epochs: 250, batch_size: 2, save_every_epochs: 5, report: false}
)";
constexpr int64_t steps_per_epoch = 20;  // 40 frames, 2 a step

// Resident memory of a process, kB.
int64_t resident(pid_t process) {
  std::ifstream status("/proc/" + std::to_string(process) + "/status");
  for (std::string word; status >> word;)
    if (word == "VmRSS:") {
      int64_t kilobytes = 0;
      status >> kilobytes;
      return kilobytes;
    }
  return 0;  // it has ended
}

int64_t lines_of(const std::string& path) {
  const std::string content = content_of(path);
  return std::count(content.begin(), content.end(), '\n');
}

}  // namespace

TEST_CASE("growth: after 500 steps a training of 5 000 takes no more memory, to 2 %" *
          doctest::test_suite("slow")) {
  TemporaryFolder folder;
  write_extxyz(folder / "train.xyz", make_silicon({.frames = 44, .seed = 3}));  // 7 to 16 atoms
  write_content(folder / "run.yaml", yaml);
  const Running running = start_program(folder.path(), "train run.yaml");
  int64_t early = 0, late = 0, samples = 0;  // the largest, kB
  while (const int64_t now = resident(running.process)) {
    const bool begun = lines_of(folder / "runs/run/metrics.jsonl") >= 500 / steps_per_epoch;
    int64_t& most = begun ? late : early;
    most = std::max(most, now);
    samples += begun;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  const Outcome outcome = outcome_of(running);
  REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  REQUIRE(lines_of(folder / "runs/run/metrics.jsonl") == 5000 / steps_per_epoch);
  MESSAGE("first 500 steps: ", early, " kB; then ", late, " kB in ", samples, " samples");
  CHECK(samples > 100);
  CHECK(static_cast<double>(late) < 1.02 * static_cast<double>(early));
}

// The fast tests of the preset cpu-debug stand for "no leaks" only as long as this holds.
TEST_CASE("growth: the build with AddressSanitizer finds a lost block") {
#ifdef __SANITIZE_ADDRESS__
  auto address = reinterpret_cast<uintptr_t>(new double[100]);
  volatile uintptr_t hidden = ~address;
  address = 0;
  CHECK(__lsan_do_recoverable_leak_check() != 0);
  delete[] reinterpret_cast<double*>(~hidden);
  CHECK(__lsan_do_recoverable_leak_check() == 0);
#else
  MESSAGE("skipped: built without AddressSanitizer");
#endif
}
