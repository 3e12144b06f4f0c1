// Learning rates as a function of the place in the training and, for plateau, of the validations.
#pragma once

#include <cstdint>
#include <limits>

#include "trainers/options.h"

namespace casimir {

// Where training stands before a step.
struct Place {
  int64_t step = 0, epoch = 0;
  double progress = 0;  // share of the steps of this stage that are done, 0 .. 1
};

class Schedule {
 public:
  Schedule(const ScheduleOptions& options, double lr);

  // constant     lr
  // exponential  lr gamma^epoch
  // cosine       lr up to progress = hold, then min_lr + (lr - min_lr) (1 + cos(pi p)) / 2 with p
  //              from 0 to 1
  // plateau      lr factor^reductions
  // never below min_lr; times (step + 1) / warmup_steps during the warm-up.
  double lr(const Place& place) const;

  // plateau: a loss that is not below best (1 - 1e-4) is bad; more than `patience` bad ones in a
  // row reduce the rate (torch.optim.lr_scheduler.ReduceLROnPlateau).
  void after_validation(double loss);

  // What a checkpoint holds.
  struct State {
    double best = std::numeric_limits<double>::infinity();
    double factor = 1;
    int64_t bad = 0;
    bool operator==(const State&) const = default;
  };
  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  ScheduleOptions options_;
  double lr_;
  State state_;
};

}  // namespace casimir
