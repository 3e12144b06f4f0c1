#include "core/device.h"

namespace casimir {

namespace cuda {
bool available();
}

bool cuda_available() {
  if constexpr (cuda_built) return cuda::available();
  return false;
}

}  // namespace casimir
