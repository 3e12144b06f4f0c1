// The equivariance of a function of random features.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "autograd/ops.h"
#include "core/random.h"
#include "tests/rotated.h"
#include "tests/tensors.h"

namespace casimir::test {

// f of turned inputs is the turned output, within 1e-12, for two rotations and an inversion.
inline void check_equivariant(const std::vector<Irreps>& in, const Irreps& out,
                              const std::function<Tensor(const Tensors&)>& f) {
  Tensors x;
  for (const Irreps& irreps : in) x.push_back(random_tensor({4, irreps.dim()}, 10 + x.size()));
  Random random(random_key(1, "rotations"));
  for (const Turn& turn : {Turn{random_rotation(random)}, Turn{random_rotation(random), true}}) {
    Tensors turned;
    for (size_t i = 0; i < in.size(); ++i) turned.push_back(rotated(x[i], in[i], turn));
    CHECK(difference(f(turned), rotated(f(x), out, turn)) < 1e-12);
  }
}

}  // namespace casimir::test
