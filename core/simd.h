// The width of a vector register of the instruction set this file is compiled for.
#pragma once

#include <cstring>
#include <utility>

// Before a loop: what one iteration stores no other one reads or stores, though pointers might
// overlap for all the compiler knows.
#if defined(__clang__)
#define CASIMIR_INDEPENDENT_ITERATIONS _Pragma("clang loop vectorize(assume_safety)")
#else
#define CASIMIR_INDEPENDENT_ITERATIONS _Pragma("GCC ivdep")
#endif

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

// Lane by lane the sums over the halves of a's and b's segments of 2 h lanes: a's come to the first
// h lanes of a segment, b's to the others.
template <int h, class V, int... lane>
V add_halves(const V& a, const V& b, std::integer_sequence<int, lane...>) {
  constexpr int width = sizeof...(lane);
  return __builtin_shufflevector(a, b, (lane % (2 * h) < h ? lane : width + lane - h)...) +
         __builtin_shufflevector(a, b, (lane % (2 * h) < h ? lane + h : width + lane)...);
}
// Number k of the result is the sum over the lanes of v[k], k = 0 .. width - 1; v is used up.
template <class T, int h = Simd<T>::width / 2>
typename Simd<T>::type lane_sums(typename Simd<T>::type* v) {
  if constexpr (h == 0) {
    return v[0];
  } else {
    for (int k = 0; k < h; ++k)
      v[k] = add_halves<h>(v[k], v[k + h], std::make_integer_sequence<int, Simd<T>::width>());
    return lane_sums<T, h / 2>(v);
  }
}

}  // namespace casimir
