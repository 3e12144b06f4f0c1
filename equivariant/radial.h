// Radial functions of edge lengths, with their derivatives: `order` asks for the order-th
// derivative with respect to the length, and the gradient of order k is order k + 1.
#pragma once

#include "autograd/ops.h"

namespace casimir {

// sqrt(2 / r_max) sin(n pi r / r_max) / r for n = 1 .. count: lengths [edges] -> [edges, count]
// (Gasteiger et al. 2020, arXiv:2003.03123, eq. 7). Finite, with all derivatives, at r = 0.
Tensor bessel_basis(const Tensor& lengths, double r_max, int64_t count, int order = 0);

// 1 - (p+1)(p+2)/2 u^p + p(p+2) u^(p+1) - p(p+1)/2 u^(p+2), u = r / r_max; 0 from r_max on (ibid.,
// eq. 8; two continuous derivatives at r_max): lengths [edges] -> [edges].
Tensor polynomial_cutoff(const Tensor& lengths, double r_max, int64_t p, int order = 0);

}  // namespace casimir
