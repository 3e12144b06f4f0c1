#include "trainers/checkpoint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/files.h"

namespace casimir {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr const char* format = "casimir-checkpoint";
constexpr const char* format_version = "1";

// Infinity, which JSON lacks, as null.
Json number(double value) {
  return std::isfinite(value) ? Json(value) : Json(nullptr);
}
double number(const Json& json) {
  return json.is_null() ? std::numeric_limits<double>::infinity() : json.get<double>();
}

// A count: JSON's own conversion would cut off a fraction, and has no answer to 1e24.
int64_t whole(const Json& json, const std::string& key) {
  const Json& value = json.at(key);
  check<DataError>(value.is_number_integer() &&
                       (!value.is_number_unsigned() ||
                        value.get<uint64_t>() <= uint64_t(std::numeric_limits<int64_t>::max())),
                   "'", key, "' is ", value.dump(), ", not a whole number");
  return value.get<int64_t>();
}

// Shows an options struct and writes down its values as text by dotted key.
class SettingsWriter : public Fields {
 public:
  explicit SettingsWriter(Settings& settings) : settings_(settings) {}

 protected:
  void field(const char* key, FieldValue value, const char*, const Rule&) override {
    settings_[prefix_ + key] = std::visit([](auto* v) { return text(*v); }, value);
  }
  void enter(const char* key, const char*) override {
    lengths_.push_back(prefix_.size());
    prefix_ += std::string(key) + ".";
  }
  bool enter_optional(const char* key, const char* meaning, bool present) override {
    settings_[prefix_ + key] = present ? "on" : "off";
    if (present) enter(key, meaning);
    return present;
  }
  void leave() override {
    prefix_.resize(lengths_.back());
    lengths_.pop_back();
  }

 private:
  template <class T>
  static std::string text(const T& value) {
    return Json(value).dump();
  }
  template <class T>
  static std::string text(const std::optional<T>& value) {
    return value ? text(*value) : "null";
  }

  Settings& settings_;
  std::string prefix_;
  std::vector<size_t> lengths_;
};

Json to_json(const Schedule::State& state) {
  return {{"best", number(state.best)}, {"factor", state.factor}, {"bad", state.bad}};
}

}  // namespace

std::string TrainState::json() const {
  Json json{{"step", step},
            {"epoch", epoch},
            {"batch", batch},
            {"stage", stage},
            {"second_epoch", second_epoch},
            {"lr", lr},
            {"best", number(best)},
            {"best_epoch", best_epoch},
            {"best_step", best_step},
            {"bad", bad},
            {"stopped", stopped},
            {"schedule", to_json(schedule)},
            {"loss_sum", loss_sum},
            {"gradient_norm_sum", gradient_norm_sum},
            {"graphs", graphs},
            {"clipped", clipped},
            {"lengths", lengths}};
  return json.dump();
}

TrainState TrainState::parse(const std::string& text, const std::string& source) {
  try {
    Json json = Json::parse(text);
    TrainState state;
    state.step = whole(json, "step");
    state.epoch = whole(json, "epoch");
    state.batch = whole(json, "batch");
    const int64_t stage = whole(json, "stage");
    check<DataError>(stage == 1 || stage == 2, "'stage' is ", stage, ", not 1 or 2");
    state.stage = static_cast<int>(stage);
    state.second_epoch = whole(json, "second_epoch");
    state.lr = json.at("lr");
    state.best = number(json.at("best"));
    state.best_epoch = whole(json, "best_epoch");
    state.best_step = whole(json, "best_step");
    state.bad = whole(json, "bad");
    state.stopped = json.at("stopped");
    const Json& schedule = json.at("schedule");
    state.schedule = {number(schedule.at("best")), schedule.at("factor"), whole(schedule, "bad")};
    state.loss_sum = json.at("loss_sum");
    state.gradient_norm_sum = json.at("gradient_norm_sum");
    state.graphs = whole(json, "graphs");
    state.clipped = whole(json, "clipped");
    const Json& lengths = json.at("lengths");
    for (const auto& item : lengths.items()) state.lengths[item.key()] = whole(lengths, item.key());
    return state;
  } catch (const Json::exception& error) {
    fail<DataError>(source, ": its state: ", error.what());
  } catch (const DataError& error) {
    fail<DataError>(source, ": its state: ", error.what());
  }
}

Settings settings_of(RunOptions options, const std::vector<DataFile>& files) {
  Settings settings;
  SettingsWriter writer(settings);
  options.fields(writer);
  std::map<std::string, int> count;
  for (const DataFile& file : files) {
    int number = ++count[file.key];
    settings["checksum of " + file.key + (number > 1 ? " " + std::to_string(number) : "")] =
        file.checksum;
  }
  return settings;
}

bool decides_numbers(const std::string& key) {
  static const std::vector<std::string> free{
      "data.train",     "data.valid",      "data.isolated_atoms",     "data.source",
      "train.epochs",   "train.max_steps", "train.save_every_epochs", "train.save_every_steps",
      "train.max_time", "train.keep",      "train.patience",          "train.report",
      "step.threads",   "step.graph"};
  return std::find(free.begin(), free.end(), key) == free.end();
}

