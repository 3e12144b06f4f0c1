// Adam, AdamW and AMSGrad, and the moving average of the weights, on the flat parameters.
#pragma once

#include <vector>

#include "nn/parameters.h"
#include "trainers/optimizer_update.h"
#include "trainers/options.h"

namespace casimir {

// Norm of all elements, in f64, summed in a fixed order.
double global_norm(const Array& flat);

// On the GPU: loss, norm of the gradient, and what follows from them for the optimizer.
// outcome: u8, a StepOutcome.
void judge_step(const Array& loss, const Array& gradient, double clip, Array& outcome);

// With g the gradient times `gradient_scale`, b1 and b2 the betas, t the number of this step:
//   adam     g += weight_decay p                    (p: where Parameters::Entry::decay)
//   adamw    p *= 1 - lr weight_decay
//   with lr times the factors of the parameter (lr_factors)
//   m = b1 m + (1 - b1) g,  v = b2 v + (1 - b2) g^2,  amsgrad: v' = max(v', v), else v' = v
//   p -= lr / (1 - b1^t) m / (sqrt(v') / sqrt(1 - b2^t) + epsilon)
// as torch.optim.Adam and AdamW do (Kingma and Ba 2015, arXiv:1412.6980; Loshchilov and Hutter
// 2019, arXiv:1711.05101; Reddi et al. 2018, arXiv:1904.09237). Then the average follows:
//   a += (1 - min(ema, (1 + t) / (10 + t))) (p - a)
// in f64 whatever the type of the parameters: in f32, with ema 0.999, an average stands still once
// the parameters are within 3e-5 of their size from it, as at the end of a schedule.
class Optimizer {
 public:
  Optimizer(const Parameters& parameters, const OptimizerOptions& options, double ema);

  // Changes parameters.flat(), the moments and the average in one pass.
  void step(Parameters& parameters, const Array& gradient, double lr, double gradient_scale = 1);

  // The same in two halves, so that the second, on the GPU, is the same work in every step: it
  // reads the numbers from `update` (u8, an Update<double>) and takes the scale of the gradient
  // from `outcome` (u8, a StepOutcome), which also says whether to do it at all.
  Update<double> begin_step(double lr);
  void apply(Parameters& parameters, const Array& gradient, const Array& update,
             const Array& outcome);

  int64_t steps() const { return steps_; }
  // f64, as Parameters::flat(). Undefined when ema is 0.
  const Array& average() const { return average_; }

  void save(Safetensors& file) const;
  void load(const Safetensors& file, int64_t steps);  // DataError on a wrong shape or type

 private:
  struct Range {
    int64_t begin, end;
    bool decay;
    double lr_factor;
  };
  template <class T>
  UpdatePointers<T> pointers(Array& flat, const Array& gradient);

  OptimizerOptions options_;
  double ema_;
  int64_t steps_ = 0;
  std::vector<Range> ranges_;
  Array moment1_, moment2_, moment2_max_, average_;
};

}  // namespace casimir
