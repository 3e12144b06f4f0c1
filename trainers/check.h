// What must hold for any interatomic potential, as numbers against bounds: symmetries, derivatives,
// smoothness where atoms enter the reach of others, additivity.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "datasets/frame.h"
#include "trainers/model_file.h"

namespace casimir {

struct CheckResult {
  std::string property;  // "rotation"
  std::string quantity;  // "forces"
  std::string unit;      // "relative", "eV/A"
  double found = 0, bound = 0;
  bool holds() const { return found <= bound; }  // false for NaN
};

// Rotation, inversion, permutation and translation. Differences of energies and virials are
// relative to the sum of |E_i| over the atoms of the frame (or the largest component of the
// virial), those of forces to the largest component in the frame or the model's scale; at least 0.1
// eV or eV/A.
std::vector<CheckResult> check_symmetry(const Model& model, const std::vector<Frame>& frames,
                                        uint64_t seed);
// Forces against the differences of the energy along random directions, the virial along random
// strains (frames with three periodic directions). The model in f64.
std::vector<CheckResult> check_derivatives(const Model& model, const std::vector<Frame>& frames,
                                           uint64_t seed);
// A probe atom leaves the reach of a dimer along a line: what remains of energy, slope and
// curvature at r_max, for every pair of elements (the first six elements). The model in f64.
std::vector<CheckResult> check_smoothness(const Model& model);
// A structure beside its distant copy, or with a doubled cell, has twice the energy.
std::vector<CheckResult> check_additivity(const Model& model, const std::vector<Frame>& frames);

// `frames` molecules and, when atoms can reach others through the cell, as many crystals.
std::vector<Frame> check_structures(const std::vector<int>& elements, int64_t frames,
                                    uint64_t seed);

std::string check_text(const std::vector<CheckResult>& results);

}  // namespace casimir
