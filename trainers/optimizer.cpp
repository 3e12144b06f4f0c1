#include "trainers/optimizer.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>
#include <sstream>

#include "core/parallel.h"
#include "core/simd.h"

namespace casimir {

namespace cuda {
void update_range(const UpdatePointers<float>& x, const Array& update, const Array& outcome,
                  int64_t begin, int64_t end, bool decay, double lr_factor);
void update_range(const UpdatePointers<double>& x, const Array& update, const Array& outcome,
                  int64_t begin, int64_t end, bool decay, double lr_factor);
double square_sum(const Array& flat);
void judge_step(const Array& loss, const Array& gradient, double clip, Array& outcome);
}  // namespace cuda

namespace {

constexpr int64_t chunk = 16384;  // elements; fixed, so that sums have the same bits everywhere

// Copies of both structs, which no store can change, and arrays that do not overlap: vector code.
template <class T>
void update_range(const UpdatePointers<T> x, const Update<T> u, int64_t begin, int64_t end) {
  CASIMIR_INDEPENDENT_ITERATIONS
  for (int64_t i = begin; i < end; ++i) update_element(x, u, i);
}

// The bytes of one struct as an array on the GPU.
template <class Struct>
Array on_cuda(const Struct& value) {
  Array bytes(Shape{static_cast<int64_t>(sizeof value)}, DType::u8);
  std::memcpy(bytes.raw(), &value, sizeof value);
  return bytes.to(Device::cuda);
}

// "products.0.contraction.weight_0e_3" has the parts contraction and products.0, among others.
bool has_part(const std::string& name, const std::string& part) {
  return ("." + name + ".").find("." + part + ".") != std::string::npos;
}

void check_lr_factors(const Parameters& parameters, const OptimizerOptions& options) {
  for (const auto& [part, factor] : options.lr_factors) {
    std::set<std::string> words;
    bool used = false;
    for (const Parameters::Entry& entry : parameters.entries()) {
      used = used || has_part(entry.name, part);
      std::istringstream name(entry.name);
      for (std::string word; std::getline(name, word, '.');) words.insert(word);
    }
    check<ConfigError>(used, "train.optimizer.lr_factors: no weights have '", part,
                       "' in their names",
                       did_you_mean(part, std::vector<std::string>(words.begin(), words.end())));
  }
}

Array zeros_like(const Array& flat) {
  Array array(flat.shape(), flat.dtype(), flat.device());
  array.fill(0);
  return array;
}

}  // namespace

double global_norm(const Array& flat) {
  if constexpr (cuda_built)
    if (flat.on_cuda()) return std::sqrt(cuda::square_sum(flat));
  std::vector<double> partial((flat.size() + chunk - 1) / chunk);
  visit_float("global_norm", flat.dtype(), [&]<class T>(T) {
    const T* x = flat.data<T>();
    parallel_for(flat.size(), chunk, [&](int64_t begin, int64_t end) {
      constexpr int lanes = 16;  // sums side by side, for vector code
      double sums[lanes] = {};
      for (int64_t i = begin; i + lanes <= end; i += lanes)
        for (int k = 0; k < lanes; ++k) sums[k] += static_cast<double>(x[i + k]) * x[i + k];
      for (int64_t i = end - (end - begin) % lanes; i < end; ++i)
        sums[0] += static_cast<double>(x[i]) * x[i];
      for (double sum : sums) partial[begin / chunk] += sum;
    });
  });
  double total = 0;
  for (double sum : partial) total += sum;
  return std::sqrt(total);
}

Optimizer::Optimizer(const Parameters& parameters, const OptimizerOptions& options, double ema)
    : options_(options), ema_(ema) {
  check(parameters.flat().defined(), "optimizer: the parameters are not flat yet");
  check_lr_factors(parameters, options);
  for (const Parameters::Entry& entry : parameters.entries()) {
    Range range{entry.offset, entry.offset + entry.tensor.size(), entry.decay, 1};
    for (const auto& [part, factor] : options.lr_factors)
      if (has_part(entry.name, part)) range.lr_factor *= factor;
    if (!ranges_.empty() && ranges_.back().decay == range.decay &&
        ranges_.back().lr_factor == range.lr_factor && ranges_.back().end == range.begin)
      ranges_.back().end = range.end;
    else
      ranges_.push_back(range);
  }
  moment1_ = zeros_like(parameters.flat());
  moment2_ = zeros_like(parameters.flat());
  if (options.kind == "amsgrad") moment2_max_ = zeros_like(parameters.flat());
  if (ema > 0)
    average_ = parameters.flat().copy().to(Device::cpu).cast(DType::f64).to(parameters.device());
}

Update<double> Optimizer::begin_step(double lr) {
  const double b1 = options_.betas[0], b2 = options_.betas[1];
  const double t = static_cast<double>(++steps_);
  const bool decoupled = options_.kind == "adamw";
  Update<double> u;
  u.decay_gradient = decoupled ? 0 : options_.weight_decay;
  u.decay_weight = decoupled ? lr * options_.weight_decay : 0;
  u.beta1 = b1;
  u.beta2 = b2;
  u.step_size = lr / (1 - std::pow(b1, t));
  u.root_scale = 1 / std::sqrt(1 - std::pow(b2, t));
  u.epsilon = options_.epsilon;
  u.gradient_scale = 1;
  u.follow = 1 - std::min(ema_, (1 + t) / (10 + t));
  u.amsgrad = moment2_max_.defined();
  return u;
}

template <class T>
UpdatePointers<T> Optimizer::pointers(Array& flat, const Array& gradient) {
  return {flat.data<T>(),
          moment1_.data<T>(),
          moment2_.data<T>(),
          moment2_max_.defined() ? moment2_max_.data<T>() : nullptr,
          average_.defined() ? average_.data<double>() : nullptr,
          gradient.data<T>()};
}

void Optimizer::step(Parameters& parameters, const Array& gradient, double lr,
                     double gradient_scale) {
  Array& flat = parameters.flat();
  check(gradient.shape() == flat.shape() && gradient.device() == flat.device(),
        "optimizer: gradient of shape ", gradient.shape(), " on ", gradient.device(),
        " for parameters of shape ", flat.shape(), " on ", flat.device());
  Update<double> numbers = begin_step(lr);
  numbers.gradient_scale = gradient_scale;
  if constexpr (cuda_built)
    if (flat.on_cuda()) {
      const StepOutcome outcome{0, 0, gradient_scale, true};
      return apply(parameters, gradient, on_cuda(numbers), on_cuda(outcome));
    }
  visit_float("optimizer", flat.dtype(), [&]<class T>(T) {
    const Update<T> u = numbers.as<T>();
    const UpdatePointers<T> x = pointers<T>(flat, gradient);
    parallel_for(flat.size(), chunk, [&](int64_t begin, int64_t end) {
      for (const Range& range : ranges_)
        if (range.begin < end && range.end > begin)
          update_range(x, for_range(u, range.decay, range.lr_factor), std::max(begin, range.begin),
                       std::min(end, range.end));
    });
  });
}

void Optimizer::apply(Parameters& parameters, const Array& gradient, const Array& update,
                      const Array& outcome) {
  if constexpr (cuda_built)
    visit_float("optimizer", gradient.dtype(), [&]<class T>(T) {
      const UpdatePointers<T> x = pointers<T>(parameters.flat(), gradient);
      for (const Range& range : ranges_)
        cuda::update_range(x, update, outcome, range.begin, range.end, range.decay,
                           range.lr_factor);
    });
}

void judge_step(const Array& loss, const Array& gradient, double clip, Array& outcome) {
  if constexpr (cuda_built) cuda::judge_step(loss, gradient, clip, outcome);
}

void Optimizer::save(Safetensors& file) const {
  file.add("moment1", moment1_.to(Device::cpu).copy());
  file.add("moment2", moment2_.to(Device::cpu).copy());
  if (moment2_max_.defined()) file.add("moment2_max", moment2_max_.to(Device::cpu).copy());
  if (average_.defined()) file.add("average", average_.to(Device::cpu).copy());
}

void Optimizer::load(const Safetensors& file, int64_t steps) {
  auto restore = [&](const char* name, Array& array) {
    if (!array.defined()) return;
    Array stored = file.at(name);
    if (&array == &average_ && stored.dtype() == DType::f32)  // as earlier versions kept it
      stored = stored.cast(DType::f64);
    check<DataError>(stored.shape() == array.shape() && stored.dtype() == array.dtype(), name, ": ",
                     stored.dtype(), " of shape ", stored.shape(), ", expected ", array.dtype(),
                     " of shape ", array.shape());
    array.copy_from(stored);
  };
  restore("moment1", moment1_);
  restore("moment2", moment2_);
  restore("moment2_max", moment2_max_);
  restore("average", average_);
  steps_ = steps;
}

}  // namespace casimir
