// A safetensors file; see safetensors_file.
#include "core/safetensors.h"

#include "tests/fuzz/fuzz.h"

using namespace casimir;
using namespace casimir::fuzz;

namespace {

bool same(const Safetensors& a, const Safetensors& b) {
  if (a.metadata != b.metadata || a.arrays.size() != b.arrays.size()) return false;
  for (size_t i = 0; i < a.arrays.size(); ++i) {
    const auto& [name, x] = a.arrays[i];
    const auto& [other, y] = b.arrays[i];
    if (name != other || x.dtype() != y.dtype() || x.shape() != y.shape()) return false;
    if (x.bytes() > 0 && std::memcmp(x.raw(), y.raw(), x.bytes()) != 0) return false;
  }
  return true;
}

}  // namespace

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const MemoryFile file;
  accepts([&] {
    file.hold(safetensors_file(text_of(data, size)));
    const Safetensors content = read_safetensors(file.path());
    file.hold(safetensors_bytes(file.path(), content));
    Safetensors again;
    require(accepts([&] { again = read_safetensors(file.path()); }), "what was written is read");
    require(same(content, again), "arrays and metadata read back as themselves");
  });
  return 0;
}
