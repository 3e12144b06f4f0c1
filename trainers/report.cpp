#include "trainers/report.h"

#include <cmath>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/files.h"
#include "trainers/data.h"
#include "trainers/data_summary.h"
#include "trainers/report_page.h"
#include "trainers/run_log.h"

namespace casimir {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

std::string content_of(const std::string& path) {
  std::error_code fault;
  return fs::is_regular_file(path, fault) ? read_file(path) : "";
}

// Calls f(object) for each line; one that is half written, while the training runs, is passed over.
template <class F>
void each_line(const std::string& lines, F f) {
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);)
    if (const Json object = Json::parse(line, nullptr, false); object.is_object()) f(object);
}

double number_of(const Json& object, const char* key) {
  auto at = object.find(key);
  return at != object.end() && at->is_number() ? at->get<double>()
                                               : std::numeric_limits<double>::quiet_NaN();
}

std::string text_of(const Json& object, const char* key) {
  auto at = object.find(key);
  if (at == object.end()) return "";
  return at->is_string() ? at->get<std::string>() : at->dump();
}

bool resumes(const Json& timing) {
  return timing.contains("resumed");
}

// The line of a resume names the epoch that went on.
std::vector<double> resumed_epochs(const std::string& timing) {
  std::vector<double> epochs;
  each_line(timing, [&](const Json& line) {
    if (resumes(line)) epochs.push_back(number_of(line, "epoch") - 1);
  });
  return epochs;
}

Facts training_facts(const LearningCurves& curves, const std::string& timing) {
  Facts facts;
  double seconds = 0, epochs = 0, ended = 0;
  each_line(timing, [&](const Json& line) {
    if (resumes(line)) return;
    if (const double passed = number_of(line, "seconds"); std::isfinite(passed)) seconds += passed;
    if (const double time = number_of(line, "time"); std::isfinite(time)) ended = time;
    ++epochs;
  });
  if (!curves.epoch.empty())
    facts.emplace_back("epochs", count_text(static_cast<int64_t>(curves.epoch.back())));
  if (curves.best) facts.emplace_back("best epoch", count_text(static_cast<int64_t>(*curves.best)));
  if (curves.second_stage)
    facts.emplace_back("second stage from", count_text(static_cast<int64_t>(*curves.second_stage)));
  if (!curves.resumed.empty())
    facts.emplace_back("resumed", plural(static_cast<int64_t>(curves.resumed.size()), "time"));
  if (epochs > 0) {
    facts.emplace_back("time", duration(seconds));
    facts.emplace_back("per epoch", duration(seconds / epochs));
    const auto then = static_cast<std::time_t>(ended);
    std::tm local{};
    char text[32];
    localtime_r(&then, &local);
    std::strftime(text, sizeof text, "%Y-%m-%d %H:%M", &local);
    facts.emplace_back("last epoch ended", text);
  }
  return facts;
}

void add_description(ReportData& report, const std::string& json) {
  const Json run = Json::parse(json, nullptr, false);
  if (!run.is_object()) return;
  for (const char* key : {"cpu", "threads", "device", "dtype", "seed"})
    if (std::string value = text_of(run, key); !value.empty())
      report.machine.emplace_back(key, std::move(value));
  if (std::string value = text_of(run, "version"); !value.empty())
    report.machine.emplace_back("casimir", std::move(value));
  if (!run.contains("data") || !run["data"].is_array() || run["data"].empty()) return;
  report.files = Table({{"key", "", true}, {"file", "", true}, {"frames", ""}, {"checksum", ""}});
  for (const Json& file : run["data"])
    report.files->row({text_of(file, "key"), text_of(file, "path"), text_of(file, "frames"),
                       text_of(file, "checksum")});
}

// Why the data of a run cannot be used again; "" when they can.
std::string changed_data(const Json& run) {
  if (!run.is_object() || !run.contains("data") || !run["data"].is_array())
    return "run.json does not name the files of data";
  for (const Json& file : run["data"]) {
    const std::string path = text_of(file, "path");
    std::error_code fault;
    if (!fs::exists(path, fault)) return path + " is not there";
    if (hex(checksum(read_file(path))) != text_of(file, "checksum"))
      return path + " is another file than at the training";
  }
  return "";
}

