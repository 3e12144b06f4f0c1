// Signals on the sphere: from coefficients of spherical harmonics to values on a grid and back, as
// e3nn's ToS2Grid and FromS2Grid.
//
// The grid, with beta from the y axis and alpha around it:
//     beta_i = pi (i + 1/2) / res.beta      alpha_j = 2 pi j / res.alpha
//     point  = (sin beta sin alpha, cos beta, sin beta cos alpha)
// A harmonic is a function of beta times a function of alpha, so each way is two products with
// constant matrices.
#pragma once

#include "autograd/ops.h"
#include "equivariant/spherical_harmonics.h"

namespace casimir {

struct S2Resolution {
  int64_t beta = 0, alpha = 0;  // beta even, at least 2 (l_max + 1)
};
// [res.beta, res.alpha, 3], f64.
Array s2_grid(S2Resolution res);

class ToS2Grid {
 public:
  // component, norm: signals of unit variance from coefficients normalised so; integral: the sum of
  // coefficients times harmonics of that normalisation.
  ToS2Grid(int l_max, S2Resolution res, Normalization normalization = Normalization::component,
           DType dtype = DType::f32, Device device = Device::cpu);
  // x [rows, (l_max + 1)^2 mul], degree after degree, stored ir_mul -> [rows, beta, alpha, mul]
  Tensor operator()(const Tensor& x) const;

 private:
  int l_max_;
  S2Resolution res_;
  Tensor beta_;   // [beta (2 l_max + 1), (l_max + 1)^2]
  Tensor alpha_;  // [alpha, 2 l_max + 1]
};

// The inverse of ToS2Grid with the same normalisation, for signals without higher degrees.
class FromS2Grid {
 public:
  // l_max_in: the l_max of the ToS2Grid to be inverted; -1: the same.
  FromS2Grid(S2Resolution res, int l_max, Normalization normalization = Normalization::component,
             int l_max_in = -1, DType dtype = DType::f32, Device device = Device::cpu);
  // x [rows, beta, alpha, mul] -> [rows, (l_max + 1)^2 mul]
  Tensor operator()(const Tensor& x) const;

 private:
  int l_max_;
  S2Resolution res_;
  Tensor beta_;   // [(l_max + 1)^2, beta (2 l_max + 1)]
  Tensor alpha_;  // [2 l_max + 1, alpha]
};

}  // namespace casimir
