// The system goes wrong under a real training: every system call that it makes on its files fails,
// stops halfway, finds the disk full, or is the last one before the process is killed
// (fault_shim.cpp). Whatever happens, no file is left that looks whole and is not, and the same
// command then ends with the same bytes as a training that nothing happened to.
#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "core/safetensors.h"
#include "tests/program.h"
#include "tests/temporary_folder.h"
#include "tests/training_run.h"
#include "trainers/checkpoint.h"
#include "trainers/model_file.h"

using namespace casimir;

namespace {

namespace fs = std::filesystem;

constexpr const char* kinds[] = {"EIO", "ENOSPC", "short", "full", "before", "after"};
constexpr const char* results[] = {"model.safetensors", "metrics.jsonl", "lcurve.csv"};
constexpr const char* command = "train run.yaml --run-dir ";

constexpr const char* yaml = R"(seed: 5
data: {train: train.xyz, valid_count: 2}
model:
  {hidden_irreps: 2x0e, l_max: 1, correlation: 1, num_interactions: 1, num_bessel: 2,
   radial_mlp: [2], readout_irreps: 2x0e, r_max: 3.0}
task: {weights: {energy: 1, forces: 10, stress: 100}}
train: {epochs: 3, batch_size: 2, optimizer: {lr: 0.005}, schedule: {kind: plateau, patience: 1}}
step: {threads: 1}
)";

// The program under the shim, with variables that end when this does.
class Shim {
 public:
  Shim(const std::string& folder, const std::string& trace, int64_t call, const char* kind) {
    set("LD_PRELOAD", CASIMIR_FAULT_SHIM);
    set("CASIMIR_FAULT_FOLDER", folder);
    set("CASIMIR_FAULT_TRACE", trace);
    set("CASIMIR_FAULT_CALL", std::to_string(call));
    set("CASIMIR_FAULT_KIND", kind);
  }
  ~Shim() {
    for (const std::string& name : names_) ::unsetenv(name.c_str());
  }
  Shim(const Shim&) = delete;
  Shim& operator=(const Shim&) = delete;

 private:
  void set(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    names_.push_back(name);
  }
  std::vector<std::string> names_;
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// A folder with data, configuration and an uninterrupted run, to which the others are compared.
class Scene {
 public:
  Scene() {
    write_silicon(folder_ / "train.xyz", 6);
    write_content(folder_ / "run.yaml", yaml);
    REQUIRE(run_program(folder_.path(), command + path("whole")).code == 0);
  }

  std::string path(const std::string& run) const { return folder_ / run; }

  // The calls of a whole training that begins with what `start` holds.
  std::vector<std::string> calls(const std::string& start) {
    prepare(start);
    Shim shim(path("run"), folder_ / "trace", 0, "EIO");
    Outcome outcome = run_program(folder_.path(), command + path("run"));
    REQUIRE(outcome.code == 0);
    std::vector<std::string> lines = lines_of(content_of(folder_ / "trace"));
    fs::remove(folder_ / "trace");
    check_same("traced");
    return lines;
  }

  // `run` as it is when a training is killed after this call.
  void interrupt(const std::string& run, int64_t call) {
    prepare("");
    Shim shim(path("run"), "", call, "after");
    REQUIRE(run_program(folder_.path(), command + path("run")).signal == SIGKILL);
    fs::rename(path("run"), path(run));
  }

  void drive(const std::string& start, const std::string& call, int64_t number, const char* kind) {
    const std::string what = call + " " + kind;
    CAPTURE(what);
    prepare(start);
    Outcome outcome;
    {
      Shim shim(path("run"), "", number, kind);
      outcome = run_program(folder_.path(), command + path("run"));
    }
    check_outcome(outcome, kind);
    check_files();
    if (outcome.code == 0 && outcome.signal == 0) check_same("survived: " + what);
    Outcome resumed = run_program(folder_.path(), command + path("run"));
    CHECK(resumed.err == "");
    CHECK(resumed.code == 0);
    check_same("resumed: " + what);
    for (const auto& entry : fs::recursive_directory_iterator(path("run")))
      CHECK_MESSAGE(entry.path().string().find(".tmp") == std::string::npos, entry.path());
  }

