// The couplings of nu copies of one vector to an irrep, as polynomials: the basis of MACE's
// symmetric contraction.
//
// MACE tabulates U[M, i_1 .. i_nu, path] (Batatia et al. 2022, eq. 10) by coupling copies of x one
// after the other with Clebsch-Gordan coefficients. Only the sum over equal products x_i1 .. x_inu
// matters, so each path is kept as a polynomial in x: hundreds of monomials instead of millions of
// table entries. Path order and normalisation are those of mace-torch (component normalisation), so
// its weights carry over unchanged.
#pragma once

#include <cstdint>
#include <vector>

namespace casimir {

struct SymmetricBasis {
  struct Entry {
    int32_t component;  // M of the output irrep
    int32_t monomial;
    int32_t path;
    double value;
  };
  int64_t paths = 0;
  std::vector<std::vector<int32_t>> monomials;  // sorted places in x, nu each
  std::vector<Entry> entries;                   // sorted by component, monomial, path
};

// x holds one copy of each l = 0 .. l_max with parity (-1)^l; the output has degree l_out, parity
// (-1)^l_out. nu = 1 .. 4. Kept after the first call.
const SymmetricBasis& symmetric_basis(int l_max, int nu, int l_out);

}  // namespace casimir
