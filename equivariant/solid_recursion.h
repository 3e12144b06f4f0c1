// The numbers of the solid harmonics' recursion, for the CPU and CUDA kernels.
#pragma once

#include <cmath>
#include <numbers>

#include "equivariant/spherical_harmonics.h"

namespace casimir {

constexpr int largest_l = 11;

// A block of degree l in this normalisation over the one in component normalisation.
inline double factor_of(Normalization normalization, int l) {
  switch (normalization) {
    case Normalization::norm:
      return 1 / std::sqrt(2.0 * l + 1);
    case Normalization::integral:
      return 0.5 / std::sqrt(std::numbers::pi);
    default:
      return 1;
  }
}

// S_lm = q_lm(y, r^2) Re (z + i x)^m, and Im for -m: y is the polar axis and the azimuth turns from
// z to x. The polynomials q are associated Legendre functions made homogeneous, with the recursion
//   q_mm constant,  q_lm = a_lm y q_(l-1)m - b_lm r^2 q_(l-2)m
// where all factors of the normalisation are in q_mm, a and b.
struct Recursion {
  double start[largest_l + 1] = {};
  double a[largest_l + 1][largest_l + 1] = {}, b[largest_l + 1][largest_l + 1] = {};

  Recursion(int l_max, Normalization normalization) {
    auto factor = [&](int l) { return factor_of(normalization, l); };
    double diagonal = 1;  // in component normalisation
    for (int m = 0; m <= l_max; ++m) {
      if (m > 0) diagonal *= std::sqrt((2.0 * m + 1) / (m == 1 ? 1 : 2 * m));
      start[m] = diagonal * factor(m);
      for (int l = m + 1; l <= l_max; ++l) {
        double below = (l - m) * (l + m);
        a[l][m] = std::sqrt((2 * l + 1) * (2 * l - 1) / below) * factor(l) / factor(l - 1);
        if (l == m + 1) continue;
        double above = (2 * l + 1) * (l - m - 1) * (l + m - 1);
        b[l][m] = std::sqrt(above / ((2 * l - 3) * below)) * factor(l) / factor(l - 2);
      }
    }
  }
};

}  // namespace casimir
