// Real spherical harmonics of edge vectors, e3nn's basis and normalisations, to l = 11.
#pragma once

#include "autograd/ops.h"

namespace casimir {

enum class Normalization { component, norm, integral };

// vectors [rows, 3] -> [rows, (l_max + 1)^2], blocks l = 0 .. l_max of 2l + 1.
//   component: sum of squares of a block is 2l + 1 on the unit sphere;
//   norm: 1; integral: (2l + 1) / 4 pi.
// normalize: of x / |x| (0 for x = 0 and l > 0, with all derivatives); else the solid harmonics
// |x|^l Y(x / |x|). Differentiable to any order: the gradient of a solid harmonic of degree l is a
// Clebsch-Gordan combination of those of degree l - 1, which is a contract().
Tensor spherical_harmonics(const Tensor& vectors, int l_max, bool normalize = true,
                           Normalization normalization = Normalization::component);

// Those of x / |x| made of ops: the definition of the CPU's kernels, and what runs on CUDA.
Tensor spherical_harmonics_composite(const Tensor& vectors, int l_max,
                                     Normalization normalization = Normalization::component);

}  // namespace casimir
