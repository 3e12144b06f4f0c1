// Several models as one: the mean of what they predict, how far apart they are, and how well that
// tells the error of the mean.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trainers/evaluate.h"

namespace casimir {

// Between equally long rows of numbers; absent, with the reason, where it is not defined.
struct Correlation {
  std::optional<double> pearson, spearman;  // spearman: equal numbers share their mean rank
  std::string lacking;
};
Correlation correlate(const std::vector<double>& spreads, const std::vector<double>& errors);

// Of one quantity: its standard deviation over the M models, sqrt(1/M sum_m |x_m - mean|^2), beside
// the size of the mean's error.
struct Spread {
  ErrorSum all;  // of every frame or atom
  double largest = 0;
  std::vector<double> labelled, errors;  // where there is a label

  void add(double deviation, std::optional<double> error);
  // By key: rms, mean, max, error_rms (in milli units), pearson, spearman.
  std::vector<std::pair<const char*, std::optional<double>>> numbers() const;
};

struct CommitteeErrors {
  std::vector<FrameErrors> models;
  FrameErrors mean;  // of the mean prediction
  Spread energy;     // of frames, per atom: eV
  Spread forces;     // of atoms, as vectors: eV/A
};
// The models' predictions are of these frames, in their order.
CommitteeErrors compare_committee(std::vector<FrameErrors> models,
                                  const std::vector<Frame>& frames);

// Tables of the models' errors under these titles, of the mean's, and of the spread.
std::string committee_text(const CommitteeErrors& errors, const std::vector<std::string>& titles,
                           bool by_file);
// The mean's errors as those of one model, and "models" and "spread".
std::string committee_json(const CommitteeErrors& errors, const std::vector<std::string>& paths);

}  // namespace casimir
