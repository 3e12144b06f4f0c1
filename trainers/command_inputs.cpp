#include "trainers/command_inputs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "core/device.h"
#include "core/error.h"

namespace casimir {

namespace fs = std::filesystem;

void check_output(const std::string& path, const std::string& option,
                  const std::vector<std::string>& inputs) {
  if (path.empty()) return;
  fs::path folder = fs::path(path).parent_path();
  std::error_code fault;
  check<IoError>(folder.empty() || fs::is_directory(folder, fault), path,
                 ": cannot write there: no folder ", folder.string());
  check<IoError>(!fs::is_directory(path, fault), path, ": cannot write there: it is a folder");
  for (const std::string& input : inputs)
    check<UsageError>(!fs::equivalent(path, input, fault) || fault, option, " ", path,
                      " would replace an input");
}

void check_device(const std::string& device, const std::string& command) {
  if (device != "cuda") return;
  check<DeviceError>(cuda_built, command,
                     ": --device cuda: this program was built without it (CASIMIR_CUDA=OFF)");
  check<DeviceError>(cuda_available(), command, ": --device cuda: no GPU was found");
}

std::optional<DType> type_of(const std::string& name) {
  if (name.empty()) return std::nullopt;
  return name == "float64" ? DType::f64 : DType::f32;
}

void check_elements(const Model& model, const std::string& path, const std::vector<Frame>& frames) {
  const std::vector<int>& known = model.potential->elements();
  for (const Frame& frame : frames)
    for (int number : frame.numbers)
      check<DataError>(std::binary_search(known.begin(), known.end(), number), path, ": ",
                       frame.where(), " has ", symbol_of(number), "; the model knows ",
                       symbols_of(known));
}

std::vector<Frame> read_all(const std::vector<std::string>& files, const ExtxyzKeys& keys,
                            const std::string& index, const std::string& command) {
  std::vector<Frame> frames;
  for (const std::string& file : files) {
    try {
      auto more = read_extxyz(file, keys, index);
      std::move(more.begin(), more.end(), std::back_inserter(frames));
    } catch (const ConfigError& error) {  // the slice
      fail<UsageError>(command, ": --index: ", error.what());
    }
  }
  return frames;
}

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

}  // namespace casimir
