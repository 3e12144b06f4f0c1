#include "equivariant/symmetric_basis.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <memory>
#include <mutex>
#include <tuple>

#include "core/error.h"
#include "equivariant/irreps.h"
#include "equivariant/wigner.h"

namespace casimir {
namespace {

using Monomial = std::vector<int32_t>;
using Polynomial = std::map<Monomial, double>;

struct Coupling {
  Irrep ir;
  std::vector<Polynomial> components;
};

Monomial times(Monomial monomial, int32_t place) {
  monomial.insert(std::upper_bound(monomial.begin(), monomial.end(), place), place);
  return monomial;
}

// Every way to couple the components of `left` with the irrep (l, (-1)^l) of x that starts at
// `offset`.
void couple(const Coupling& left, int l, std::vector<Coupling>& out, bool natural_only) {
  const Irrep right{l, l % 2 ? -1 : 1};
  const int32_t offset = l * l;
  for (const Irrep& ir : left.ir* right) {
    if (natural_only && ir.p != (ir.l % 2 ? -1 : 1)) continue;
    const std::vector<double>& cg = wigner_3j(ir.l, left.ir.l, l);
    const double norm = std::sqrt(static_cast<double>(ir.dim()));
    Coupling coupled{ir, std::vector<Polynomial>(ir.dim())};
    for (int k = 0, at = 0; k < ir.dim(); ++k)
      for (int j = 0; j < left.ir.dim(); ++j)
        for (int m = 0; m < right.dim(); ++m, ++at) {
          if (std::abs(cg[at]) < 1e-14) continue;
          for (const auto& [monomial, value] : left.components[j])
            coupled.components[k][times(monomial, offset + m)] += norm * cg[at] * value;
        }
    out.push_back(std::move(coupled));
  }
}

// mace-torch's order: copies of x are added one by one on the right; after each step the list is
// sorted by irrep, stably. With four copies intermediate irreps are limited to natural parity.
std::vector<Coupling> couplings(int l_max, int nu, bool natural_only) {
  std::vector<Coupling> list;
  if (nu == 1) {
    for (int l = 0; l <= l_max; ++l) {
      Coupling single{{l, l % 2 ? -1 : 1}, std::vector<Polynomial>(2 * l + 1)};
      for (int m = 0; m <= 2 * l; ++m) single.components[m][{l * l + m}] = 1;
      list.push_back(std::move(single));
    }
    return list;
  }
  for (const Coupling& left : couplings(l_max, nu - 1, natural_only))
    for (int l = 0; l <= l_max; ++l) couple(left, l, list, natural_only);
  std::stable_sort(list.begin(), list.end(), [](const Coupling& a, const Coupling& b) {
    return std::tuple(a.ir.l, a.ir.p) < std::tuple(b.ir.l, b.ir.p);
  });
  return list;
}

SymmetricBasis make_basis(int l_max, int nu, int l_out) {
  SymmetricBasis basis;
  std::map<Monomial, int32_t> places;
  for (const Coupling& coupling : couplings(l_max, nu, nu == 4)) {
    if (coupling.ir != Irrep{l_out, l_out % 2 ? -1 : 1}) continue;
    for (size_t component = 0; component < coupling.components.size(); ++component)
      for (const auto& [monomial, value] : coupling.components[component]) {
        if (std::abs(value) < 1e-12) continue;
        int32_t place = places.emplace(monomial, static_cast<int32_t>(places.size())).first->second;
        basis.entries.push_back(
            {static_cast<int32_t>(component), place, static_cast<int32_t>(basis.paths), value});
      }
    ++basis.paths;
  }
  basis.monomials.resize(places.size());
  for (const auto& [monomial, place] : places) basis.monomials[place] = monomial;
  std::sort(basis.entries.begin(), basis.entries.end(), [](const auto& a, const auto& b) {
    return std::tie(a.component, a.monomial, a.path) < std::tie(b.component, b.monomial, b.path);
  });
  return basis;
}

}  // namespace

const SymmetricBasis& symmetric_basis(int l_max, int nu, int l_out) {
  check<Error>(nu >= 1 && nu <= 4, "symmetric basis: correlation ", nu, ", expected 1 to 4");
  static std::mutex mutex;
  static std::map<std::tuple<int, int, int>, std::unique_ptr<SymmetricBasis>> kept;
  std::lock_guard lock(mutex);
  auto& basis = kept[{l_max, nu, l_out}];
  if (!basis) basis = std::make_unique<SymmetricBasis>(make_basis(l_max, nu, l_out));
  return *basis;
}

}  // namespace casimir
