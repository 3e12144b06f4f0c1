// The CPU kernels of the symmetric product (symmetric_product.h).
#pragma once

#include "equivariant/symmetric_cubic.h"
#include "equivariant/symmetric_product.h"

namespace casimir {

// Operands of S = sum over nodes of g . product(x, w). x_dot is a direction of x, or absent. All on
// the CPU.
struct SymmetricOperands {
  Tensor x, w, g, x_dot;
  Segments species;
};
// The shares of all coefficients in the order of their use, entry by entry.
template <class T>
struct SymmetricShares {
  struct Share {
    int32_t path;
    T value;
  };
  std::vector<Share> shares;
  std::vector<int32_t> offsets{0};
};
// The polynomials in the forms that the kernels walk through.
struct SymmetricProgram {
  SymmetricPolynomials polynomials;
  std::vector<CubicForm> cubics;  // of each output; or
  MonomialTree tree;              // empty where there are cubics
  SymmetricShares<float> shares_f32;
  SymmetricShares<double> shares_f64;
  explicit SymmetricProgram(SymmetricPolynomials given);
};

struct SymmetricWanted {
  bool x = false, w = false, g = false;
};
struct SymmetricGradients {
  Array x, w, g;  // those wanted
};
// The gradients of S; with a direction their derivatives along it. Without g only that of g, the
// product itself, can be wanted.
SymmetricGradients symmetric_gradients(const SymmetricProgram& program, const SymmetricOperands& in,
                                       SymmetricWanted wanted);

}  // namespace casimir
