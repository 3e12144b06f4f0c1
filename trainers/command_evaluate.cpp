#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "core/parallel.h"
#include "datasets/extxyz.h"
#include "trainers/command_inputs.h"
#include "trainers/commands.h"
#include "trainers/committee.h"
#include "trainers/evaluate.h"
#include "trainers/table.h"

namespace casimir {

namespace {

namespace fs = std::filesystem;

struct Inputs {
  std::vector<std::string> models, data;
};

// The models are those arguments before the data that are folders or model files.
Inputs inputs_of(const EvaluateCommand& command) {
  Inputs inputs{{model_file_of(command.model)}, {}};
  for (const std::string& path : command.data) {
    std::error_code fault;
    if (!fs::is_directory(path, fault) && !is_safetensors(path)) {
      inputs.data.push_back(path);
      continue;
    }
    if (!inputs.data.empty())
      fail<UsageError>("evaluate: models come before data: '", path, "' is a model, after '",
                       inputs.data.back(), "'");
    inputs.models.push_back(model_file_of(path));
  }
  check<UsageError>(!inputs.data.empty(), "evaluate: DATA is missing; see casimir help evaluate");
  return inputs;
}

struct Report {
  std::string text, json;
  FrameErrors errors;  // of the only model, or of the committee's mean
};

Report evaluate(const EvaluateCommand& command, const Inputs& inputs, std::vector<Frame>& frames) {
  std::vector<Model> models;
  std::vector<std::string> titles;
  for (const std::string& path : inputs.models) {
    const Model& model = models.emplace_back(load_model(
        path, type_of(command.dtype), StepOptions{.device = command.device}.device_kind()));
    titles.push_back(
        concat_text(path, " (", model.dtype(), ", ", symbols_of(model.potential->elements()), ")"));
  }
  frames = read_all(inputs.data, command.keys, command.index, "evaluate");
  const bool by_file = inputs.data.size() > 1;
  const EvaluateOptions options{.batch_size = command.batch_size};
  if (models.size() == 1) {
    FrameErrors errors = evaluate_frames(models[0], frames, options);
    return {titles[0] + "\n" + errors_text(errors, by_file), errors.errors.json(errors.seconds),
            std::move(errors)};
  }
  for (size_t i = 0; i < models.size(); ++i) check_elements(models[i], inputs.models[i], frames);
  std::vector<FrameErrors> results;
  for (const Model& model : models) results.push_back(evaluate_frames(model, frames, options));
  CommitteeErrors errors = compare_committee(std::move(results), frames);
  return {committee_text(errors, titles, by_file), committee_json(errors, inputs.models),
          std::move(errors.mean)};
}

}  // namespace

int evaluate_command(const EvaluateCommand& command, const Console& console) {
  const Inputs inputs = inputs_of(command);
  for (const auto& paths : {inputs.data, inputs.models}) {
    check_output(command.json, "evaluate: --json", paths);
    check_output(command.predictions, "evaluate: --predictions", paths);
  }
  check_device(command.device, "evaluate");
  set_num_threads(static_cast<int>(command.threads));

  std::vector<Frame> frames;
  const Report report = evaluate(command, inputs, frames);
  int64_t atoms = 0;
  for (const Frame& frame : frames) atoms += static_cast<int64_t>(frame.size());
  console.out << report.text << plural(static_cast<int64_t>(frames.size()), "frame") << ", "
              << plural(atoms, "atom") << " in " << number_text(report.errors.seconds, 3) << " s\n";
  if (!command.json.empty()) {
    write_file_atomic(command.json, report.json + "\n");
    console.out << "errors: " << command.json << "\n";
  }
  if (!command.predictions.empty()) {
    for (size_t i = 0; i < frames.size(); ++i)
      frames[i] = with_prediction(frames[i], report.errors.predictions[i]);
    write_extxyz(command.predictions, frames, command.keys);
    console.out << "predictions: " << command.predictions << "\n";
  }
  return 0;
}

}  // namespace casimir
