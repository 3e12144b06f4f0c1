// The Stillinger-Weber potential of silicon (F. H. Stillinger and T. A. Weber, Phys. Rev. B 31,
// 5262 (1985)), and data sets labelled with it: training data that needs no download.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "datasets/frame.h"

namespace casimir {

inline constexpr double silicon_lattice = 5.431;  // A

struct PotentialLabels {
  double energy = 0;         // eV
  std::vector<Vec3> forces;  // eV/A
  Mat3 stress{};             // eV/A^3, dE/dstrain / volume; 0 unless all directions are periodic
};
// Energy, analytic forces and stress of silicon atoms in any cell.
PotentialLabels stillinger_weber(const Frame& frame);

// A perfect crystal of repeat[0] x repeat[1] x repeat[2] diamond cells of eight atoms.
Frame silicon_crystal(const std::array<int64_t, 3>& repeat, double lattice = silicon_lattice);

struct SiliconOptions {
  int64_t frames = 250;
  uint64_t seed = 1;
  // Every frame has this many diamond cells; 0: a mix of 1x1x1 to 1x2x2.
  std::array<int64_t, 3> repeat{0, 0, 0};
  double rattle_min = 0.05, rattle_max = 0.25;  // A, root mean square length of the displacements
  double strain = 0.05;    // largest entry of the random strain that half of the frames have
  double vacancies = 0.2;  // share of the frames with more than 8 atoms that lack one atom
};
// Frames with energy, forces and stress; config_type "rattled", "strained" or "vacancy". Frame i is
// a function of the seed, i and the options alone.
std::vector<Frame> make_silicon(const SiliconOptions& options);

}  // namespace casimir