 private:
  void prepare(const std::string& start) const {
    fs::remove_all(path("run"));
    if (!start.empty()) fs::copy(path(start), path("run"), fs::copy_options::recursive);
  }

  // Killed where it had to be; else it went on without a word, or ended with one clear message.
  void check_outcome(const Outcome& outcome, const std::string& kind) const {
    const bool killed = kind == "before" || kind == "after";
    CHECK(outcome.signal == (killed ? SIGKILL : 0));
    if (killed) return;
    CHECK((outcome.code == 0 || outcome.code == 74));
    if (outcome.code == 0) CHECK(outcome.err == "");
    if (outcome.code != 74) return;
    CHECK_MESSAGE(outcome.err.starts_with("casimir: error: "), outcome.err);
    CHECK_MESSAGE(outcome.err.find(path("run")) != std::string::npos, outcome.err);
    CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
    const int errors[] = {EIO, ENOSPC, EINTR, EDQUOT};
    bool says_why = std::any_of(std::begin(errors), std::end(errors), [&](int error) {
      return outcome.err.ends_with(std::string(": ") + std::strerror(error) + "\n");
    });
    CHECK_MESSAGE(says_why, outcome.err);
  }

  // What has a finished file's name can be read.
  void check_files() const {
    if (!fs::exists(path("run"))) return;
    for (const auto& entry : fs::recursive_directory_iterator(path("run"))) {
      const fs::path& file = entry.path();
      CAPTURE(file);
      if (file.extension() == ".ckpt") CHECK_NOTHROW(read_checkpoint(file));
      if (file.extension() == ".safetensors") CHECK_NOTHROW(load_model(file));
    }
  }

  void check_same(const std::string& when) const {
    for (const std::string file : results) {
      const bool same = content_of(path("run/" + file)) == content_of(path("whole/" + file));
      CHECK_MESSAGE(same, file, " ", when);
    }
  }

  TemporaryFolder folder_;
};

// The calls from the report of epoch 2 to the end of what is saved then: [begin, end) from 0.
std::pair<size_t, size_t> one_save(const std::vector<std::string>& calls) {
  auto is = [](const std::string& call, const char* text) {
    return call.find(text) != std::string::npos;
  };
  size_t checkpoint = 0;
  while (!is(calls[checkpoint], "step-000000004.ckpt.tmp")) ++checkpoint;
  size_t begin = checkpoint, end = checkpoint;
  while (!is(calls[begin], "train.log")) --begin;
  while (!is(calls[end], "train.log")) ++end;
  return {begin, end};
}

void drive_all(Scene& scene, const std::string& start, const std::vector<std::string>& calls,
               size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i)
    for (const char* kind : kinds) scene.drive(start, calls[i], static_cast<int64_t>(i) + 1, kind);
  const size_t count = end - begin;
  MESSAGE(count, " system calls, ", count * std::size(kinds), " faults");
}

}  // namespace

TEST_CASE("faults: every system call of one save goes wrong in six ways, no result is lost" *
          doctest::test_suite("slow")) {
  Scene scene;
  const std::vector<std::string> calls = scene.calls("");
  const auto [begin, end] = one_save(calls);
  drive_all(scene, "", calls, begin, end);
}

// Takes minutes: run it by its name, with --no-skip.
TEST_CASE("faults: every system call of a training and of one that goes on, in six ways" *
          doctest::test_suite("slow") * doctest::skip()) {
  Scene scene;
  const std::vector<std::string> fresh = scene.calls("");
  drive_all(scene, "", fresh, 0, fresh.size());
  scene.interrupt("interrupted", static_cast<int64_t>(one_save(fresh).second));
  const std::vector<std::string> resumed = scene.calls("interrupted");
  drive_all(scene, "interrupted", resumed, 0, resumed.size());
}
