// What commands that read models and data and write files ask of their arguments.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/dtype.h"
#include "datasets/extxyz.h"
#include "trainers/model_file.h"

namespace casimir {

// Whether a file starts as safetensors do, with the length of a header and '{'; a cut or missing
// one is known by its name.
bool is_safetensors(const std::string& path);
// The model file that `path` names: itself, or model.safetensors of a run's folder.
std::string model_file_of(const std::string& path);

// A file can be written there, and it is none of the inputs: found out before the work, not after.
// `option` names it in the message, as "evaluate: --json".
void check_output(const std::string& path, const std::string& option,
                  const std::vector<std::string>& inputs);

// DeviceError when `device` is cuda and there is none; `command` begins the message.
void check_device(const std::string& device, const std::string& command);

// "float32", "float64"; "": none.
std::optional<DType> type_of(const std::string& name);

// DataError that names model, frame and element if the model lacks one.
void check_elements(const Model& model, const std::string& path, const std::vector<Frame>& frames);

// The frames of all files, those of `index` in each.
std::vector<Frame> read_all(const std::vector<std::string>& files, const ExtxyzKeys& keys,
                            const std::string& index, const std::string& command);

}  // namespace casimir
