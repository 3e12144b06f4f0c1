// Random tensors, and how far two are from each other.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "autograd/tensor.h"
#include "core/random.h"

namespace casimir::test {

inline Tensor random_tensor(Shape shape, uint64_t seed, DType dtype = DType::f64) {
  Random random(seed);
  std::vector<double> values(shape.size());
  for (double& v : values) v = random.normal();
  return Tensor(Array::from(values, shape).cast(dtype));
}

// The largest |a - b|, relative to the largest |b|; beside zeros anything but zero is far.
inline double difference(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const std::vector<double> x = a.array().cast(DType::f64).to_vector<double>(),
                            y = b.array().cast(DType::f64).to_vector<double>();
  double largest = 0, size = 1e-300;
  for (size_t i = 0; i < x.size(); ++i) {
    largest = std::max(largest, std::abs(x[i] - y[i]));
    size = std::max(size, std::abs(y[i]));
  }
  return largest / size;
}

}  // namespace casimir::test
