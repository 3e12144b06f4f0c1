// What is said about an epoch: the console line, the lines of metrics.jsonl and lcurve.csv, and
// TensorBoard's record.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "trainers/metrics.h"

namespace casimir {

struct EpochReport {
  int64_t epoch = 0, epochs = 0;  // from 1
  int64_t step = 0;
  int stage = 1;
  double lr = 0;
  double loss = 0, gradient_norm = 0;  // means over the epoch's frames and batches
  int64_t clipped = 0;                 // batches whose gradient was shortened
  std::optional<double> valid_loss;
  Errors valid;
  bool best = false;
  double seconds = 0, remaining = 0;  // wall clock, for the console only

  // By their keys in metrics.jsonl; nullopt: no frame has the label.
  std::vector<std::pair<std::string, std::optional<double>>> numbers() const;

  std::string console_line() const;
  std::string metrics_json() const;
  std::string curve_line() const;
  std::string event() const;  // the numbers under train/ and valid/
  std::string timing_json() const;
};

extern const char* const curve_header;

// The line of timing.jsonl where a run goes on within `epoch`, from 1, with `step` steps done.
std::string resumed_json(int64_t epoch, int64_t step);

}  // namespace casimir