std::string differences(const Settings& here, const Settings& there) {
  std::string text;
  auto value = [](const Settings& settings, const std::string& key, const std::string& otherwise) {
    auto at = settings.find(key);
    return at == settings.end() ? otherwise : at->second;
  };
  const Settings defaults = settings_of(RunOptions{}, {});
  Settings all = here;
  all.insert(there.begin(), there.end());
  for (const auto& [key, ignored] : all) {
    const std::string a = value(here, key, "absent");
    const std::string b = value(there, key, value(defaults, key, "absent"));
    if (a == b || !decides_numbers(key)) continue;
    text += (text.empty() ? "" : "; ") + key + " is " + a + " here, " + b + " there";
  }
  return text;
}

Checkpoint read_checkpoint(const std::string& path) {
  Checkpoint checkpoint;
  checkpoint.path = path;
  checkpoint.arrays = read_safetensors(path);
  auto text = [&](const char* key) -> const std::string& {
    auto at = checkpoint.arrays.metadata.find(key);
    check<DataError>(at != checkpoint.arrays.metadata.end(), path, ": no '", key,
                     "' in its metadata: not a checkpoint of casimir");
    return at->second;
  };
  check<DataError>(text("format") == format, path, ": expected format '", format, "', found '",
                   text("format"), "'");
  check<DataError>(text("version") == format_version, path, ": expected version ", format_version,
                   " of the checkpoint format, found '", text("version"), "'");
  check<DataError>(checkpoint.arrays.verified, path, ": damaged: its checksum is missing");
  checkpoint.config = text("config");
  checkpoint.state = TrainState::parse(text("state"), path);
  try {
    checkpoint.settings = Json::parse(text("settings")).get<Settings>();
  } catch (const Json::exception& error) {
    fail<DataError>(path, ": its settings: ", error.what());
  }
  return checkpoint;
}

namespace {

// A further name for a file: a link to the same bytes, or a copy where links do not exist.
void publish_as(const std::string& path, const std::string& name) {
  std::string temporary = name + ".tmp";
  std::error_code error, ignored;
  remove_file(temporary);
  fs::create_hard_link(path, temporary, error);
  if (error) return write_file_atomic(name, read_file(path));
  fs::rename(temporary, name, error);
  fs::remove(temporary, ignored);  // still there when both were links to the same file
  check<IoError>(!error, name, ": cannot be made from ", path, ": ", error.message());
}

std::string numbered(const std::string& folder, int64_t step) {
  std::string digits = std::to_string(step);
  digits.insert(0, digits.size() < 9 ? 9 - digits.size() : 0, '0');
  return folder + "/step-" + digits + ".ckpt";
}

}  // namespace

void CheckpointFolder::save(const Checkpoint& checkpoint, bool best) const {
  make_folder(folder_);
  Safetensors file = checkpoint.arrays;
  file.metadata = {{"format", format},
                   {"version", format_version},
                   {"config", checkpoint.config},
                   {"state", checkpoint.state.json()},
                   {"settings", Json(checkpoint.settings).dump()}};
  std::string path = numbered(folder_, checkpoint.state.step);
  write_safetensors(path, file);
  name(path, best);
  std::vector<std::string> all = list();
  for (size_t i = static_cast<size_t>(keep_); i < all.size(); ++i) remove_file(all[i]);
}

void CheckpointFolder::name(const std::string& path, bool best) const {
  publish_as(path, folder_ + "/last.ckpt");
  if (best) publish_as(path, folder_ + "/best.ckpt");
}

std::vector<std::string> CheckpointFolder::list() const {
  std::vector<std::string> paths;
  for (const std::string& path : paths_in(folder_))
    if (path.starts_with(folder_ + "/step-") && path.ends_with(".ckpt")) paths.push_back(path);
  auto longer_is_newer = [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() > b.size() : a > b;
  };
  std::sort(paths.begin(), paths.end(), longer_is_newer);
  return paths;
}

std::string CheckpointFolder::before(int64_t step) const {
  std::vector<std::string> paths = list();
  if (paths.size() > 1 && paths[0] == numbered(folder_, step)) return paths[1];
  return paths.empty() ? "" : paths[0];
}

std::optional<Checkpoint> CheckpointFolder::newest(std::vector<std::string>& notes) const {
  std::vector<std::string> paths = list(), damaged;
  std::string reasons;
  for (const std::string& path : paths) {
    try {
      Checkpoint checkpoint = read_checkpoint(path);
      std::error_code ignored;  // then it is reported again
      for (const std::string& bad : damaged) fs::rename(bad, bad + ".damaged", ignored);
      return checkpoint;
    } catch (const DataError& error) {
      notes.push_back(std::string("damaged checkpoint: ") + error.what());
      reasons += "\n  " + std::string(error.what());
      damaged.push_back(path);
    }
  }
  check<DataError>(paths.empty(), folder_, ": no checkpoint is whole:", reasons,
                   "\n  --resume never starts the training over");
  return std::nullopt;
}

void CheckpointFolder::clean() const {
  for (const std::string& path : paths_in(folder_))
    if (path.find(".tmp", folder_.size()) != std::string::npos) remove_file(path);
}

void CheckpointFolder::remove() const {
  for (const std::string& path : paths_in(folder_))
    if (path.find(".ckpt", folder_.size()) != std::string::npos) remove_file(path);
}

}  // namespace casimir
