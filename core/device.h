// Devices. A CPU build contains no CUDA code at all: `if constexpr (cuda_built)` discards it.
#pragma once

#include <ostream>

namespace casimir {

#ifdef CASIMIR_CUDA
inline constexpr bool cuda_built = true;
#else
inline constexpr bool cuda_built = false;
#endif

enum class Device { cpu, cuda };

inline std::ostream& operator<<(std::ostream& out, Device device) {
  return out << (device == Device::cpu ? "cpu" : "cuda");
}

// True where a CUDA build finds a GPU and a driver. Errors 34, 35 and 100 all mean "no GPU".
bool cuda_available();

}  // namespace casimir
