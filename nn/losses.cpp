#include "nn/losses.h"

namespace casimir {

Tensor mse_of(const Tensor& difference) {
  return square(difference);
}

Tensor mae_of(const Tensor& difference) {
  return abs(difference);
}

Tensor huber_of(const Tensor& difference, double delta) {
  // With c = min(|x|, delta): c^2 / 2 + delta (|x| - c).
  Tensor size = abs(difference);
  Tensor inner = minimum(size, Tensor::full({}, delta, difference.dtype(), difference.device()));
  return 0.5 * square(inner) + delta * (size - inner);
}

Tensor loss_of(const std::string& kind, const Tensor& difference, double delta) {
  if (kind == "mse") return mse_of(difference);
  if (kind == "mae") return mae_of(difference);
  check(kind == "huber", "loss: expected mse, mae or huber, found '", kind, "'");
  return huber_of(difference, delta);
}

}  // namespace casimir
