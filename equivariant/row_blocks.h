// Rows side by side in the lanes of registers: [rows, width] <-> [width][lanes].
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "core/simd.h"

namespace casimir::row_blocks {

// One of the two rows of 2 x 2 blocks of `Step` lanes, transposed.
template <int Step, bool Second, class V, int... K>
V exchanged(const V& a, const V& b, std::integer_sequence<int, K...>) {
  constexpr int n = sizeof...(K);
  if constexpr (Second)
    return __builtin_shufflevector(a, b, (K & Step ? n + K : K + Step)...);
  else
    return __builtin_shufflevector(a, b, (K & Step ? n + K - Step : K)...);
}

// v[i][k] <-> v[k][i], in place: blocks of half the lanes first, then of halves of them.
template <int N, int Step = N / 2, class V>
inline void transpose(V* v) {
  if constexpr (Step > 0) {
    constexpr std::make_integer_sequence<int, N> all{};
    for (int i = 0; i < N; ++i) {
      if (i & Step) continue;
      V first = exchanged<Step, false>(v[i], v[i + Step], all);
      v[i + Step] = exchanged<Step, true>(v[i], v[i + Step], all);
      v[i] = first;
    }
    transpose<N, Step / 2>(v);
  }
}

// One register of rows: rows [count, width] -> to[width], `stride` numbers apart. Lanes behind the
// last row repeat it.
template <class T>
inline void load_rows(const T* rows, int64_t width, int count, T* to, int64_t stride) {
  using V = typename Simd<T>::type;
  constexpr int n = Simd<T>::width;
  const T* row[n];
  for (int k = 0; k < n; ++k) row[k] = rows + std::min(k, count - 1) * width;
  const int64_t whole = width / n * n;
  for (int64_t c = 0; c < whole; c += n) {
    V v[n];
    for (int k = 0; k < n; ++k) v[k] = simd_load<V>(row[k] + c);
    transpose<n>(v);
    for (int k = 0; k < n; ++k) simd_store(to + (c + k) * stride, v[k]);
  }
  for (int64_t c = whole; c < width; ++c) {
    V v;
    for (int k = 0; k < n; ++k) v[k] = row[k][c];
    simd_store(to + c * stride, v);
  }
}

// The way back: from[width] -> rows [count, width].
template <class T>
inline void store_rows(const T* from, int64_t stride, T* rows, int64_t width, int count) {
  using V = typename Simd<T>::type;
  constexpr int n = Simd<T>::width;
  const int64_t whole = width / n * n;
  for (int64_t c = 0; c < whole; c += n) {
    V v[n];
    for (int k = 0; k < n; ++k) v[k] = simd_load<V>(from + (c + k) * stride);
    transpose<n>(v);
    if (count >= n)
      for (int k = 0; k < n; ++k) simd_store(rows + k * width + c, v[k]);
    else
      for (int k = 0; k < count; ++k) simd_store(rows + k * width + c, v[k]);
  }
  for (int64_t c = whole; c < width; ++c)
    for (int k = 0; k < std::min(n, count); ++k) rows[k * width + c] = from[c * stride + k];
}

}  // namespace casimir::row_blocks
