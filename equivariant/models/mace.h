// MACE (Batatia et al., NeurIPS 2022, arXiv:2206.07697): ScaleShiftMACE as in mace-torch, with
// residual and non-residual interaction blocks, for any hidden irreps of one multiplicity, l_max,
// correlation and depth.
//
// Per layer: radial weights and spherical harmonics of the edges meet the senders' features in a
// tensor product that is summed by receiver (eq. 8), mixed, raised to body order by the symmetric
// contraction (eq. 10), mixed again and added to the species-dependent skip (eq. 11); a readout per
// layer gives the energies (eq. 12-13).
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/config.h"
#include "equivariant/potential.h"

namespace casimir {

struct MaceOptions {
  double r_max = 5.0;
  std::string hidden_irreps = "128x0e";
  int64_t l_max = 3;
  std::vector<int64_t> correlation{3};  // one for all layers, or one per layer
  int64_t num_interactions = 2;
  int64_t num_bessel = 8;
  int64_t num_polynomial_cutoff = 5;
  std::vector<int64_t> radial_mlp{64, 64, 64};
  std::string radial = "network";  // table: radial_table.h
  int64_t radial_knots = 256;
  std::string readout_irreps = "16x0e";
  std::string interaction_first = "residual";
  std::string interaction = "residual";

  void fields(Fields& f);  // also checks what depends on several keys
};

// What the data decide; saved with the model, not trained.
struct MaceConstants {
  std::vector<int> elements;            // atomic numbers, ascending
  std::vector<double> atomic_energies;  // E0 per element, eV
  double avg_num_neighbors = 1;
  double scale = 1;  // eV
  double shift = 0;  // eV per atom
};

// Registers its parameters and constants in `scope`. Names: interactions.0.linear_up.weight_0e, ...
std::unique_ptr<Potential> make_mace(Parameters::Scope scope, const MaceOptions& options,
                                     const MaceConstants& constants);

}  // namespace casimir
