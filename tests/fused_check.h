// A fused kernel against its definition: values and gradients, and the same bits always.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/ops.h"
#include "autograd/tape.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "tests/tensors.h"

namespace casimir::test {

// f(inputs), then gradients of random sums of everything so far with respect to the `wanted`
// inputs, order after order.
inline Tensors through_orders(const Composite& f, const Tensors& inputs,
                              const std::vector<int>& wanted, int orders) {
  Tape tape;
  Tensors variables = inputs, of;
  for (int a : wanted) of.push_back(variables[a] = tape.watch(variables[a]));
  Tensors all = f(variables), current = all;
  for (int order = 1; order <= orders; ++order) {
    Tensor sum_of_all;
    uint64_t seed = 100 * static_cast<uint64_t>(order);
    for (const Tensor& y : current) {
      if (!y.defined()) continue;
      Tensor part = sum(y * random_tensor(y.shape(), ++seed, y.dtype()));
      sum_of_all = sum_of_all.defined() ? sum_of_all + part : part;
    }
    if (!sum_of_all.defined()) break;  // linear in these inputs
    current = tape.grad({sum_of_all}, of, {}, {.create_graph = order < orders});
    all.insert(all.end(), current.begin(), current.end());
  }
  return all;
}

inline void check_equal(const Composite& fused, const Composite& definition, const Tensors& inputs,
                        const std::vector<int>& wanted, double tolerance) {
  Tensors a = through_orders(fused, inputs, wanted, 3);
  Tensors b = through_orders(definition, inputs, wanted, 3);
  // What does not depend on an input may be absent or zero.
  a.resize(std::max(a.size(), b.size()));
  b.resize(a.size());
  for (size_t i = 0; i < a.size(); ++i) {
    INFO("result ", i);
    if (a[i].defined() && b[i].defined())
      CHECK(difference(a[i], b[i]) < tolerance);
    else if (a[i].defined() || b[i].defined())
      CHECK(sum(square(a[i].defined() ? a[i] : b[i])).item() == 0);
  }
}

// The same bits for 1, 2, 3 and 8 threads and with poisoned memory.
inline void check_bits(const Composite& f, const Tensors& inputs, const std::vector<int>& wanted) {
  auto bits = [&] {
    std::vector<std::vector<double>> all;
    for (const Tensor& y : through_orders(f, inputs, wanted, 2))
      all.push_back(y.array().cast(DType::f64).to_vector<double>());
    return all;
  };
  set_num_threads(1);
  const auto expected = bits();
  for (const auto& values : expected)
    CHECK(std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); }));
  for (int threads : {2, 3, 8}) {
    set_num_threads(threads);
    CHECK(bits() == expected);
  }
  set_num_threads(0);
  set_poison(true);
  CHECK(bits() == expected);
  set_poison(false);
}

}  // namespace casimir::test
