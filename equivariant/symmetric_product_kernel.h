// The CPU kernels of the symmetric product (symmetric_product.h).
#pragma once

#include "equivariant/symmetric_cubic.h"
#include "equivariant/symmetric_product.h"

namespace casimir {

// Operands of S = sum over nodes of g . product(x, C). x_dot is a direction of x, or absent. All on
// the CPU.
struct SymmetricOperands {
  Tensor x, coefficients, g, x_dot;
  Segments species;
};
// The polynomials in the forms that the kernels walk through.
struct SymmetricProgram {
  SymmetricPolynomials polynomials;
  std::vector<CubicForm> cubics;  // of each output; or
  MonomialTree tree;              // empty where there are cubics
  std::vector<int32_t> slots;     // of the coefficients in the order of their use
  explicit SymmetricProgram(SymmetricPolynomials given);
};

struct SymmetricWanted {
  bool x = false, coefficients = false, g = false;
};
struct SymmetricGradients {
  Array x, coefficients, g;  // those wanted
};
// The gradients of S; with a direction their derivatives along it. Without g only that of g, the
// product itself, can be wanted.
SymmetricGradients symmetric_gradients(const SymmetricProgram& program, const SymmetricOperands& in,
                                       SymmetricWanted wanted);

}  // namespace casimir
