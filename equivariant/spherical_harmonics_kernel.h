// The CPU kernels of the spherical harmonics.
#pragma once

#include "equivariant/solid_recursion.h"

namespace casimir {

// vectors [rows, 3] -> out [rows, (l_max + 1)^2]: the solid harmonics of x, or with `normalize` of
// x / |x| (of 0 for x = 0).
void harmonics_values(const Array& vectors, int l_max, const Recursion& recursion, bool normalize,
                      Array& out);

// vectors, g [rows, (l_max + 1)^2] -> out [rows, 3]: the cotangent of vectors of the normalised
// ones, 0 for x = 0.
void harmonics_gradient(const Array& vectors, const Array& g, int l_max, const Recursion& recursion,
                        Array& out);

}  // namespace casimir
