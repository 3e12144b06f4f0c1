#include <filesystem>
#include <set>

#include "core/device.h"
#include "core/error.h"
#include "core/files.h"
#include "core/parallel.h"
#include "datasets/extxyz.h"
#include "trainers/commands.h"
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

std::vector<Frame> read_all(const EvaluateCommand& command) {
  std::vector<Frame> frames;
  for (const std::string& file : command.data) {
    try {
      auto more = read_extxyz(file, command.keys, command.index);
      std::move(more.begin(), more.end(), std::back_inserter(frames));
    } catch (const ConfigError& error) {  // the slice
      fail<UsageError>("evaluate: --index: ", error.what());
    }
  }
  return frames;
}

}  // namespace

std::string model_file_of(const std::string& path) {
  std::error_code fault;
  if (!fs::is_directory(path, fault)) return path;
  std::string file = (fs::path(path) / "model.safetensors").string();
  check<MissingError>(fs::exists(file, fault), path, ": this folder has no model.safetensors");
  return file;
}

int evaluate_command(const EvaluateCommand& command, const Console& console) {
  std::vector<std::string> inputs = command.data;
  const std::string path = model_file_of(command.model);
  inputs.push_back(path);
  check_output(command.json, "--json", inputs);
  check_output(command.predictions, "--predictions", inputs);
  check_device(command.device);
  set_num_threads(static_cast<int>(command.threads));

  Model model =
      load_model(path, type_of(command.dtype), StepOptions{.device = command.device}.device_kind());
  std::vector<Frame> frames = read_all(command);
  FrameErrors result = evaluate_frames(model, frames, {.batch_size = command.batch_size});

  int64_t atoms = 0;
  for (const Frame& frame : frames) atoms += static_cast<int64_t>(frame.size());
  console.out << path << " (" << model.dtype() << ", " << symbols_of(model.potential->elements())
              << ")\n"
              << errors_text(result, command.data.size() > 1)
              << plural(static_cast<int64_t>(frames.size()), "frame") << ", "
              << plural(atoms, "atom") << " in " << number_text(result.seconds, 3) << " s\n";
  if (!command.json.empty()) {
    write_file_atomic(command.json, result.errors.json(result.seconds) + "\n");
    console.out << "errors: " << command.json << "\n";
  }
  if (!command.predictions.empty()) {
    for (size_t i = 0; i < frames.size(); ++i)
      frames[i] = with_prediction(frames[i], result.predictions[i]);
    write_extxyz(command.predictions, frames, command.keys);
    console.out << "predictions: " << command.predictions << "\n";
  }
  return 0;
}

}  // namespace casimir
