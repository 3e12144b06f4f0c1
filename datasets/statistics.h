// What a data set says about the constants of a model: elements, reference energies, mean number of
// neighbours, shift and scale; and the table of what it holds.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "datasets/batch.h"

namespace casimir {

std::vector<int> elements_of(std::span<const Frame> frames);  // atomic numbers, ascending

// Reference energies E0, eV per atom, by atomic number.
using AtomEnergies = std::map<int, double>;

// One atom, and config_type IsolatedAtom or isolated_atom, or no image of itself within r_max.
bool is_isolated_atom(const Frame& frame, double r_max);
// Takes the isolated atoms out of `frames` and returns them.
std::vector<Frame> take_isolated_atoms(std::vector<Frame>& frames, double r_max);
// From frames of isolated atoms. No energy, or two different ones for an element: DataError.
AtomEnergies isolated_energies(std::span<const Frame> frames);
// Least squares of the total energies over the compositions. Where these do not fix the energies,
// the smallest ones, and `note` (if not nullptr) receives a sentence saying so.
AtomEnergies least_squares_energies(std::span<const Frame> frames, std::string* note = nullptr);
// {"H": -13.6, ...} as a configuration gives it; keys are symbols or atomic numbers.
AtomEnergies given_energies(const std::map<std::string, double>& by_symbol);
// The energies of `elements` in their order; a DataError names every element that has none.
// `origin` starts the message: "iso_atoms.xyz", "model.e0s".
std::vector<double> energies_for(const std::vector<int>& elements, const AtomEnergies& energies,
                                 const std::string& origin);

// Mean number of edges per atom that receives any (MACE's compute_avg_num_neighbors); 1 without
// edges.
double avg_num_neighbors(std::span<const Sample> samples);

// Shift and scale of the interaction energy, as MACE's rms_forces_scaling: shift = mean over frames
// of (E - sum E0) / atoms, scale = sqrt(mean F^2) over all components. Without forces, scale is the
// standard deviation of (E - sum E0) / atoms; 1 when that is 0 or unknown. Without energies, shift
// 0.
struct ScaleShift {
  double scale = 1, shift = 0;
};
ScaleShift scale_shift(std::span<const Sample> samples, const AtomEnergies& e0s);

struct LabelCounts {
  int64_t frames = 0, energy = 0, forces = 0, stress = 0;  // frames that have the label
};
LabelCounts count_labels(std::span<const Sample> samples);

// One line per set, columns aligned:
// train  450 frames, 12150 atoms (H C N O), 27-27 atoms/frame, 16.7 neighbours/atom, energy 450,
//        forces 450, stress 0       (on one line)
struct NamedSamples {
  std::string name;
  std::span<const Sample> samples;
};
std::string data_table(const std::vector<NamedSamples>& sets);

}  // namespace casimir
