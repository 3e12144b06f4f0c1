// What has to be on the disk before something else counts on it: the calls that see to it, in
// order. The test program's own fsync, fdatasync and rename stand before those of the C library.
#include <dlfcn.h>
#include <doctest/doctest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include "core/files.h"
#include "core/parallel.h"
#include "core/tensorboard.h"
#include "tests/training_run.h"
#include "trainers/run_log.h"

namespace {

std::vector<std::string>* calls = nullptr;  // "fsync NAME", "rename NAME NAME"; of the test at work

std::string name_of(const std::string& path) {
  return path.substr(path.rfind('/') + 1);
}

void note(const char* call, int file) {
  if (!calls) return;
  char target[4096];
  const std::string link = "/proc/self/fd/" + std::to_string(file);
  const ssize_t length = ::readlink(link.c_str(), target, sizeof target);
  calls->push_back(std::string(call) + " " +
                   name_of(std::string(target, std::max<ssize_t>(length, 0))));
}

template <class F>
F* next(F*, const char* name) {
  return reinterpret_cast<F*>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

extern "C" int fsync(int file) {
  note("fsync", file);
  return next(&fsync, "fsync")(file);
}
extern "C" int fdatasync(int file) {
  note("fdatasync", file);
  return next(&fdatasync, "fdatasync")(file);
}
extern "C" int rename(const char* from, const char* to) noexcept {
  if (calls) calls->push_back("rename " + name_of(from) + " " + name_of(to));
  return next(&rename, "rename")(from, to);
}

using namespace casimir;

namespace {

template <class F>
std::vector<std::string> calls_of(F f) {
  std::vector<std::string> found;
  calls = &found;
  f();
  calls = nullptr;
  return found;
}

}  // namespace

TEST_CASE("durability: a file is on the disk before it has its name, and then the name is") {
  TemporaryFolder folder;
  const auto found = calls_of([&] { write_file_atomic(folder / "a.bin", "content"); });
  const std::string temporary = "a.bin.tmp." + std::to_string(::getpid());
  CHECK(found == std::vector<std::string>{"fsync " + temporary, "rename " + temporary + " a.bin",
                                          "fsync " + name_of(folder.path())});
}

TEST_CASE("durability: the lines that a checkpoint counts on are on the disk before it") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 4);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = 3;
  const auto found = calls_of([&] { train(request_for(options, folder / "run")); });
  set_num_threads(0);
  int checkpoints = 0;
  auto begin = found.begin();
  for (auto at = found.begin(); at != found.end(); ++at) {
    if (!at->starts_with("rename step-") || !at->ends_with(".ckpt")) continue;
    for (const char* file : {"metrics.jsonl", "lcurve.csv", "timing.jsonl", event_file_name}) {
      CAPTURE(file);
      CHECK(std::find(begin, at, std::string("fdatasync ") + file) != at);
    }
    begin = at;
    ++checkpoints;
  }
  CHECK(checkpoints == 4);  // at the start, and after each epoch
}

TEST_CASE("durability: the lines after the last checkpoint are gone before the run goes on") {
  TemporaryFolder folder;
  const std::string path = folder / "metrics.jsonl";
  write_file_atomic(path, "step 1\nstep 2\nstep 3\n");
  AppendFile lines(path, 7);
  CHECK(read_file(path) == "step 1\n");
  lines.write("again 2\n");
  CHECK(read_file(path) == "step 1\nagain 2\n");
  CHECK(lines.length() == 15);
}
