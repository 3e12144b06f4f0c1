#include "trainers/trainer.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <limits>

#include "trainers/profile_report.h"
#include "trainers/signals.h"
#include "trainers/training.h"

namespace casimir {

int Training::run() {
  StopSignals signals;
  begin();
  if (request_.profile) start_profile();
  while (epoch_begun() || !done()) {
    begin_stage_two();
    while (!epoch_whole() && !out_of_steps()) {
      AtomsBatch batch = loader_.next();
      profile_part("loader");
      take_step(batch);
      if (train_.save_every_steps && state_.step % *train_.save_every_steps == 0) save(false);
      if (stop_asked()) return interrupt();
    }
    if (!end_epoch()) return interrupt();
  }
  return finish();
}

// On the GPU a step runs while the host makes the next one ready: its result comes one step late,
// and a step that diverged has changed nothing.
void Training::take_step(AtomsBatch batch) {
  state_.lr = schedule().lr(place());
  running_.push_back({state_.step,
                      concat_text("step ", state_.step + 1, " (epoch ", state_.epoch + 1,
                                  ", batch ", state_.batch + 1, ")"),
                      std::move(batch)});
  const RunningStep& step = running_.back();
  DeviceStep::Result result{};
  try {
    if (device_step_)
      device_step_->start(step.batch, weights(), state_.lr);
    else
      result = host_step(step.batch);
  } catch (const DivergedError& error) {  // of an operation, with --check-finite
    diverged(step.before, step.place, error.what(), data_.train, step.batch);
  }
  state_.graphs += step.batch.frames();
  ++state_.batch;
  ++state_.step;
  ++steps_here_;
  if (!device_step_) return account(result);
  if (running_.size() > 1) account(device_step_->finish());
}

DeviceStep::Result Training::host_step(const AtomsBatch& batch) {
  Gradient gradient = loss_gradient(model_, batch, options_.task, weights());
  const double norm = global_norm(gradient.flat);
  profile_part("gradient norm");
  if (!std::isfinite(gradient.loss) || !std::isfinite(norm)) return {gradient.loss, norm};
  const double factor = clips(norm) ? train_.clip / (norm + 1e-6) : 1;
  optimizer_.step(*model_.parameters, gradient.flat, state_.lr, factor);
  profile_part("clipping, optimizer, average");
  return {gradient.loss, norm};
}

// Adds the result of the oldest running step to the epoch's sums.
void Training::account(const DeviceStep::Result& result) {
  const RunningStep& step = running_.front();
  const double norm = result.gradient_norm;
  if (!std::isfinite(result.loss) || !std::isfinite(norm))
    diverged(step.before, step.place,
             concat_text("the loss is ", result.loss, ", the norm of its gradient ", norm),
             data_.train, step.batch);
  state_.loss_sum += result.loss * static_cast<double>(step.batch.frames());
  state_.gradient_norm_sum += norm;
  state_.clipped += clips(norm);
  running_.pop_front();
}

void Training::finish_steps() {
  while (!running_.empty()) account(device_step_->finish());
}

// Validates, reports, keeps the best model, and saves. Killed anywhere in here, a training goes on
// from the checkpoint before and writes the same bytes again. An epoch cut short by max_steps is
// saved before it is judged, so that a larger max_steps goes on within it.
bool Training::end_epoch() {
  finish_steps();
  bool whole = epoch_whole();
  bool last = state_.epoch + 1 >= train_.epochs || out_of_steps();
  bool due = last || (state_.epoch + 1) % train_.save_every_epochs == 0;
  std::optional<Validation> validation;
  if (!data_.valid.empty() && (last || (state_.epoch + 1) % train_.valid_every == 0)) {
    validation = validate();
    if (!validation) return false;
  }
  if (!whole) save(false);
  EpochReport report;
  judge(validation, due, report);
  report_epoch(report);
  profile_part("reports");
  if (report.best) save_model(folder_.model(), model_, average());
  profile_part("saving");
  state_.loss_sum = state_.gradient_norm_sum = 0;
  state_.graphs = state_.clipped = 0;
  if (!whole) return true;
  state_.batch = 0;
  ++state_.epoch;
  if (due || report.best || state_.stopped) save(report.best);
  return true;
}

namespace {

// While it lives, the parameters hold the averaged weights.
class Averaged {
 public:
  Averaged(Parameters& parameters, const Array& average) : flat_(parameters.flat()) {
    if (!average.defined()) return;
    kept_ = flat_.copy();
    flat_.copy_from(average.to(Device::cpu).cast(flat_.dtype()));
  }
  ~Averaged() {
    if (kept_.defined()) flat_.copy_from(kept_);
  }
  Averaged(const Averaged&) = delete;
  Averaged& operator=(const Averaged&) = delete;

