// One training in progress: its parts and its place. trainer.cpp holds the loop, training.cpp how
// it begins, saves and ends.
#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "datasets/loader.h"
#include "trainers/device_step.h"
#include "trainers/epoch_report.h"
#include "trainers/optimizer.h"
#include "trainers/run_folder.h"
#include "trainers/run_log.h"
#include "trainers/step.h"

namespace casimir {

class Training {
 public:
  Training(const RunRequest& request, Data data);
  int run();  // the loop; the exit code

 private:
  using Clock = std::chrono::steady_clock;
  struct RunningStep {
    int64_t before;     // steps taken before it
    std::string place;  // for messages
    AtomsBatch batch;
  };
  struct Validation {
    double loss = 0;
    Errors errors;
  };

  // trainer.cpp
  void take_step(AtomsBatch batch);
  DeviceStep::Result host_step(const AtomsBatch& batch);
  void account(const DeviceStep::Result& result);
  void finish_steps();                   // of all that run
  bool end_epoch();                      // false: interrupted, nothing changed
  std::optional<Validation> validate();  // nullopt: interrupted
  void judge(const std::optional<Validation>& validation, bool due, EpochReport& report);
  void begin_stage_two();

  // training.cpp
  void begin();
  void restore(const Checkpoint& checkpoint);
  void describe();
  void report_epoch(EpochReport& report);
  void save(bool best);
  void report_profile();
  void write_report();  // uses up the validation set
  int interrupt();
  int finish();
  // DivergedError: `what` at `place`, with the batch's frames, where to go on and what to try.
  // `steps`: that led to the weights that diverged.
  [[noreturn]] void diverged(int64_t steps, const std::string& place, const std::string& what,
                             const std::vector<Sample>& samples, const AtomsBatch& batch) const;

  bool out_of_steps() const { return train_.max_steps && state_.step >= *train_.max_steps; }
  bool out_of_time() const;
  bool stop_asked() const;
  bool done() const { return state_.epoch >= train_.epochs || out_of_steps() || state_.stopped; }
  // Steps were taken in this epoch that no validation has judged.
  bool epoch_begun() const { return state_.graphs > 0; }
  bool epoch_whole() const { return state_.batch == loader_.batches(state_.epoch); }
  bool clips(double norm) const { return train_.clip > 0 && norm > train_.clip; }
  bool tired() const { return train_.patience && state_.bad >= *train_.patience; }
  int64_t planned_second_epoch() const;  // first epoch of stage two; epochs without one
  Place place() const;
  Schedule& schedule() { return schedules_[state_.stage - 1]; }
  const LossWeights& weights() const {
    return state_.stage == 2 ? train_.stage_two->weights : options_.task.weights;
  }
  const Array* average() const {
    return optimizer_.average().defined() ? &optimizer_.average() : nullptr;
  }

  const RunRequest& request_;
  RunOptions options_;  // elements filled in
  const TrainOptions& train_ = options_.train;
  Data data_;
  Model model_;
  Optimizer optimizer_;
  Schedule schedules_[2];
  Loader loader_;
  BatchOptions valid_batches_;
  RunFolder folder_;
  CheckpointFolder checkpoints_;
  Settings settings_;
  std::optional<RunLock> lock_;
  std::optional<RunLog> log_;
  TrainState state_;
  std::optional<DeviceStep> device_step_;  // on the GPU
  std::deque<RunningStep> running_;
  // Of this process.
  Clock::time_point start_ = Clock::now(), epoch_start_ = start_;
  int64_t steps_here_ = 0, epochs_here_ = 0;
  double epoch_seconds_ = 0;
};

}  // namespace casimir
