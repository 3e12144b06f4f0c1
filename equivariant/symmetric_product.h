// Polynomials of a node's components, channel by channel, as one op: MACE's symmetric contraction
// (eq. 10) once the couplings are summed over the orders of their factors (symmetric_basis.h).
//
//     out[n, o, u] = sum over entries (monomial, o, slot) of
//                    C[species n, slot, u] * product over the monomial of x[n, i, u]
//
// It is what contract_power() computes with plan(degree), degree by degree, and the same to any
// order of differentiation; but value, gradient and second gradient are one pass over cubic forms
// (symmetric_cubic.h) or, of higher degrees, over a tree in which each monomial is formed once for
// all outputs.
#pragma once

#include <vector>

#include "equivariant/contraction.h"

namespace casimir {

struct SymmetricPolynomials {
  struct Entry {
    std::vector<int32_t> monomial;  // components of x, ascending, with repetition
    int32_t out, slot;              // each slot stands in one entry
  };
  std::vector<Entry> entries;
  int64_t components = 0, outputs = 0, slots = 0, channels = 0;

  int degree() const;
  // The entries of one degree as terms. Operands: x (degree times), C (index 0), out.
  Plan plan(int degree) const;
};

// The monomials as a tree: each is its parent times one component. Parents come before children.
struct MonomialTree {
  struct Child {
    int32_t factor;      // component of x
    int32_t parent;      // number among the parents, or -1: it has no children
    int32_t begin, end;  // its entries
  };
  struct Parent {
    int32_t begin, end;  // its children
  };
  std::vector<Parent> parents;  // the first is the constant 1
  std::vector<Child> children;
  std::vector<int32_t> outputs, slots;  // of the entries
  explicit MonomialTree(const SymmetricPolynomials& polynomials);
};

// Compiled polynomials; copies share them.
class SymmetricProductOp {
 public:
  SymmetricProductOp() = default;
  explicit SymmetricProductOp(SymmetricPolynomials polynomials);
  // x [nodes, components * channels], coefficients [species, slots * channels]
  // -> [nodes, outputs * channels].
  Tensor operator()(const Tensor& x, const Tensor& coefficients, const Segments& species) const;
  // The same by contract_power(): the definition, and what runs on CUDA.
  Tensor composite(const Tensor& x, const Tensor& coefficients, const Segments& species) const;

 private:
  struct Data;
  std::shared_ptr<const Data> data_;
};

}  // namespace casimir