 private:
  Array& flat_;
  Array kept_;
};

}  // namespace

std::optional<Training::Validation> Training::validate() {
  Scope scope(validation_scope);
  Averaged averaged(*model_.parameters, optimizer_.average());
  Validation result;
  for (const std::vector<int64_t>& which : plan_batches(data_.valid, valid_batches_, 0)) {
    if (stop_asked()) return std::nullopt;
    AtomsBatch batch = make_batch(data_.valid, which);
    Evaluation evaluation;
    try {
      evaluation = evaluate_batch(model_, batch, options_.task, weights());
      check<DivergedError>(std::isfinite(evaluation.loss), "the loss is ", evaluation.loss);
    } catch (const DivergedError& error) {
      diverged(state_.step, concat_text("validation after step ", state_.step), error.what(),
               data_.valid, batch);
    }
    result.loss += evaluation.loss * static_cast<double>(batch.graphs);
    for (size_t i = 0; i < which.size(); ++i)
      result.errors.add(data_.valid[which[i]].frame, evaluation.predictions[i]);
  }
  result.loss /= static_cast<double>(data_.valid.size());
  profile_mark(validation_scope);
  return result;
}

// Schedule, best and patience. Without a validation set the model of each checkpoint that is due
// counts as the best.
void Training::judge(const std::optional<Validation>& validation, bool due, EpochReport& report) {
  report.loss = state_.loss_sum / static_cast<double>(state_.graphs);
  if (validation) {
    report.valid_loss = validation->loss;
    report.valid = validation->errors;
    report.best = validation->loss < state_.best;
    state_.bad = report.best ? 0 : state_.bad + 1;
  } else {
    report.best = data_.valid.empty() && due;
  }
  if (validation || data_.valid.empty()) {
    schedule().after_validation(validation ? validation->loss : report.loss);
    state_.schedule = schedule().state();
  }
  if (report.best) {
    state_.best = report.valid_loss.value_or(report.loss);
    state_.best_epoch = state_.epoch + 1;
    state_.best_step = state_.step;
  }
  state_.stopped = tired() && (state_.stage == 2 || !train_.stage_two);
}

// Comes at its epoch, or when the first stage's patience is over. A stage has its own learning
// rate, plateau and best: losses with other weights do not compare.
void Training::begin_stage_two() {
  if (!train_.stage_two || state_.stage == 2) return;
  if (state_.epoch < planned_second_epoch() && !tired()) return;
  state_.stage = 2;
  state_.second_epoch = state_.epoch;
  state_.best = std::numeric_limits<double>::infinity();
  state_.bad = 0;
  state_.schedule = schedule().state();
  log_->line(concat_text("stage two: lr ", train_.stage_two->lr, ", weights of energy ",
                         weights().energy, ", forces ", weights().forces, ", stress ",
                         weights().stress));
}

std::string default_run_folder(const std::string& config_path) {
  return "runs/" + std::filesystem::path(config_path).stem().string();
}

int train(const RunRequest& request) {
  check<UsageError>(!request.resume.empty(),
                    "--resume: expected auto, never or a path, found nothing");
  prepare_device(request.options.step);
  Data data = load_data(request.options);
  check<ConfigError>(!request.options.train.patience || !data.valid.empty(),
                     "train.patience: there are no validation frames to judge by");
  return Training(request, std::move(data)).run();
}

}  // namespace casimir
