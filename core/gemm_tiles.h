// Products of matrices by tiles of C that stay in registers, for shapes at which a library's
// packing of both matrices costs too much. gemm.cpp alone includes it.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "core/gemm.h"
#include "core/simd.h"

namespace casimir::gemm_tiles {

// Rows of C that a tile has: with two registers of columns each, or four, they and the operands
// fill the register file.
constexpr int most_rows = simd_bytes == 64 ? 12 : simd_bytes == 32 ? 6 : 4;
constexpr int most_rows_wide = simd_bytes == 64 ? 6 : 2;

// `rows` rows times `registers` registers of columns of C, of which `columns` exist; b has all of
// them. With `pack` they are copied to `packed`, row after row; beside the products that costs next
// to nothing.
template <int rows, int registers, bool pack, class T>
void tile(const Gemm<T>& g, int64_t i, int64_t j, int64_t columns, const T* b, int64_t ldb,
          T* packed) {
  using Vector = typename Simd<T>::type;
  constexpr int64_t width = Simd<T>::width, all = registers * width;
  const int64_t row_a = g.trans_a ? 1 : g.lda, column_a = g.trans_a ? g.lda : 1, inner = g.k;
  const T* a = g.a + i * row_a;
  Vector sums[rows][registers] = {};
#pragma GCC unroll 8
  for (int64_t p = 0; p < inner; ++p, b += ldb, a += column_a) {
    Vector row_b[registers];
#pragma GCC unroll 4
    for (int q = 0; q < registers; ++q) {
      row_b[q] = simd_load<Vector>(b + q * width);
      if constexpr (pack) simd_store(packed + q * width, row_b[q]);
    }
    if constexpr (pack) packed += all;
#pragma GCC unroll 12
    for (int r = 0; r < rows; ++r)
#pragma GCC unroll 4
      for (int q = 0; q < registers; ++q) sums[r][q] += a[r * row_a] * row_b[q];
  }
  T* c = g.c + i * g.ldc + j;
  const T alpha = g.alpha, beta = g.beta;
  const bool whole = columns == all, plain = whole && alpha == 1 && beta == 0;
#pragma GCC unroll 12  // the sums stay in registers
  for (int r = 0; r < rows; ++r, c += g.ldc) {
    T ends[all];
    T* to = whole ? c : ends;
    if (!whole)
      for (int64_t w = 0; w < all; ++w) to[w] = beta != 0 && w < columns ? c[w] : T(0);
#pragma GCC unroll 4
    for (int q = 0; q < registers; ++q) {
      Vector sum = sums[r][q];
      if (!plain) sum *= alpha;
      if (!plain && beta != 0) sum += beta * simd_load<Vector>(to + q * width);
      simd_store(to + q * width, sum);
    }
    if (!whole) std::copy_n(ends, columns, c);
  }
}

template <int registers, bool pack, class T, int... row>
void tile_of(int rows, const Gemm<T>& g, int64_t i, int64_t j, int64_t columns, const T* b,
             int64_t ldb, T* packed, std::integer_sequence<int, row...>) {
  static_cast<void>(((rows == row + 1 &&
                      (tile<row + 1, registers, pack>(g, i, j, columns, b, ldb, packed), true)) ||
                     ...));
}

// The calling thread's, for packed columns of B.
template <class T>
T* pack_buffer(int64_t size) {
  thread_local std::vector<T> buffer;
  if (static_cast<int64_t>(buffer.size()) < size) buffer.resize(size);
  return buffer.data();
}

// For two blocks of rows: wider tiles of fewer rows have fewer ends.
template <class T>
void tile_gemm_wide(const Gemm<T>& g) {
  constexpr int64_t width = 4 * Simd<T>::width;
  constexpr auto row_counts = std::make_integer_sequence<int, most_rows_wide>();
  const int64_t blocks = (g.m + most_rows_wide - 1) / most_rows_wide;
  for (int64_t j = 0; j < g.n; j += width)
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t i = g.m * block / blocks, rows = g.m * (block + 1) / blocks - i;
      tile_of<4, false>(static_cast<int>(rows), g, i, j, width, g.b + j, g.ldb,
                        static_cast<T*>(nullptr), row_counts);
    }
}

// For small products. The first rows of A leave the columns of B together, unless all of B stays in
// the nearest cache or few rows follow.
template <class T>
void tile_gemm(const Gemm<T>& g) {
  constexpr int64_t width = 2 * Simd<T>::width;
  constexpr auto row_counts = std::make_integer_sequence<int, most_rows>();
  constexpr int64_t few = simd_bytes == 64 ? 3 : 1;  // measured on Sapphire Rapids and Zen 3
  const int64_t blocks = (g.m + most_rows - 1) / most_rows;
  if (simd_bytes == 64 && blocks == 2 && !g.trans_b && g.n % (2 * width) == 0)
    return tile_gemm_wide(g);
  const bool near = g.k * g.ldb * static_cast<int64_t>(sizeof(T)) <= 32768;
  const bool pack = !g.trans_b && blocks > few && g.ldb > width && !near;
  T* packed = pack || g.trans_b || g.n % width != 0 ? pack_buffer<T>(width * g.k) : nullptr;
  for (int64_t j = 0; j < g.n; j += width) {
    const int64_t columns = std::min(width, g.n - j);
    const T* b = g.b + j;
    int64_t ldb = g.ldb;
    if (g.trans_b || columns < width) {
      for (int64_t p = 0; p < g.k; ++p)
        for (int64_t w = 0; w < width; ++w)
          packed[width * p + w] = w >= columns ? T(0)
                                  : g.trans_b  ? g.b[(j + w) * g.ldb + p]
                                               : g.b[p * g.ldb + j + w];
      b = packed, ldb = width;
    }
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t i = g.m * block / blocks, rows = g.m * (block + 1) / blocks - i;
      if (block == 0 && pack && b != packed) {
        tile_of<2, true>(static_cast<int>(rows), g, i, j, columns, b, ldb, packed, row_counts);
        b = packed, ldb = width;
      } else {
        tile_of<2, false>(static_cast<int>(rows), g, i, j, columns, b, ldb, packed, row_counts);
      }
    }
  }
}

// For short inner axes, where C is most of the memory that is touched: C is written row after row,
// as the processor expects it, and all of B, packed beside the first rows, stays in the second
// cache.
constexpr int64_t kept_bytes = 640 << 10;
template <class T>
void tile_gemm_by_rows(const Gemm<T>& g) {
  constexpr int64_t width = 2 * Simd<T>::width;
  constexpr auto row_counts = std::make_integer_sequence<int, most_rows>();
  T* const all = pack_buffer<T>(g.k * g.n);
  const int64_t blocks = (g.m + most_rows - 1) / most_rows;
  for (int64_t block = 0; block < blocks; ++block) {
    const int64_t i = g.m * block / blocks, rows = g.m * (block + 1) / blocks - i;
    T* packed = all;
    for (int64_t j = 0; j < g.n; j += width, packed += g.k * width)
      block == 0 ? tile_of<2, true>(static_cast<int>(rows), g, i, j, width, g.b + j, g.ldb, packed,
                                    row_counts)
                 : tile_of<2, false>(static_cast<int>(rows), g, i, j, width, packed, width, packed,
                                     row_counts);
  }
}

}  // namespace casimir::gemm_tiles
