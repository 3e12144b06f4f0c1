// Norms of irreps, and the layers made of them: o3.Norm, nn.NormActivation, nn.BatchNorm of e3nn.
// Features are rows stored ir_mul (irreps.h).
#pragma once

#include <functional>

#include "equivariant/tensor_product.h"
#include "nn/parameters.h"

namespace casimir {

// The norm of every irrep, or its square: x [rows, irreps.dim()] -> [rows, irreps.num_irreps()].
class Norm {
 public:
  explicit Norm(const Irreps& irreps, bool squared = false);
  Tensor operator()(const Tensor& x) const;

 private:
  TensorProduct square_;
  bool squared_;
};

// Each irrep times f(norm + bias) or, normalised, f(norm + bias) / norm.
class NormActivation {
 public:
  struct Options {
    bool normalize = true;
    double epsilon = 1e-8;  // smaller norms count as epsilon; only where normalised
    bool bias = false;
  };
  NormActivation(Parameters::Scope p, const Irreps& irreps,
                 std::function<Tensor(const Tensor&)> function, Options options);
  Tensor operator()(const Tensor& x) const;

  Tensor biases;  // [irreps.num_irreps()], or absent

 private:
  std::function<Tensor(const Tensor&)> function_;
  Options options_;
  Norm norm_;
  TensorProduct scale_;
};

// Even scalars to mean 0, all irreps to norm 1 over the batch: x [batch, ..., irreps.dim()], of the
// same shape. While training by the batch's own statistics, of which running averages are kept;
// else by those averages. With `instance` always by the statistics of each row of the batch.
struct BatchNorm {
  enum class Reduce { mean, max };  // squared norms over the middle axes
  struct Options {
    double eps = 1e-5, momentum = 0.1;
    bool affine = true;
    Reduce reduce = Reduce::mean;
    bool instance = false;
    // component: mean square of the 2l + 1 numbers; norm: their sum.
    IrrepNormalization normalization = IrrepNormalization::component;
  };
  BatchNorm(Parameters::Scope p, const Irreps& irreps, Options options);
  Tensor operator()(const Tensor& x);

  Irreps irreps;
  Options options;
  Tensor weight, bias;  // [num_irreps], [even scalars]; affine
  // Saved with the model, f64 on the CPU: [even scalars], [num_irreps]; not for instances.
  Array running_mean, running_var;
  bool training = true;

 private:
  Tensor centered(const Tensor& field, int64_t scalar) const;
  Tensor scale(const Tensor& field, int64_t feature) const;
};

}  // namespace casimir
