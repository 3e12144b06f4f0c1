// What a report says of predictions beyond their table of errors: parity, R2, errors by element and
// by size of the force, and the worst frames. Two passes over labels and predictions; no copies.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "trainers/evaluate.h"
#include "trainers/plot.h"

namespace casimir {

// Predictions over labels of one quantity, in a square from `low` to `high` on both axes.
struct Parity {
  double low = 0, high = 0;
  int64_t count = 0;
  double r2 = 0;  // 1 - sum (prediction - label)^2 / sum (label - mean label)^2; nan: labels equal
  Density density;
};

// Sizes of the errors |F - F'| over the sizes of the forces |F|, per atom, both on log scales,
// eV/A.
struct ForceErrors {
  double low = 0, high = 0, error_low = 0, error_high = 0;
  Density density;
  std::vector<double> size, rms;  // of the errors within a range of sizes, at its middle
};

struct ElementErrors {
  int64_t atoms = 0;  // with a label for their force
  ErrorSum forces;    // over components, eV/A
  ErrorSum labels;    // the size of the labels
};

// A frame by its largest errors; those without a label are absent.
struct WorstFrame {
  std::string where, config_type, formula;  // "test.xyz: frame 117", "Default", "C11 H9 N2 O"
  int64_t atoms = 0;
  std::optional<double> energy{};   // (E - E') / N, eV
  std::optional<double> forces{};   // RMSE over components, eV/A
  std::optional<double> largest{};  // |F - F'| of the atom below, eV/A
  std::string atom{};               // "C 17", counted from 0
};

struct ReportErrors {
  FrameErrors numbers;  // those of `casimir evaluate`; without the predictions
  std::string source;   // what was evaluated: "validation set, 50 frames"
  Parity energy{};      // (E - sum of E0) / N, eV/atom
  Parity forces{};      // components, eV/A
  Parity stress{};      // components, eV/A^3
  ForceErrors force_errors{};
  std::map<int, ElementErrors> elements{};  // by atomic number
  std::vector<WorstFrame> worst{};          // by force RMSE, else by energy; at most ten
};

// `evaluation` is of these frames, in their order; e0s: eV, by atomic number.
ReportErrors report_errors(const std::vector<Frame>& frames, FrameErrors evaluation,
                           const std::map<int, double>& e0s, std::string source);

}  // namespace casimir