std::string name_of_run(const std::string& path) {
  const fs::path whole = fs::path(path).lexically_normal();
  const std::string name = whole.filename().string();
  return name.empty() || name == "." ? fs::absolute(whole).parent_path().filename().string() : name;
}

}  // namespace

LearningCurves learning_curves(const std::string& metrics, const std::string& timing) {
  LearningCurves curves;
  each_line(metrics, [&](const Json& line) {
    const double epoch = number_of(line, "epoch");
    if (!std::isfinite(epoch)) return;
    curves.epoch.push_back(epoch);
    curves.loss.push_back(number_of(line, "loss"));
    curves.lr.push_back(number_of(line, "lr"));
    curves.gradient_norm.push_back(number_of(line, "gradient_norm"));
    curves.valid_loss.push_back(number_of(line, "valid_loss"));
    curves.energy.push_back(number_of(line, "valid_energy_rmse_mev_per_atom"));
    curves.forces.push_back(number_of(line, "valid_forces_rmse_mev_per_a"));
    curves.stress.push_back(number_of(line, "valid_stress_rmse_mev_per_a3"));
    if (text_of(line, "best") == "true") curves.best = epoch;
    if (number_of(line, "stage") == 2 && !curves.second_stage) curves.second_stage = epoch;
  });
  curves.resumed = resumed_epochs(timing);
  return curves;
}

ReportData describe(const std::string& path, const Model& model) {
  ReportData report;
  report.title = name_of_run(path);
  const std::vector<int>& elements = model.constants.elements;
  report.subtitle = concat_text(
      model.options.kind, " ", model.options.hidden_irreps(), ", ",
      elements.size() > 12 ? concat_text(elements.size(), " elements") : symbols_of(elements), ", ",
      model.dtype(), ", ", plural(model.parameters->size(), "parameter"));
  report.model = model_facts(model);
  report.energies = energies_table(model);
  report.parameters = parameters_table(*model.parameters);
  report.config = model.config;
  std::error_code fault;
  if (!fs::is_directory(path, fault)) return report;
  const std::string timing = content_of(path + "/timing.jsonl");
  report.curves = learning_curves(content_of(path + "/metrics.jsonl"), timing);
  report.training = training_facts(report.curves, timing);
  add_description(report, content_of(path + "/run.json"));
  if (std::string resolved = content_of(path + "/resolved.yaml"); !resolved.empty())
    report.config = std::move(resolved);
  return report;
}

void add_errors(ReportData& report, const Model& model, std::vector<Frame>& frames,
                const std::string& source) {
  std::map<int, double> e0s;
  for (size_t i = 0; i < model.constants.elements.size(); ++i)
    e0s[model.constants.elements[i]] = model.constants.atomic_energies[i];
  FrameErrors evaluation = evaluate_frames(model, frames);
  report.errors = report_errors(frames, std::move(evaluation), e0s, source);
  report.data = data_summary(source, frames);
}

std::vector<Frame> validation_of_run(const std::string& folder, std::string& lacking) {
  const std::string json = content_of(folder + "/run.json");
  const std::string resolved = folder + "/resolved.yaml";
  std::error_code fault;
  if (json.empty() || !fs::exists(resolved, fault)) {
    lacking = "the folder has no run.json and resolved.yaml, which name the data";
    return {};
  }
  lacking = changed_data(Json::parse(json, nullptr, false));
  if (!lacking.empty()) return {};
  std::vector<Frame> frames = validation_frames(read_options(Config::load(resolved)));
  if (frames.empty()) lacking = "the training had no validation set";
  return frames;
}

void write_run_report(const std::string& folder, std::vector<Frame> validation, Device device) {
  const Model model = load_model(folder + "/model.safetensors", std::nullopt, device);
  ReportData report = describe(folder, model);
  report.lacking = "the training had no validation set";
  if (!validation.empty()) add_errors(report, model, validation, "validation set");
  write_file_atomic(folder + "/report.html", report_page(report));
}

}  // namespace casimir
