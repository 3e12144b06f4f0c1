// Irreps as text.
#include "equivariant/irreps.h"
#include "tests/fuzz/fuzz.h"

using namespace casimir;
using namespace casimir::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(text_of(data, size));
  accepts([&] {
    const Irreps irreps = Irreps::parse(text);
    require(Irreps::parse(irreps.text()) == irreps, irreps.text() + " reads back as itself");
    require(irreps.simplify().dim() == irreps.dim(), "simplify keeps the dimension");
    const Irreps::Sorted sorted = irreps.sort();
    require(sorted.irreps.dim() == irreps.dim(), "sort keeps the dimension");
    for (size_t i = 0; i < irreps.size(); ++i)
      require(
          sorted.inv[sorted.p[i]] == static_cast<int>(i) && sorted.irreps[sorted.p[i]] == irreps[i],
          "sort says where each block went");
    require(irreps.offsets().back() == irreps.dim(), "the offsets end at the dimension");
  });
  accepts([&] {
    const Irrep irrep = Irrep::parse(text);
    require(Irrep::parse(irrep.text()) == irrep, irrep.text() + " reads back as itself");
  });
  return 0;
}
