// Errors of predictions against labels: RMSE and MAE of energies, forces and stress, in total and
// per config_type. Sums in f64 in the order of the frames, so bits do not depend on threads.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "datasets/frame.h"

namespace casimir {

// What a model says about one frame: total energy (reference energies included).
struct FramePrediction {
  double energy = 0;                            // eV
  std::vector<std::array<double, 3>> forces;    // eV/A; empty: not asked
  std::optional<std::array<double, 9>> stress;  // eV/A^3, positive = tension
  // Of several models (committee.h): how far apart they are.
  std::optional<double> energy_std{};  // eV
  std::vector<double> forces_std{};    // per atom, eV/A
};

// Sum of squares and of absolute values of differences.
struct ErrorSum {
  double squares = 0, magnitudes = 0;
  int64_t count = 0;

  void add(double difference);
  void add(const ErrorSum& other);
  double rmse() const;  // 0 when empty
  double mae() const;
};

struct Errors {
  int64_t frames = 0, atoms = 0;
  ErrorSum energy;           // per frame, eV
  ErrorSum energy_per_atom;  // per frame, (E - E') / N, eV
  ErrorSum forces;           // per component, eV/A
  ErrorSum stress;           // per component (9 a frame), eV/A^3

  // Labels that the frame lacks are skipped.
  void add(const Frame& label, const FramePrediction& prediction);
  void add(const Errors& other);
};

struct ErrorTable {
  Errors total;
  std::map<std::string, Errors> by_config_type;

  void add(const Frame& label, const FramePrediction& prediction);
  // {"frames": ..., "energy_rmse_mev": ..., ..., "by_config_type": {...}}; quantities without any
  // label are null. `seconds` is left out when negative.
  std::string json(double seconds = -1) const;
};

}  // namespace casimir
