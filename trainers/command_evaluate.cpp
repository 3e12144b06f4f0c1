#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>

#include "core/device.h"
#include "core/error.h"
#include "core/files.h"
#include "core/parallel.h"
#include "datasets/extxyz.h"
#include "trainers/commands.h"
#include "trainers/committee.h"
#include "trainers/evaluate.h"
#include "trainers/table.h"

namespace casimir {

namespace {

namespace fs = std::filesystem;

// Found out before the work, not after it.
void check_output(const std::string& path, const char* option,
                  const std::vector<std::string>& inputs) {
  if (path.empty()) return;
  fs::path folder = fs::path(path).parent_path();
  std::error_code fault;
  check<IoError>(folder.empty() || fs::is_directory(folder, fault), path,
                 ": cannot write there: no folder ", folder.string());
  check<IoError>(!fs::is_directory(path, fault), path, ": cannot write there: it is a folder");
  for (const std::string& input : inputs)
    check<UsageError>(!fs::equivalent(path, input, fault) || fault, "evaluate: ", option, " ", path,
                      " would replace an input");
}

std::optional<DType> type_of(const std::string& name) {
  if (name.empty()) return std::nullopt;
  return name == "float64" ? DType::f64 : DType::f32;
}

void check_device(const std::string& device) {
  if (device != "cuda") return;
  check<DeviceError>(cuda_built,
                     "evaluate: --device cuda: this program was built without it "
                     "(CASIMIR_CUDA=OFF)");
  check<DeviceError>(cuda_available(), "evaluate: --device cuda: no GPU was found");
}

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

void check_elements(const Model& model, const std::string& path, const std::vector<Frame>& frames) {
  const std::vector<int>& known = model.potential->elements();
  for (const Frame& frame : frames)
    for (int number : frame.numbers)
      check<DataError>(std::binary_search(known.begin(), known.end(), number), path, ": ",
                       frame.where(), " has ", symbol_of(number), "; the model knows ",
                       symbols_of(known));
}

std::vector<Frame> read_all(const EvaluateCommand& command, const std::vector<std::string>& data) {
  std::vector<Frame> frames;
  for (const std::string& file : data) {
    try {
      auto more = read_extxyz(file, command.keys, command.index);
      std::move(more.begin(), more.end(), std::back_inserter(frames));
    } catch (const ConfigError& error) {  // the slice
      fail<UsageError>("evaluate: --index: ", error.what());
    }
  }
  return frames;
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
  frames = read_all(command, inputs.data);
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

bool is_safetensors(const std::string& path) {
  std::error_code fault;
  char start[9] = {1, 1, 1, 1, 1, 1, 1, 1, 0};
  if (fs::is_regular_file(path, fault))  // reading a pipe would take from it
    std::ifstream(path, std::ios::binary).read(start, sizeof start);
  const std::string extension = fs::path(path).extension().string();
  return (start[7] == 0 && start[8] == '{') || extension == ".safetensors" || extension == ".ckpt";
}

std::string model_file_of(const std::string& path) {
  std::error_code fault;
  if (!fs::is_directory(path, fault)) return path;
  std::string file = (fs::path(path) / "model.safetensors").string();
  check<MissingError>(fs::exists(file, fault), path, ": this folder has no model.safetensors");
  return file;
}

int evaluate_command(const EvaluateCommand& command, const Console& console) {
  const Inputs inputs = inputs_of(command);
  for (const auto& paths : {inputs.data, inputs.models}) {
    check_output(command.json, "--json", paths);
    check_output(command.predictions, "--predictions", paths);
  }
  check_device(command.device);
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
