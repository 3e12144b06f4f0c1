// Rotated and inverted features, for tests of equivariance.
#pragma once

#include "autograd/tensor.h"
#include "equivariant/irreps.h"
#include "equivariant/wigner.h"

namespace casimir::test {

struct Turn {
  Matrix3 rotation;
  bool inversion = false;
};

// Rows of irreps, stored ir_mul, each block times D^l(rotation) and, inverted, its parity; f64.
inline Tensor rotated(const Tensor& x, const Irreps& irreps, const Turn& turn) {
  const std::vector<double> values = x.array().to_vector<double>();
  const std::vector<int64_t> offsets = irreps.offsets();
  std::vector<double> turned(values.size());
  for (int64_t row = 0; row < x.size(); row += irreps.dim())
    for (size_t b = 0; b < irreps.size(); ++b) {
      const std::vector<double> d = wigner_d(irreps[b].ir.l, turn.rotation);
      const int64_t dim = irreps[b].ir.dim(), mul = irreps[b].mul, at = row + offsets[b];
      const double sign = turn.inversion ? irreps[b].ir.p : 1;
      for (int64_t i = 0; i < dim; ++i)
        for (int64_t j = 0; j < dim; ++j)
          for (int64_t u = 0; u < mul; ++u)
            turned[at + i * mul + u] += sign * d[i * dim + j] * values[at + j * mul + u];
    }
  return Tensor::from(turned, x.shape());
}

}  // namespace casimir::test
