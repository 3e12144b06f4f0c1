// What the fuzzers share. Each is one function from bytes to nothing; its property: it returns, or
// throws a casimir::Error, and what was accepted reads back as itself. libFuzzer calls it.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "core/error.h"

namespace casimir::fuzz {

inline void require(bool holds, const std::string& what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what.c_str());
  std::abort();
}

// f() as it is, a casimir::Error taken for an answer. Whether there was none.
template <class F>
bool accepts(F f) {
  try {
    f();
    return true;
  } catch (const Error& error) {
    require(*error.what() != '\0', "an error says something");
    return false;
  }
}

// A file without a disk.
class MemoryFile {
 public:
  MemoryFile() : file_(::memfd_create("fuzz", MFD_CLOEXEC)) {
    require(file_ >= 0, "memfd_create works");
    path_ = "/proc/self/fd/" + std::to_string(file_);
  }
  ~MemoryFile() { ::close(file_); }
  MemoryFile(const MemoryFile&) = delete;
  MemoryFile& operator=(const MemoryFile&) = delete;

  void hold(std::string_view bytes) const {
    bool written = ::ftruncate(file_, 0) == 0 && ::pwrite(file_, bytes.data(), bytes.size(), 0) ==
                                                     static_cast<ssize_t>(bytes.size());
    require(written, "a file in memory takes what is written");
  }
  const std::string& path() const { return path_; }

 private:
  int file_;
  std::string path_;
};

// A safetensors file from an input that is easy to change: the header up to the first line end,
// then the data; the length in front is made here. An input that begins with a zero byte is the
// file itself, behind it.
inline std::string safetensors_file(std::string_view input) {
  if (input.starts_with('\0')) return std::string(input.substr(1));
  const size_t end = std::min(input.find('\n'), input.size());
  const uint64_t length = end;
  std::string file(reinterpret_cast<const char*>(&length), sizeof length);
  file += input.substr(0, end);
  if (end < input.size()) file += input.substr(end + 1);
  return file;
}

inline std::string_view text_of(const uint8_t* data, size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

}  // namespace casimir::fuzz

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
