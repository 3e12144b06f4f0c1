// What the kernels of the symmetric product compute with. Only they include it.
#pragma once

#include "core/simd.h"

namespace casimir {

// One vector of channels of a few nodes of one species: coefficients are loaded once for all.
template <class T>
struct Tile {
  static constexpr int nodes = 4;
  using V = typename Simd<T>::type;
  V v[nodes];

  // Copies by whole registers: g++ would copy the struct in halves, which loads then wait for.
  Tile() : v{} {}
  Tile(const Tile& other) { *this = other; }
  Tile& operator=(const Tile& other) {
    for (int n = 0; n < nodes; ++n) v[n] = other.v[n];
    return *this;
  }

  void add(const Tile& a) {
    for (int n = 0; n < nodes; ++n) v[n] += a.v[n];
  }
  void add(const V& a) {
    for (int n = 0; n < nodes; ++n) v[n] += a;
  }
  void add_product(const V& c, const Tile& a) {
    for (int n = 0; n < nodes; ++n) v[n] += c * a.v[n];
  }
  void add_product(const Tile& a, const Tile& b) {
    for (int n = 0; n < nodes; ++n) v[n] += a.v[n] * b.v[n];
  }
  static Tile product(const Tile& a, const Tile& b) {
    Tile c;
    for (int n = 0; n < nodes; ++n) c.v[n] = a.v[n] * b.v[n];
    return c;
  }
};
template <class T>
typename Tile<T>::V dot(const Tile<T>& a, const Tile<T>& b) {
  typename Tile<T>::V sum = a.v[0] * b.v[0];
  for (int n = 1; n < Tile<T>::nodes; ++n) sum += a.v[n] * b.v[n];
  return sum;
}
template <class T>
typename Tile<T>::V node_sum(const Tile<T>& a) {
  typename Tile<T>::V sum = a.v[0];
  for (int n = 1; n < Tile<T>::nodes; ++n) sum += a.v[n];
  return sum;
}

}  // namespace casimir
