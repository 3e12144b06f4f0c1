// Pointwise losses.
#pragma once

#include <string>

#include "autograd/ops.h"

namespace casimir {

// Element-wise, of a difference x; the same shape.
//   mse    x^2
//   mae    |x|
//   huber  x^2 / 2 where |x| <= delta, else delta (|x| - delta / 2)
Tensor mse_of(const Tensor& difference);
Tensor mae_of(const Tensor& difference);
Tensor huber_of(const Tensor& difference, double delta);
Tensor loss_of(const std::string& kind, const Tensor& difference, double delta);

}  // namespace casimir
