// Reading whole files, publishing new ones safely, folders.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace casimir {

std::string read_file(const std::string& path);  // MissingError, IoError

// Temporary name, write, fsync, close, rename, fsync of the folder; every call checked (IoError
// with the system's words). The previous file stays whole until the rename.
void write_file_atomic(const std::string& path, std::string_view content);

// All of these: IoError with the path and the system's words.
void make_folder(const std::string& path);  // with those above it, each synced into its own
void remove_file(const std::string& path);  // none there: nothing happens
std::vector<std::string> paths_in(const std::string& folder);  // sorted; none: no such folder

uint64_t checksum(std::string_view bytes, uint64_t seed = 0);  // XXH64 of the bytes
uint32_t crc32c(std::string_view bytes);  // Castagnoli's (RFC 3720, appendix B.4)
std::string hex(uint64_t value);          // 16 digits

// Calls f until it is not interrupted by a signal.
template <class F>
auto retry(F f) {
  auto result = f();
  while (result < 0 && errno == EINTR) result = f();
  return result;
}

}  // namespace casimir
