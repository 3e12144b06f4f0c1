#include <algorithm>
#include <filesystem>
#include <map>

#include "core/config.h"
#include "core/error.h"
#include "core/files.h"
#include "trainers/checkpoint.h"
#include "trainers/commands.h"
#include "trainers/data_summary.h"
#include "trainers/model_file.h"
#include "trainers/table.h"

namespace casimir {

namespace {

namespace fs = std::filesystem;

// "interactions.0.linear.weight_0e" -> "interactions.0"
std::string block_of(const std::string& name) {
  size_t dot = name.find('.');
  if (dot == std::string::npos) return name;
  size_t next = name.find('.', dot + 1);
  bool numbered = next != std::string::npos &&
                  std::all_of(name.begin() + static_cast<int64_t>(dot) + 1,
                              name.begin() + static_cast<int64_t>(next),
                              [](unsigned char c) { return std::isdigit(c) != 0; });
  return name.substr(0, numbered ? next : dot);
}

void print_line(const Console& console, std::string name, const std::string& value) {
  name.resize(std::max<size_t>(name.size(), 19), ' ');
  console.out << "  " << name << " " << value << "\n";
}

std::string indented(const std::string& text) {
  std::string out = "    ";
  for (size_t i = 0; i < text.size(); ++i) {
    out += text[i];
    if (text[i] == '\n' && i + 1 < text.size()) out += "    ";
  }
  return out;
}

// The files that data.train of a configuration names.
std::string training_files(const std::string& config) {
  std::string list;
  try {
    Config root = Config::parse(config, "config");
    if (!root.has("data") || !root["data"].has("train")) return "";
    for (const auto& file : root["data"].get<std::vector<std::string>>("train"))
      list += (list.empty() ? "" : ", ") + file;
  } catch (const ConfigError&) {
    return "";
  }
  return list;
}

void print_parameters(const Console& console, const Parameters& parameters) {
  std::vector<std::pair<std::string, int64_t>> blocks;
  for (const auto& entry : parameters.entries()) {
    const std::string block = block_of(entry.name);
    if (blocks.empty() || blocks.back().first != block) blocks.emplace_back(block, 0);
    blocks.back().second += entry.tensor.size();
  }
  Table table({{"block", "", true}, {"parameters", ""}});
  for (const auto& [name, count] : blocks) table.row({name, count_text(count)});
  table.rule();
  table.row({"all", count_text(parameters.size())});
  console.out << table.text(2);
}

void print_model(const InfoCommand& command, const std::string& path, const Console& console) {
  const Model model = load_model(path);
  const MaceConstants& constants = model.constants;
  console.out << path << ": model, " << model.options.kind << ", " << model.dtype() << ", "
              << bytes_text(static_cast<double>(fs::file_size(path))) << "\n";
  print_line(console, "elements", symbols_of(constants.elements));
  print_line(console, "r_max", number_text(model.potential->r_max()) + " A");
  print_line(console, "hidden irreps", model.options.hidden_irreps());
  print_line(console, "layers", std::to_string(model.options.layers()));
  print_line(console, "avg_num_neighbors", number_text(constants.avg_num_neighbors));
  print_line(console, "scale", number_text(constants.scale) + " eV");
  print_line(console, "shift", number_text(constants.shift) + " eV/atom");
  print_line(console, "kernels", kernels_text());
  const Potential::Paths paths = model.potential->convolution_paths();
  print_line(console, "convolution paths",
             concat_text(paths.all, ", ", paths.unrolled, " of them unrolled"));
  const std::string files = training_files(model.config);
  if (!files.empty()) print_line(console, "trained on", files);
  for (const auto& [key, value] : model.metadata)
    if (key != "format" && key != "version" && key != "config" && key != "checksum")
      print_line(console, key, value);
  Table energies({{"element", "", true}, {"E0", "eV"}});
  for (size_t i = 0; i < constants.elements.size(); ++i)
    energies.row({symbol_of(constants.elements[i]), number_text(constants.atomic_energies[i], 8)});
  console.out << energies.text(2);
  print_parameters(console, *model.parameters);
  if (command.full_config)
    console.out << "  config\n" << indented(model.config);
  else
    console.out << "  its configuration: casimir info --config " << path << "\n";
}

void print_checkpoint(const InfoCommand& command, const std::string& path, const Console& console) {
  const Checkpoint checkpoint = read_checkpoint(path);
  const TrainState& state = checkpoint.state;
  console.out << path << ": checkpoint, " << bytes_text(static_cast<double>(fs::file_size(path)))
              << "\n";
  print_line(console, "step", count_text(state.step));
  print_line(console, "epoch", count_text(state.epoch) + ", next batch " + count_text(state.batch));
  print_line(console, "stage", std::to_string(state.stage));
  print_line(console, "best",
             state.best_epoch < 0
                 ? "none yet"
                 : number_text(state.best, 6) + " in epoch " + count_text(state.best_epoch) +
                       ", step " + count_text(state.best_step));
  print_line(console, "since the best", plural(state.bad, "validation"));
  const std::string files = training_files(checkpoint.config);
  if (!files.empty()) print_line(console, "trained on", files);
  Table arrays({{"array", "", true}, {"type", "", true}, {"numbers", ""}});
  for (const auto& [name, array] : checkpoint.arrays.arrays)
    arrays.row({name, name_of(array.dtype()), count_text(array.size())});
  console.out << arrays.text(2);
  if (command.full_config)
    console.out << "  config\n" << indented(checkpoint.config);
  else
    console.out << "  its configuration: casimir info --config " << path << "\n";
}

void print_run(const InfoCommand& command, const Console& console) {
  const std::string model = (fs::path(command.path) / "model.safetensors").string();
  const std::string folder = (fs::path(command.path) / "checkpoints").string();
  std::vector<std::string> checkpoints;
  if (fs::is_directory(folder)) checkpoints = CheckpointFolder(folder, 1).list();
  check<MissingError>(fs::exists(model) || !checkpoints.empty(), command.path,
                      ": this folder has neither model.safetensors nor checkpoints");
  if (fs::exists(model))
    print_model(command, model, console);
  else
    console.out << command.path << ": no model.safetensors yet\n";
  if (checkpoints.empty()) return;
  console.out << "\n";
  print_checkpoint(command, checkpoints.front(), console);
}

}  // namespace

int info_command(const InfoCommand& command, const Console& console) {
  if (command.path.empty()) {
    console.out << version_text();
    return 0;
  }
  std::error_code fault;
  if (fs::is_directory(command.path, fault)) {
    print_run(command, console);
  } else if (!is_safetensors(command.path)) {
    console.out << data_summary(command.path, read_extxyz(command.path, command.keys));
  } else {
    const Safetensors file = read_safetensors(command.path);
    auto format = file.metadata.find("format");
    if (format != file.metadata.end() && format->second == "casimir-checkpoint")
      print_checkpoint(command, command.path, console);
    else
      print_model(command, command.path, console);
  }
  return 0;
}

}  // namespace casimir
