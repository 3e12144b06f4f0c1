// Random features, distances between them, and the equivariance of a function of them.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "autograd/ops.h"
#include "core/random.h"
#include "tests/rotated.h"

namespace casimir::test {

inline Tensor random_values(Shape shape, uint64_t seed) {
  Random random(random_key(seed, "values"));
  std::vector<double> values(shape.size());
  for (double& v : values) v = random.normal();
  return Tensor::from(values, shape);
}

// The largest difference, relative to the largest value of b, where b is not all zeros.
inline double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const std::vector<double> x = a.array().to_vector<double>(), y = b.array().to_vector<double>();
  double largest = 0, size = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(x[i] - y[i]));
    size = std::max(size, std::abs(y[i]));
  }
  return size > 0 ? largest / size : largest;
}

// f of turned inputs is the turned output, within 1e-12, for two rotations and an inversion.
inline void check_equivariant(const std::vector<Irreps>& in, const Irreps& out,
                              const std::function<Tensor(const Tensors&)>& f) {
  Tensors x;
  for (const Irreps& irreps : in) x.push_back(random_values({4, irreps.dim()}, 10 + x.size()));
  Random random(random_key(1, "rotations"));
  for (const Turn& turn : {Turn{random_rotation(random)}, Turn{random_rotation(random), true}}) {
    Tensors turned;
    for (size_t i = 0; i < in.size(); ++i) turned.push_back(rotated(x[i], in[i], turn));
    CHECK(difference(f(turned), rotated(f(x), out, turn)) < 1e-12);
  }
}

}  // namespace casimir::test
