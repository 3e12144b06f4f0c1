// An extended XYZ file, plain or gzip. What is before a first zero byte is the index.
#include "datasets/extxyz.h"
#include "tests/fuzz/fuzz.h"

using namespace casimir;
using namespace casimir::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MemoryFile file;
  std::string_view input = text_of(data, size);
  std::string index = ":";
  if (const size_t zero = input.find('\0'); zero < 64 && !input.starts_with('\x1f')) {
    index = input.substr(0, zero);
    input.remove_prefix(zero + 1);
  }
  accepts([&] {
    file.hold(input);
    const std::vector<Frame> frames = read_extxyz(file.path(), {}, index);
    const std::string text = extxyz_text(frames);
    file.hold(text);
    std::vector<Frame> again;
    require(accepts([&] { again = read_extxyz(file.path()); }), "frames read back:\n" + text);
    require(extxyz_text(again) == text, "frames read back as themselves:\n" + text);
  });
  return 0;
}
