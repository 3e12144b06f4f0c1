#include "trainers/evaluate.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <span>

#include "datasets/extxyz.h"
#include "datasets/loader.h"
#include "trainers/step.h"

namespace casimir {

namespace {

void add_label(FrameErrors& result, const Frame& frame, const FramePrediction& prediction) {
  result.errors.add(frame, prediction);
  result.by_file[frame.source].add(frame, prediction);
  ErrorSum& size = result.label_forces[frame.config_type];
  for (const Vec3& force : frame.forces)
    for (double component : force) size.add(component);
  result.without_energy += !frame.energy;
  result.without_forces += frame.forces.empty();
  if (!is_bulk(frame)) return;
  ++result.periodic;
  result.without_stress += !frame.stress;
}

// "-" where no frame has the label.
std::string cell(const ErrorSum& sum, double value) {
  return sum.count == 0 ? "-" : number_text(1000 * value);
}

std::vector<std::string> row_of(const std::string& name, const Errors& errors,
                                const ErrorSum& label_forces) {
  return {name,
          count_text(errors.frames),
          cell(errors.energy, errors.energy.rmse()),
          cell(errors.energy, errors.energy.mae()),
          cell(errors.energy_per_atom, errors.energy_per_atom.rmse()),
          cell(errors.energy_per_atom, errors.energy_per_atom.mae()),
          cell(errors.forces, errors.forces.rmse()),
          cell(errors.forces, errors.forces.mae()),
          relative_text(errors.forces, label_forces),
          cell(errors.stress, errors.stress.rmse())};
}

std::string lack_line(int64_t lacking, int64_t of, const char* what, const char* noun) {
  if (lacking == 0 || of == 0) return "";
  return "No " + std::string(what) + " in " + count_text(lacking) + " of " + plural(of, noun) +
         ".\n";
}

}  // namespace

bool is_bulk(const Frame& frame) {
  return frame.pbc[0] && frame.pbc[1] && frame.pbc[2];
}

namespace {

// Predictions of the samples, in their order.
std::vector<FramePrediction> predict_samples(const Model& model, std::span<const Sample> samples,
                                             const EvaluateOptions& options) {
  BatchOptions batching;
  batching.shuffle = false;
  if (options.batch_size > 0)
    batching.batch_size = options.batch_size;
  else
    batching.max_edges = options.max_edges;
  Loader loader(samples, batching);
  std::vector<FramePrediction> results(samples.size());
  for (int64_t b = loader.batches(0); b > 0; --b) {
    AtomsBatch batch = loader.next();
    bool stress = std::any_of(batch.samples.begin(), batch.samples.end(),
                              [&](int64_t i) { return is_bulk(samples[i].frame); });
    auto predictions = predict_batch(model, batch, {.forces = true, .stress = stress});
    for (size_t k = 0; k < predictions.size(); ++k) {
      int64_t i = batch.samples[k];
      if (!is_bulk(samples[i].frame)) predictions[k].stress.reset();
      results[i] = std::move(predictions[k]);
    }
  }
  return results;
}

}  // namespace

FrameErrors evaluate_frames(const Model& model, std::vector<Frame>& frames,
                            const EvaluateOptions& options) {
  constexpr size_t chunk = 2048;  // frames whose neighbour lists are in memory
  std::vector<FramePrediction> predictions;
  auto start = std::chrono::steady_clock::now();
  for (size_t begin = 0; begin < frames.size(); begin += chunk) {
    const size_t end = std::min(begin + chunk, frames.size());
    // The samples borrow the frames and give them back.
    std::vector<Frame> borrowed(std::make_move_iterator(frames.begin() + begin),
                                std::make_move_iterator(frames.begin() + end));
    std::vector<Sample> samples =
        prepare_samples(std::move(borrowed), model.potential->elements(), model.potential->r_max());
    std::ranges::move(predict_samples(model, samples, options), std::back_inserter(predictions));
    for (size_t i = begin; i < end; ++i) frames[i] = std::move(samples[i - begin].frame);
  }
  std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  FrameErrors result = compare_frames(frames, std::move(predictions));
  result.seconds = passed.count();
  return result;
}

FrameErrors compare_frames(const std::vector<Frame>& frames,
                           std::vector<FramePrediction> predictions) {
  FrameErrors result;
  for (size_t i = 0; i < frames.size(); ++i) add_label(result, frames[i], predictions.at(i));
  result.predictions = std::move(predictions);
  return result;
}

Table errors_table(const char* first) {
  return Table({{first, "", true},
                {"frames", ""},
                {"E RMSE", "meV"},
                {"E MAE", "meV"},
                {"E RMSE", "meV/atom"},
                {"E MAE", "meV/atom"},
                {"F RMSE", "meV/A"},
                {"F MAE", "meV/A"},
                {"F RMSE", "%"},
                {"S RMSE", "meV/A^3"}});
}

std::string relative_text(const ErrorSum& errors, const ErrorSum& labels) {
  return labels.rmse() > 0 ? number_text(100 * errors.rmse() / labels.rmse()) : "-";
}

ErrorSum all_label_forces(const FrameErrors& evaluation) {
  ErrorSum all;
  for (const auto& [type, sum] : evaluation.label_forces) all.add(sum);
  return all;
}

std::vector<std::string> errors_row(const std::string& name, const FrameErrors& evaluation) {
  return row_of(name, evaluation.errors.total, all_label_forces(evaluation));
}

Table errors_by_type(const FrameErrors& evaluation, bool by_file) {
  Table table = errors_table("config_type");
  const auto& types = evaluation.errors.by_config_type;
  for (const auto& [name, errors] : types)
    table.row(row_of(name, errors, evaluation.label_forces.at(name)));
  if (by_file) {
    table.rule();
    for (const auto& [name, errors] : evaluation.by_file) table.row(row_of(name, errors.total, {}));
  }
  if (types.size() > 1 || by_file) {
    table.rule();
    table.row(errors_row("all", evaluation));
  }
  return table;
}

std::string lacking_text(const FrameErrors& evaluation) {
  int64_t frames = evaluation.errors.total.frames;
  return lack_line(evaluation.without_energy, frames, "energy", "frame") +
         lack_line(evaluation.without_forces, frames, "forces", "frame") +
         lack_line(evaluation.without_stress, evaluation.periodic, "stress", "periodic frame");
}

std::string errors_text(const FrameErrors& evaluation, bool by_file) {
  return errors_by_type(evaluation, by_file).text() + lacking_text(evaluation);
}

Frame with_prediction(const Frame& frame, const FramePrediction& prediction) {
  Frame out = frame;
  std::erase_if(out.info, [](const auto& pair) {
    return pair.first == "casimir_energy" || pair.first == "casimir_energy_std" ||
           pair.first == "casimir_stress";
  });
  std::erase_if(out.columns, [](const auto& column) {
    return column.name == "casimir_forces" || column.name == "casimir_forces_std";
  });
  out.info.emplace_back("casimir_energy", extxyz_value(std::vector<double>{prediction.energy}));
  if (prediction.energy_std)
    out.info.emplace_back("casimir_energy_std", extxyz_value({&*prediction.energy_std, 1}));
  if (prediction.stress) {
    out.info.emplace_back("casimir_stress", extxyz_value(*prediction.stress));
  }
  out.columns.push_back(extxyz_column("casimir_forces", prediction.forces));
  if (prediction.energy_std) {
    Frame::Column& deviations = out.columns.emplace_back();
    deviations.name = "casimir_forces_std";
    for (double x : prediction.forces_std) deviations.text.push_back(extxyz_value({&x, 1}));
  }
  return out;
}

}  // namespace casimir
