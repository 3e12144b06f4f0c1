#include "trainers/run_folder.h"

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/parallel.h"
#include "core/tensorboard.h"

namespace casimir {

namespace fs = std::filesystem;

namespace {

bool exists(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

}  // namespace

void RunFolder::create() const {
  bool ours = exists(file("run.json"));
  for (const std::string& other : {model(), checkpoints()})
    check<UsageError>(ours || !exists(other), other, " is there, but no run.json: '", path,
                      "' is not the folder of a training; give another --run-dir");
  make_folder(path);
}

void RunFolder::clean() const {
  for (const std::string& entry : paths_in(path))
    for (const char* own : {"model.safetensors", "config.yaml", "resolved.yaml", "run.json",
                            "profile.txt", "report.html"})
      if (entry.starts_with(file(own) + ".tmp")) remove_file(entry);
}

void RunFolder::clear() const {
  remove_file(model());
  CheckpointFolder(checkpoints(), 1).remove();
  for (const char* name : {"metrics.jsonl", "lcurve.csv", "timing.jsonl", event_file_name,
                           "train.log", "profile.txt", "report.html"})
    remove_file(file(name));
}

std::optional<Checkpoint> find_resume(const RunFolder& folder, const CheckpointFolder& checkpoints,
                                      const std::string& resume, const Settings& settings,
                                      std::vector<std::string>& notes) {
  if (resume == "never") return std::nullopt;
  std::optional<Checkpoint> found;
  if (resume == "auto")
    found = checkpoints.newest(notes);
  else
    found = read_checkpoint(resume);
  if (!found) {
    // A training saves before its first model, so somebody took the checkpoints away.
    check<UsageError>(!exists(folder.model()), folder.path,
                      ": holds model.safetensors but no checkpoint to go on from; give another "
                      "--run-dir, or --resume never to start over");
    return found;
  }
  Settings here = settings;
  if (resume != "auto")  // asked for by name: smaller steps may go on after a divergence
    for (const char* key : {"train.optimizer.lr", "train.clip"})
      if (std::string& before = found->settings[key]; before != here[key]) {
        notes.push_back(concat_text(key, " is ", here[key], " from here on, ", before, " before"));
        here[key] = before;
      }
  std::string differ = differences(here, found->settings);
  check<ConfigError>(differ.empty(), found->path, ": made with other settings: ", differ,
                     "; give another --run-dir, or --resume never to start over in '", folder.path,
                     "'");
  return found;
}

void write_description(const RunFolder& folder, const RunRequest& request,
                       const std::string& resolved, const Data& data, int64_t parameters) {
  using Json = nlohmann::ordered_json;
  Json files = Json::array();
  for (const DataFile& file : data.files)
    files.push_back({{"key", file.key},
                     {"path", file.path},
                     {"frames", file.frames},
                     {"checksum", file.checksum}});
  Json run{{"format", "casimir-run"},
           {"version", version},
           {"cpu", cpu_name()},
           {"threads", num_threads()},
           {"device", request.options.step.device},
           {"dtype", request.options.model.dtype},
           {"seed", request.options.seed},
           {"parameters", parameters},
           {"data", files}};
  // run.json first: it marks the folder as a run's.
  write_file_atomic(folder.file("run.json"),
                    run.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
  write_file_atomic(folder.file("config.yaml"), request.config_text);
  write_file_atomic(folder.file("resolved.yaml"), resolved);
}

std::string cpu_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name"))
      if (size_t colon = line.find(": "); colon != std::string::npos) return line.substr(colon + 2);
  return "";
}

}  // namespace casimir
