#include "trainers/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/files.h"
#include "core/parallel.h"
#include "trainers/profile_report.h"
#include "trainers/report.h"
#include "trainers/signals.h"

namespace casimir {

namespace {

// Padded for the GPU, whether or not its steps are captured, so that both give the same bits.
BatchOptions train_batches(const RunOptions& options) {
  BatchOptions batches;
  if (options.step.device_kind() == Device::cuda) batches.pad_beyond = options.model.r_max();
  batches.batch_size = options.train.batch_size;
  batches.max_edges = options.train.max_edges.value_or(0);
  batches.seed = static_cast<uint64_t>(options.seed);
  return batches;
}

double second_rate(const TrainOptions& train) {
  return train.stage_two ? train.stage_two->lr : train.optimizer.lr;
}

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

Training::Training(const RunRequest& request, Data data)
    : request_(request),
      options_(request.options),
      data_(std::move(data)),
      model_(make_model(options_.model, data_.constants, static_cast<uint64_t>(options_.seed),
                        options_.step.device_kind())),
      optimizer_(*model_.parameters, train_.optimizer, train_.ema),
      schedules_{Schedule(train_.schedule, train_.optimizer.lr),
                 Schedule(train_.schedule, second_rate(train_))},
      loader_(data_.train, train_batches(options_)),
      folder_{request.folder},
      checkpoints_(folder_.checkpoints(), train_.keep) {
  options_.model = model_.options;
  RunOptions described = options_;
  described.step.threads = 0;     // so that the model file is the same for any number of threads,
  described.step.graph = "auto";  // with and without graphs, and with and without a report
  described.train.report = true;
  model_.config = to_yaml(described);
  valid_batches_.batch_size = train_.valid_batch_size.value_or(train_.batch_size);
  valid_batches_.shuffle = false;
  settings_ = settings_of(options_, data_.files);
}

void Training::begin() {
  folder_.create();
  lock_.emplace(folder_.path);
  folder_.clean();
  checkpoints_.clean();
  std::vector<std::string> notes;
  std::optional<Checkpoint> found =
      find_resume(folder_, checkpoints_, request_.resume, settings_, notes);
  if (found)
    restore(*found);
  else
    folder_.clear();
  write_description(folder_, request_, to_yaml(options_), data_, model_.parameters->size());
  log_.emplace(folder_.path, state_.lengths, request_.quiet);
  describe();
  if (options_.step.device_kind() == Device::cuda)
    device_step_.emplace(model_, optimizer_, options_.task, train_.clip,
                         check_finite() ? "off" : options_.step.graph,
                         [this](const std::string& text) { log_->line(text); });
  for (const std::string& note : notes) log_->line(note);
  if (found) {
    log_->line(fmt::format("resumed from {}: step {}, epoch {}, best {:.6g} of epoch {}",
                           found->path, state_.step, state_.epoch + 1, state_.best,
                           state_.best_epoch));
    if (!done()) log_->timing(resumed_json(state_.epoch + 1, state_.step));
  } else {
    log_->curve(curve_header);
    save(false);
  }
  epoch_start_ = Clock::now();
}

void Training::restore(const Checkpoint& checkpoint) {
  const std::string& path = checkpoint.path;
  const Array& stored = checkpoint.arrays.at("parameters");
  Array& flat = model_.parameters->flat();
  check<DataError>(stored.shape() == flat.shape() && stored.dtype() == flat.dtype(), path,
                   ": parameters: ", stored.dtype(), " of shape ", stored.shape(), ", expected ",
                   flat.dtype(), " of shape ", flat.shape());
  flat.copy_from(stored);
  state_ = checkpoint.state;
  optimizer_.load(checkpoint.arrays, state_.step);
  schedule().restore(state_.schedule);
  loader_.seek(state_.epoch, state_.batch);
  // An interruption may have come between the checkpoint and its further names.
  bool own = path.starts_with(folder_.checkpoints() + "/step-");
  if (own) checkpoints_.name(path, state_.batch == 0 && state_.best_step == state_.step);
}

void Training::describe() {
  std::string table = data_.table;
  while (!table.empty() && table.back() == '\n') table.pop_back();
  log_->line(fmt::format("casimir {}  run folder {}", version, folder_.path));
  log_->line(table);
  log_->line(fmt::format("model {} {}  {} parameters in {}", options_.model.kind,
                         options_.model.hidden_irreps(), model_.parameters->size(),
                         options_.model.dtype));
  log_->line(
      fmt::format("device {}  threads {}  {}", options_.step.device, num_threads(), cpu_name()));
  int64_t batches = loader_.batches(0), steps = train_.epochs * batches;
  if (train_.max_steps) steps = std::min(steps, *train_.max_steps);
  log_->line(fmt::format("{} epochs of {} steps: {} steps", train_.epochs, batches, steps));
  if (train_.stage_two && !train_.patience && planned_second_epoch() >= train_.epochs)
    log_->line(fmt::format("warning: no second stage: it begins after epoch {}, train.epochs is {}",
                           planned_second_epoch(), train_.epochs));
}

void Training::save(bool best) {
  finish_steps();
  state_.lengths = log_->lengths();
  Checkpoint checkpoint;
  checkpoint.state = state_;
  checkpoint.settings = settings_;
  checkpoint.config = model_.config;
  checkpoint.arrays.add("parameters", model_.parameters->flat().to(Device::cpu));
  optimizer_.save(checkpoint.arrays);
  checkpoints_.save(checkpoint, best);
  profile_part("saving");
}

// On the console what counts, in the file everything.
void Training::report_profile() {
  if (!request_.profile || steps_here_ == 0) return;
  stop_profile();
  std::string table = profile_table(profile_rows(), steps_here_, 0.5);
  table.pop_back();  // the log ends the line
  log_->line(table);
  write_file_atomic(folder_.file("profile.txt"), profile_table(profile_rows(), steps_here_));
}

int Training::interrupt() {
  save(false);
  std::string why = StopSignals::asked() ? StopSignals::name()
                    : out_of_time()      ? "train.max_time"
                                         : "stop_after";
  log_->line(
      fmt::format("stopped by {}: saved at step {} of epoch {}; the same command goes on "
                  "from here",
                  why, state_.step, state_.epoch + 1));
  report_profile();
  return 75;
}

int Training::finish() {
  if (epochs_here_ == 0) {
    log_->line(
        fmt::format("already finished at step {}, epoch {}; a larger train.epochs or "
                    "train.max_steps goes on",
                    state_.step, state_.epoch));
    if (std::error_code fault; !std::filesystem::exists(folder_.file("report.html"), fault))
      write_report();
    return 0;
  }
  if (state_.stopped)
    log_->line(
        fmt::format("{} validations without a new best: stopped by train.patience", state_.bad));
  log_->line(fmt::format("done in {}: {} is of epoch {}, step {}", duration(seconds_since(start_)),
                         folder_.model(), state_.best_epoch, state_.best_step));
  report_profile();
  write_report();
  return 0;
}

// A training that has ended well does not fail for its report.
void Training::write_report() {
  if (!train_.report) return;
  std::vector<Frame> frames;
  for (Sample& sample : data_.valid) frames.push_back(std::move(sample.frame));
  try {
    write_run_report(folder_.path, std::move(frames), options_.step.device_kind());
    log_->line(concat_text("report: ", folder_.file("report.html")));
  } catch (const std::exception& error) {
    log_->line(concat_text("warning: no report: ", error.what()));
  }
}

void Training::report_epoch(EpochReport& report) {
  report.epoch = state_.epoch + 1;
  report.epochs = train_.epochs;
  report.step = state_.step;
  report.stage = state_.stage;
  report.lr = state_.lr;
  report.gradient_norm = state_.gradient_norm_sum / static_cast<double>(state_.batch);
  report.clipped = state_.clipped;
  report.seconds = seconds_since(epoch_start_);
  epoch_start_ = Clock::now();
  epoch_seconds_ += report.seconds;
  ++epochs_here_;
  int64_t left = state_.stopped || out_of_steps() ? 0 : train_.epochs - report.epoch;
  report.remaining = epoch_seconds_ / static_cast<double>(epochs_here_) * static_cast<double>(left);
  log_->line(report.console_line());
  log_->metrics(report.metrics_json());
  log_->curve(report.curve_line());
  log_->timing(report.timing_json());
  log_->event(report.event());
}

void Training::diverged(int64_t steps, const std::string& place, const std::string& what,
                        const std::vector<Sample>& samples, const AtomsBatch& batch) const {
  std::string frames;
  for (int64_t i : batch.samples) {
    const Frame& frame = samples[i].frame;
    frames += fmt::format("{}{} frame {}", frames.empty() ? "" : ", ", frame.source, frame.number);
  }
  std::string good = checkpoints_.before(steps);
  std::string advice =
      "try a lower train.optimizer.lr or train.clip, or check these frames' labels";
  if (!good.empty())
    advice = fmt::format(
        "the last good checkpoint: {}\n  try a lower train.optimizer.lr or train.clip from there "
        "(--resume {} --run-dir NEW), or check these frames' labels",
        good, good);
  fail<DivergedError>(place, ": ", what, "\n  batch: ", frames, "\n  ", advice);
}

bool Training::out_of_time() const {
  return train_.max_time && seconds_since(start_) > *train_.max_time;
}

bool Training::stop_asked() const {
  bool after = request_.stop_after >= 0 && steps_here_ >= request_.stop_after;
  return StopSignals::asked() || out_of_time() || after;
}

int64_t Training::planned_second_epoch() const {
  if (!train_.stage_two) return train_.epochs;
  double fraction = train_.stage_two->start_fraction * static_cast<double>(train_.epochs);
  return train_.stage_two->start_epoch.value_or(static_cast<int64_t>(fraction));
}

// Epoch and progress count from the beginning of the stage.
Place Training::place() const {
  bool second = state_.stage == 2;
  int64_t begin = second ? state_.second_epoch : 0;
  int64_t end = second ? train_.epochs : planned_second_epoch();
  double within =
      static_cast<double>(state_.batch) / static_cast<double>(loader_.batches(state_.epoch));
  double passed = static_cast<double>(state_.epoch - begin) + within;
  double progress = passed / static_cast<double>(std::max<int64_t>(1, end - begin));
  if (train_.max_steps)
    progress = std::max(progress,
                        static_cast<double>(state_.step) / static_cast<double>(*train_.max_steps));
  return {state_.step, state_.epoch - begin, std::min(1.0, progress)};
}

}  // namespace casimir
