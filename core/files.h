// Reading whole files and publishing new ones safely.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace casimir {

std::string read_file(const std::string& path);  // MissingError, IoError

// Temporary name, write, fsync, close, rename, fsync of the folder; every call checked (IoError
// with the system's words). The previous file stays whole until the rename.
void write_file_atomic(const std::string& path, std::string_view content);

uint64_t checksum(std::string_view bytes, uint64_t seed = 0);  // XXH64 of the bytes
std::string hex(uint64_t value);                               // 16 digits

}  // namespace casimir
