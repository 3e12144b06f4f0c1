// NequIP (Batzner et al., Nat. Commun. 13 (2022) 2453): NequIPGNNModel as in nequip 0.19.1, with
// its presets S, M, L and XL, any feature counts per degree, with and without odd parity.
//
// Per layer: radial weights and spherical harmonics of the edges meet the senders' features in a
// tensor product that is summed by receiver (eq. 7), mixed and added to a self-connection that
// depends on the species' embedding; a gate follows. A readout after the last layer gives the
// energies.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "equivariant/irreps.h"
#include "equivariant/models/mace.h"
#include "equivariant/potential.h"

namespace casimir {

struct NequipOptions {
  std::string preset = "none";  // fills in the keys below; those given are stronger
  double r_max = 5.0;
  int64_t num_layers = 4;
  int64_t l_max = 1;                      // of features and spherical harmonics
  bool parity = true;                     // features of both parities of each degree
  std::vector<int64_t> num_features{32};  // one for all degrees, or one for each of 0 .. l_max
  std::optional<int64_t> type_embed_num_features;  // absent: num_features of degree 0
  bool self_connection = true;                     // in all layers but the first
  std::vector<int64_t> radial_mlp{128};
  std::string radial = "network";  // table: radial_table.h
  int64_t radial_knots = 256;
  std::vector<int64_t> readout_mlp;  // hidden layer sizes; none: a linear map
  int64_t num_bessel = 8;
  bool bessel_trainable = false;
  int64_t num_polynomial_cutoff = 6;
  std::map<std::string, double> per_type_energy_scales;      // by symbol, times `scale`
  std::map<std::string, double> per_type_avg_num_neighbors;  // instead of avg_num_neighbors

  void fields(Fields& f);  // also checks what depends on several keys
  // Features between the layers, before those that no path reaches are left out: 32x0o+32x0e+...
  Irreps hidden_irreps() const;
};

// Registers its parameters and constants in `scope`. Names: layers.0.linear_1.weight_0e, ...
// symbols: of constants.elements, to read the options by element with.
std::unique_ptr<Potential> make_nequip(Parameters::Scope scope, const NequipOptions& options,
                                       const MaceConstants& constants,
                                       const std::vector<std::string>& symbols);

}  // namespace casimir
