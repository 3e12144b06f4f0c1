#include "trainers/run_log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/tensorboard.h"

namespace casimir {

namespace {

[[noreturn]] void fail_system(const std::string& path, const char* action) {
  fail<IoError>(path, ": cannot ", action, ": ", std::strerror(errno));
}

}  // namespace

AppendFile::AppendFile(const std::string& path, int64_t length) : path_(path) {
  file_ = retry([&] { return ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644); });
  if (file_ < 0) fail_system(path, "open for writing");
  struct stat status {};
  if (::fstat(file_, &status) != 0) fail_system(path, "read its length");
  length_ = status.st_size;
  if (length >= 0 && length < length_) {
    if (retry([&] { return ::ftruncate(file_, length); }) != 0) fail_system(path, "cut it");
    length_ = length;
  }
  if (::lseek(file_, length_, SEEK_SET) < 0) fail_system(path, "go to its end");
}

AppendFile::~AppendFile() {
  if (file_ >= 0) ::close(file_);
}

AppendFile::AppendFile(AppendFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::exchange(other.file_, -1)),
      length_(other.length_) {}

AppendFile& AppendFile::operator=(AppendFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(file_, other.file_);
  std::swap(length_, other.length_);
  return *this;
}

void AppendFile::write(const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    ssize_t n = retry([&] { return ::write(file_, text.data() + done, text.size() - done); });
    if (n < 0) fail_system(path_, "write");
    done += static_cast<size_t>(n);
  }
  length_ += static_cast<int64_t>(text.size());
}

void AppendFile::sync() {
  if (retry([&] { return ::fdatasync(file_); }) != 0) fail_system(path_, "write to the disk");
}

RunLog::RunLog(const std::string& folder, const std::map<std::string, int64_t>& lengths, bool quiet)
    : quiet_(quiet), log_(folder + "/train.log", lengths.empty() ? 0 : -1) {
  auto open = [&](const char* name) {
    auto at = lengths.find(name);
    int64_t length = at == lengths.end() ? 0 : at->second;
    AppendFile file(folder + "/" + name, length);
    if (file.length() < length)
      line(fmt::format("note: {} holds {} bytes, the checkpoint recorded {}: lines are missing",
                       name, file.length(), length));
    return file;
  };
  metrics_ = open("metrics.jsonl");
  curve_ = open("lcurve.csv");
  timing_ = open("timing.jsonl");
  events_ = open(event_file_name);
  auto events = lengths.find(event_file_name);
  // Records cannot be read beyond a gap: a file that lacks some begins anew.
  if (events != lengths.end() && events_.length() < events->second)
    events_ = AppendFile(folder + "/" + event_file_name, 0);
  if (events == lengths.end() && !lengths.empty())
    line(fmt::format("note: the checkpoint is of a version without {}: it begins here",
                     event_file_name));
  if (events_.length() == 0) events_.write(event_file_start(wall_time()));
}

void RunLog::line(const std::string& text) {
  log_.write(text + "\n");
  if (quiet_) return;
  std::fputs((text + "\n").c_str(), stdout);
  std::fflush(stdout);
}

void RunLog::metrics(const std::string& json) {
  metrics_.write(json + "\n");
}

void RunLog::curve(const std::string& csv) {
  curve_.write(csv + "\n");
}

void RunLog::timing(const std::string& json) {
  timing_.write(json + "\n");
}

void RunLog::event(const std::string& record) {
  events_.write(record);
}

std::map<std::string, int64_t> RunLog::lengths() {
  metrics_.sync();
  curve_.sync();
  timing_.sync();
  events_.sync();
  return {{"metrics.jsonl", metrics_.length()},
          {"lcurve.csv", curve_.length()},
          {"timing.jsonl", timing_.length()},
          {event_file_name, events_.length()}};
}

std::string json_number(double value) {
  if (!std::isfinite(value)) return "null";
  return fmt::format("{}", value);
}

std::string json_text(const std::string& text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string duration(double seconds) {
  if (!(seconds >= 0) || seconds > 1e9) return "?";
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 60) return fmt::format("{:.0f} s", seconds);
  int64_t whole = static_cast<int64_t>(seconds + 0.5);
  int64_t h = whole / 3600, m = whole / 60 % 60, s = whole % 60;
  return h ? fmt::format("{}:{:02}:{:02}", h, m, s) : fmt::format("{}:{:02}", m, s);
}

RunLock::RunLock(const std::string& folder) {
  std::string path = folder + "/.lock";
  file_ = retry([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); });
  if (file_ < 0) fail_system(path, "open");
  // The kernel lets go of the lock when the process ends, however it ends.
  if (::flock(file_, LOCK_EX | LOCK_NB) != 0) {
    int reason = errno;
    char holder[64] = {};
    ssize_t n = ::read(file_, holder, sizeof holder - 1);
    ::close(file_);
    errno = reason;
    if (reason != EWOULDBLOCK) fail_system(path, "lock");
    fail<UsageError>(folder, ": in use by another training (process ",
                     std::string(holder, n > 0 ? static_cast<size_t>(n) : 0), ")");
  }
  std::string pid = std::to_string(::getpid());
  if (retry([&] { return ::ftruncate(file_, 0); }) != 0 ||
      retry([&] { return ::pwrite(file_, pid.data(), pid.size(), 0); }) < 0)
    fail_system(path, "write");
}

RunLock::~RunLock() {
  ::close(file_);
}

}  // namespace casimir
