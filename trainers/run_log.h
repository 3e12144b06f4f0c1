// What a run says: lines for people (console and train.log); metrics.jsonl, lcurve.csv,
// timing.jsonl and TensorBoard's event file for programs. Only the last two hold wall-clock times,
// so that the others are the same bytes for an interrupted and an uninterrupted run.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace casimir {

// An append-only file; every write is checked (IoError).
class AppendFile {
 public:
  AppendFile() = default;
  // Cuts the file to `length` bytes; < 0: keeps it all.
  AppendFile(const std::string& path, int64_t length);
  ~AppendFile();
  AppendFile(AppendFile&& other) noexcept;
  AppendFile& operator=(AppendFile&& other) noexcept;

  void write(const std::string& text);
  void sync();
  int64_t length() const { return length_; }
  bool open() const { return file_ >= 0; }

 private:
  std::string path_;
  int file_ = -1;
  int64_t length_ = 0;
};

class RunLog {
 public:
  // lengths: of the files for programs when a run goes on; empty: a new run.
  RunLog(const std::string& folder, const std::map<std::string, int64_t>& lengths, bool quiet);

  void line(const std::string& text);        // console and train.log
  void metrics(const std::string& json);     // a line of metrics.jsonl
  void curve(const std::string& csv);        // a line of lcurve.csv
  void timing(const std::string& json);      // a line of timing.jsonl
  void event(const std::string& record);     // of the event file
  std::map<std::string, int64_t> lengths();  // synced to the disk first

 private:
  bool quiet_;
  AppendFile log_, metrics_, curve_, timing_, events_;
};

// One number as text that reads back to the same bits; null for NaN and infinity.
std::string json_number(double value);
std::string json_text(const std::string& text);  // quoted

// "12 s", "2:31", "1:02:03"
std::string duration(double seconds);

// The folder of a run, held by one process at a time.
class RunLock {
 public:
  explicit RunLock(const std::string& folder);  // UsageError that names the holder's process
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int file_ = -1;
};

}  // namespace casimir
