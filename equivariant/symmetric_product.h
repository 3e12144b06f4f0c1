// Polynomials of a node's components, channel by channel, as one op: MACE's symmetric contraction
// (eq. 10) once the couplings are summed over the orders of their factors (symmetric_basis.h).
//
//     out[n, o, u] = sum over entries (monomial, o) of
//                    C[species n, entry, u] * product over the monomial of x[n, i, u]
//     C[s, entry, u] = sum over the entry's shares (path, value) of value * w[s, path, u]
//
// With C at hand it is what contract_power() computes with plan(degree), degree by degree, and the
// same to any order of differentiation. But value, gradient and second gradient are one pass over
// cubic forms (symmetric_cubic.h) or, of higher degrees, over a tree in which each monomial is
// formed once for all outputs; and C, some channels of one species at a time, never leaves the
// nearest cache.
#pragma once

#include <vector>

#include "equivariant/contraction.h"

namespace casimir {

struct SymmetricPolynomials {
  struct Share {
    int32_t path;
    double value;
  };
  struct Entry {
    std::vector<int32_t> monomial;  // components of x, ascending, with repetition
    int32_t out;
    std::vector<Share> shares;  // of its coefficient
  };
  std::vector<Entry> entries;
  int64_t components = 0, outputs = 0, paths = 0, channels = 0;

  int degree() const;
  // The entries of one degree as terms. Operands: x (degree times), C (index 0), out.
  Plan plan(int degree) const;
  Array basis() const;  // the shares as [entries, paths], f64
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
  std::vector<int32_t> outputs, numbers;  // of the entries
  explicit MonomialTree(const SymmetricPolynomials& polynomials);
};

// Compiled polynomials; copies share them.
class SymmetricProductOp {
 public:
  SymmetricProductOp() = default;
  // For operands of that type, on that device.
  SymmetricProductOp(SymmetricPolynomials polynomials, DType dtype, Device device = Device::cpu);
  // x [nodes, components * channels], w [species, paths * channels] -> [nodes, outputs * channels].
  Tensor operator()(const Tensor& x, const Tensor& w, const Segments& species) const;
  // The same by products of matrices and contract_power(): the definition, and what runs on CUDA.
  Tensor composite(const Tensor& x, const Tensor& w, const Segments& species) const;
  const SymmetricPolynomials& polynomials() const;

 private:
  struct Data;
  std::shared_ptr<const Data> data_;
};

}  // namespace casimir
