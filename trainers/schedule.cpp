#include "trainers/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace casimir {

Schedule::Schedule(const ScheduleOptions& options, double lr) : options_(options), lr_(lr) {}

double Schedule::lr(const Place& place) const {
  double rate = lr_;
  double low = std::min(options_.min_lr, lr_);
  if (options_.kind == "exponential")
    rate *= std::pow(options_.gamma, static_cast<double>(place.epoch));
  else if (options_.kind == "cosine" && place.progress > options_.hold)
    rate = low + (lr_ - low) *
                     (1 + std::cos(std::numbers::pi * (place.progress - options_.hold) /
                                   (1 - options_.hold))) /
                     2;
  else if (options_.kind == "plateau")
    rate *= state_.factor;
  rate = std::max(rate, low);
  if (place.step < options_.warmup_steps)
    rate *= static_cast<double>(place.step + 1) / static_cast<double>(options_.warmup_steps);
  return rate;
}

void Schedule::after_validation(double loss) {
  if (options_.kind != "plateau") return;
  if (loss < state_.best * (1 - 1e-4)) {
    state_.best = loss;
    state_.bad = 0;
  } else if (++state_.bad > options_.patience) {
    state_.factor *= options_.factor;
    state_.bad = 0;
  }
}

}  // namespace casimir
