// One element's step of the optimizer (trainers/optimizer.h has the formulas), for the CPU and CUDA
// loops.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/kernel.h"

namespace casimir {

// The numbers of one step: made in f64, used in the type of the parameters.
template <class T>
struct Update {
  T decay_gradient, decay_weight, beta1, beta2, step_size, root_scale, epsilon, gradient_scale;
  double follow;  // share of the way that the average goes
  bool amsgrad;

  template <class To>
  CASIMIR_HD_INLINE Update<To> as() const {
    return {To(decay_gradient), To(decay_weight), To(beta1),          To(beta2), To(step_size),
            To(root_scale),     To(epsilon),      To(gradient_scale), follow,    amsgrad};
  }
};

// The numbers of a range of parameters: with their own share of the learning rate, and decay or
// none.
template <class T>
CASIMIR_HD_INLINE Update<T> for_range(Update<T> u, bool decay, double lr_factor) {
  u.step_size *= T(lr_factor);
  u.decay_weight *= decay ? T(lr_factor) : T(0);
  if (!decay) u.decay_gradient = T(0);
  return u;
}

// What a step on the GPU found and decided, in its memory.
struct StepOutcome {
  double loss, norm;      // norm of the gradient
  double gradient_scale;  // from clipping
  bool apply;             // loss and norm are finite
};

// Parameters, moments and average (a may be nullptr), and the gradient.
template <class T>
struct UpdatePointers {
  T *p, *m, *v, *v_max;
  double* a;
  const T* g;
};

template <class T>
CASIMIR_HD_INLINE void update_element(const UpdatePointers<T>& x, const Update<T>& u, int64_t i) {
  T p = x.p[i] * (T(1) - u.decay_weight);
  const T g = x.g[i] * u.gradient_scale + u.decay_gradient * p;
  const T m = x.m[i] + (T(1) - u.beta1) * (g - x.m[i]);
  T v = u.beta2 * x.v[i] + (T(1) - u.beta2) * g * g;
  x.m[i] = m;
  x.v[i] = v;
  if (u.amsgrad) v = x.v_max[i] = x.v_max[i] < v ? v : x.v_max[i];
  p -= u.step_size * m / (std::sqrt(v) * u.root_scale + u.epsilon);
  x.p[i] = p;
  if (x.a) x.a[i] += u.follow * (static_cast<double>(p) - x.a[i]);
}

}  // namespace casimir
