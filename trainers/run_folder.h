// The folder of a run: what is in it before the first step, and where a training goes on.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainers/checkpoint.h"
#include "trainers/trainer.h"

namespace casimir {

// Names of the files of a run.
struct RunFolder {
  std::string path;

  std::string model() const { return path + "/model.safetensors"; }
  std::string checkpoints() const { return path + "/checkpoints"; }
  std::string file(const char* name) const { return path + "/" + name; }

  // Makes the folder. A folder that holds a model or checkpoints of anything but a run (no
  // run.json) is a UsageError.
  void create() const;
  // Removes half-written files that an interrupted process left.
  void clean() const;
  // Removes the model, checkpoints and logs of a former run.
  void clear() const;
};

// Where the training goes on, as `resume` says (auto, never or a path); nullopt: at the start. A
// checkpoint made with other deciding settings is a ConfigError that names them. Sentences for the
// log are added to `notes`.
std::optional<Checkpoint> find_resume(const RunFolder& folder, const CheckpointFolder& checkpoints,
                                      const std::string& resume, const Settings& settings,
                                      std::vector<std::string>& notes);

// config.yaml, resolved.yaml and run.json.
void write_description(const RunFolder& folder, const RunRequest& request,
                       const std::string& resolved, const Data& data, int64_t parameters);

std::string cpu_name();  // "" when unknown

}  // namespace casimir
