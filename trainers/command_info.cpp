#include <filesystem>

#include "core/error.h"
#include "core/files.h"
#include "trainers/checkpoint.h"
#include "trainers/command_inputs.h"
#include "trainers/commands.h"
#include "trainers/data_summary.h"
#include "trainers/describe_model.h"
#include "trainers/model_file.h"
#include "trainers/table.h"

namespace casimir {

namespace {

namespace fs = std::filesystem;

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

void print_model(const InfoCommand& command, const std::string& path, const Console& console) {
  const Model model = load_model(path);
  console.out << path << ": model, " << model.options.kind << ", " << model.dtype() << ", "
              << bytes_text(static_cast<double>(fs::file_size(path))) << "\n";
  for (const auto& [name, value] : model_facts(model)) print_line(console, name, value);
  console.out << energies_table(model).text(2) << parameters_table(*model.parameters).text(2);
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
