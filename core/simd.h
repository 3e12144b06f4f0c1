// The width of a vector register of the instruction set this file is compiled for.
#pragma once

#include <cstring>

namespace casimir {

#if defined(__AVX512F__)
inline constexpr int simd_bytes = 64;
#elif defined(__AVX__)
inline constexpr int simd_bytes = 32;
#else
inline constexpr int simd_bytes = 16;
#endif

// As many numbers as one register holds. Arrays of them are aligned; other memory is read and
// written by simd_load and simd_store, which need no alignment.
template <class T>
struct Simd {
  static constexpr int width = simd_bytes / static_cast<int>(sizeof(T));
  typedef T type __attribute__((vector_size(simd_bytes)));
};
template <class V, class T>
V simd_load(const T* p) {
  V v;
  std::memcpy(&v, p, sizeof(V));
  return v;
}
template <class V, class T>
void simd_store(T* p, const V& v) {
  std::memcpy(p, &v, sizeof(V));
}

}  // namespace casimir
