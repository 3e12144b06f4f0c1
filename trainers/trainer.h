// The training loop: epochs, validation, best and last, exact resume.
#pragma once

#include <string>

#include "trainers/options.h"

namespace casimir {

inline constexpr const char* version = CASIMIR_VERSION;

struct RunRequest {
  RunOptions options;
  std::string config_text;      // as given; copied to config.yaml
  std::string folder;           // run directory, made when absent
  std::string resume = "auto";  // auto | never | path of a checkpoint
  bool quiet = false;           // nothing on the console
  bool profile = false;         // measure the steps: a table in train.log and profile.txt
  int64_t stop_after = -1;      // >= 0: act as on SIGTERM after so many steps of this process
};

// "configs/quickstart.yaml" -> "runs/quickstart"
std::string default_run_folder(const std::string& config_path);

// Trains to the end (0) or until a signal, max_time or stop_after (75: saved, resumable). The
// folder then holds config.yaml, resolved.yaml, run.json, train.log, metrics.jsonl, timing.jsonl,
// lcurve.csv, TensorBoard's event file, checkpoints/ and model.safetensors; and, when it has ended,
// report.html.
int train(const RunRequest& request);

// Data, model, memory, steps and time per step, on the console; writes nothing.
int dry_run(const RunOptions& options);

}  // namespace casimir
