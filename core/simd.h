// The width of a vector register of the instruction set this file is compiled for.
#pragma once

namespace casimir {

#if defined(__AVX512F__)
inline constexpr int simd_bytes = 64;
#elif defined(__AVX__)
inline constexpr int simd_bytes = 32;
#else
inline constexpr int simd_bytes = 16;
#endif

// As many numbers as one register holds; loads and stores need no alignment.
template <class T>
struct Simd {
  static constexpr int width = simd_bytes / static_cast<int>(sizeof(T));
  typedef T type __attribute__((vector_size(simd_bytes), aligned(alignof(T)), may_alias));
};

}  // namespace casimir
