// Named arrays in one file: the safetensors format (8-byte header length, JSON header, data), read
// with strict bounds checks and, for our own files, a checksum of header and data in the metadata.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "core/array.h"

namespace casimir {

struct Safetensors {
  std::map<std::string, std::string> metadata;
  std::vector<std::pair<std::string, Array>> arrays;  // in file order
  bool verified = false;                              // read from a file that carries a checksum

  const Array* find(const std::string& name) const;  // nullptr when absent
  const Array& at(const std::string& name) const;    // DataError when absent
  void add(std::string name, Array array);           // a name given twice is an error
};

// Reads a whole file. Anything that is not exactly a safetensors file (cut, overlapping, holes,
// sizes that overflow, unknown dtype, duplicate name, wrong checksum) is a DataError that names the
// file and the fault; a missing file is a MissingError. At most 100 MB of header. Dtypes F32, F64,
// I32, U8 are kept; I64 is read as i32 when it fits.
Safetensors read_safetensors(const std::string& path);

// Writes as write_file_atomic does: the file at `path` is either the old one or the complete new
// one. The same content gives the same bytes. The file carries the metadata entry "checksum":
// "xxh64-of-file:" and the XXH64 of header and data with 16 zeros in the place of its digits.
// Reading verifies and removes it; files of other programs need none.
void write_safetensors(const std::string& path, const Safetensors& content);
std::string safetensors_bytes(const std::string& path, const Safetensors& content);  // not written

}  // namespace casimir
