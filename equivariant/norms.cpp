#include "equivariant/norms.h"

namespace casimir {
namespace {

void check_rows(const char* name, const Tensor& x, const Irreps& irreps) {
  check(x.defined() && x.rank() == 2 && x.dim(1) == irreps.dim(), name, ": expected rows of ",
        irreps.dim(), ", found ", x.shape());
  check(is_float(x.dtype()), name, ": expected real numbers, found ", x.dtype());
}

// mul x 0e for each mul x ir.
Irreps scalars_of(const Irreps& irreps) {
  std::vector<MulIrrep> blocks;
  for (const MulIrrep& block : irreps) blocks.push_back({block.mul, {0, 1}});
  return blocks;
}

TensorProduct squared_norms(const Irreps& irreps) {
  std::vector<Instruction> paths;
  for (int i = 0; i < static_cast<int>(irreps.size()); ++i)
    paths.push_back({i, i, i, Mode::uuu, false, static_cast<double>(irreps[i].ir.dim())});
  return {irreps, irreps, scalars_of(irreps), paths};
}

int64_t even_scalars(const Irreps& irreps) {
  return irreps.count({0, 1});
}

}  // namespace

Norm::Norm(const Irreps& irreps, bool squared)
    : square_(squared_norms(irreps)), squared_(squared) {}

Tensor Norm::operator()(const Tensor& x) const {
  check_rows("Norm", x, square_.irreps_in1());
  const Tensor squares = square_(x, x);
  return squared_ ? squares : sqrt(squares);
}

NormActivation::NormActivation(Parameters::Scope p, const Irreps& irreps,
                               std::function<Tensor(const Tensor&)> function, Options options)
    : function_(std::move(function)),
      options_(options),
      norm_(irreps, options.normalize),
      scale_(elementwise_tensor_product(scalars_of(irreps), irreps)) {
  check(!options.normalize || options.epsilon > 0, "NormActivation: expected epsilon > 0, found ",
        options.epsilon);
  if (options.bias) biases = p.get("biases", {irreps.num_irreps()}, init::zeros());
}

Tensor NormActivation::operator()(const Tensor& x) const {
  check_rows("NormActivation", x, scale_.irreps_out());
  Tensor norms = norm_(x);
  if (options_.normalize)
    norms = sqrt(maximum(
        norms, Tensor::full({}, options_.epsilon * options_.epsilon, x.dtype(), x.device())));
  const Tensor factors = function_(biases.defined() ? norms + biases : norms);
  return scale_(options_.normalize ? factors / norms : factors, x);
}

BatchNorm::BatchNorm(Parameters::Scope p, const Irreps& irreps, Options options)
    : irreps(irreps), options(options) {
  const int64_t features = irreps.num_irreps(), scalars = even_scalars(irreps);
  if (options.affine) {
    weight = p.get("weight", {features}, init::constant(1));
    bias = p.get("bias", {scalars}, init::zeros());
  }
  if (options.instance) return;
  running_mean = p.buffer("running_mean", Tensor::zeros({scalars}, DType::f64).array());
  running_var = p.buffer("running_var", Tensor::ones({features}, DType::f64).array());
}

namespace {

// Averages of one block, from `first` on, moved towards the batch's.
void roll(Array running, int64_t first, const Tensor& batch, double momentum) {
  const std::vector<double> now =
      batch.array().to(Device::cpu).cast(DType::f64).to_vector<double>();
  double* value = running.data<double>() + first;
  for (double x : now) *value = (1 - momentum) * *value + momentum * x, ++value;
}

Tensor part(const Array& running, int64_t first, int64_t count, const Tensor& like) {
  return running.rows(first, first + count).copy().cast(like.dtype()).to(like.device());
}

}  // namespace

// field [batch, samples, 1, mul] minus its mean, whose running averages start at `scalar`.
Tensor BatchNorm::centered(const Tensor& field, int64_t scalar) const {
  if (options.instance) return field - mean(field, {1}, true);
  if (!training) return field - part(running_mean, scalar, field.dim(3), field);
  const Tensor average = mean(field, {0, 1}, true);
  roll(running_mean, scalar, average, options.momentum);
  return field - average;
}

// 1 / norm of field [batch, samples, 2l + 1, mul], times the weight: [batch or 1, 1, 1, mul].
Tensor BatchNorm::scale(const Tensor& field, int64_t feature) const {
  const int64_t mul = field.dim(3);
  Tensor norms;
  if (training || options.instance) {
    const bool component = options.normalization == IrrepNormalization::component;
    norms = component ? mean(square(field), {2}, true) : sum(square(field), {2}, true);
    norms = options.reduce == Reduce::mean ? mean(norms, {1}, true) : max(norms, {1}, true);
    if (!options.instance) {
      norms = mean(norms, {0}, true);
      roll(running_var, feature, norms, options.momentum);
    }
  } else {
    norms = reshape(part(running_var, feature, mul, field), {1, 1, 1, mul});
  }
  const Tensor inverse = pow(norms + options.eps, -0.5);
  return weight.defined() ? inverse * slice(weight, 0, feature, feature + mul) : inverse;
}

Tensor BatchNorm::operator()(const Tensor& x) {
  check(x.defined() && x.rank() >= 2 && x.dim(-1) == irreps.dim(), "BatchNorm: expected rows of ",
        irreps.dim(), ", found ", x.shape());
  check(is_float(x.dtype()), "BatchNorm: expected real numbers, found ", x.dtype());
  check(x.size() > 0 || irreps.dim() == 0 || (!training && !options.instance),
        "BatchNorm: no rows to take statistics of: ", x.shape());
  const int64_t batch = x.dim(0), width = irreps.dim();
  int64_t samples = 1;
  for (int axis = 1; axis + 1 < x.rank(); ++axis) samples *= x.dim(axis);
  const Tensor rows = reshape(x, {batch, samples, width});
  Tensors parts;
  int64_t at = 0, feature = 0, scalar = 0;
  for (const auto& [mul, ir] : irreps) {
    if (mul == 0) continue;
    Tensor field =
        reshape(slice(rows, 2, at, at + mul * ir.dim()), {batch, samples, ir.dim(), mul});
    if (ir.is_scalar()) field = centered(field, scalar);
    field = field * scale(field, feature);
    if (ir.is_scalar()) {
      if (bias.defined()) field = field + slice(bias, 0, scalar, scalar + mul);
      scalar += mul;
    }
    parts.push_back(reshape(field, {batch, samples, mul * ir.dim()}));
    at += mul * ir.dim();
    feature += mul;
  }
  return reshape(parts.size() == 1 ? parts[0] : concat(parts, 2), x.shape());
}

}  // namespace casimir
