// Checkpoints: everything a training needs to go on with the same bits, in one file.
#pragma once

#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/safetensors.h"
#include "trainers/data.h"
#include "trainers/schedule.h"

namespace casimir {

// Where the training stands, apart from the arrays. Batches are a function of seed, epoch and
// place, so these are the random state too.
struct TrainState {
  int64_t step = 0, epoch = 0, batch = 0;  // optimisation steps done; next batch of this epoch
  int stage = 1;
  int64_t second_epoch = -1;  // where stage two began
  double lr = 0;              // of the newest step
  double best = std::numeric_limits<double>::infinity();
  int64_t best_epoch = -1, best_step = -1;
  int64_t bad = 0;       // validations since the best
  bool stopped = false;  // ended early by patience
  Schedule::State schedule;
  // Sums over the batches of this epoch.
  double loss_sum = 0, gradient_norm_sum = 0;
  int64_t graphs = 0, clipped = 0;
  // Lengths of the files that go on: metrics.jsonl, lcurve.csv, timing.jsonl, the event file.
  std::map<std::string, int64_t> lengths;

  std::string json() const;
  static TrainState parse(const std::string& json, const std::string& source);
};

// The resolved options as dotted keys and values, and checksums of the data under
// "checksum of data.train".
using Settings = std::map<std::string, std::string>;
Settings settings_of(RunOptions options, const std::vector<DataFile>& files);
// Keys that decide the numbers of a training; the others (paths, epochs, threads, how often it
// saves) may change between a run and its resume.
bool decides_numbers(const std::string& key);
// "model.r_max is 5 here, 4.5 there; ..." for the deciding keys that differ, or "". A key that the
// program of the checkpoint did not have stands at its default there.
std::string differences(const Settings& here, const Settings& there);

struct Checkpoint {
  std::string path;
  TrainState state;
  Settings settings;
  std::string config;  // resolved YAML
  Safetensors arrays;  // parameters, average, moment1, moment2, moment2_max
};

// A missing file is a MissingError, anything wrong a DataError, both naming the file.
Checkpoint read_checkpoint(const std::string& path);

// The checkpoints/ of a run: step-000000120.ckpt, ..., and the further names last.ckpt, best.ckpt.
class CheckpointFolder {
 public:
  CheckpointFolder(std::string folder, int64_t keep) : folder_(std::move(folder)), keep_(keep) {}

  // Publishes atomically, renews last.ckpt (and best.ckpt), removes all but the newest `keep`.
  void save(const Checkpoint& checkpoint, bool best) const;
  // Gives one of them the name last.ckpt (and best.ckpt): a link to the same bytes.
  void name(const std::string& path, bool best) const;
  std::vector<std::string> list() const;  // paths of step-*.ckpt, newest first
  // The newest whose weights took a later step; that of `step` where it is the only one; "" if
  // none.
  std::string before(int64_t step) const;
  // The newest one that is whole. A sentence in `notes` for each damaged one, which is then
  // renamed to *.damaged. All damaged: DataError. None there: nullopt.
  std::optional<Checkpoint> newest(std::vector<std::string>& notes) const;
  void clean() const;   // removes what an interrupted write left
  void remove() const;  // removes all checkpoints

 private:
  std::string folder_;
  int64_t keep_;
};

}  // namespace casimir
