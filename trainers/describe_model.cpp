#include "trainers/describe_model.h"

#include <algorithm>
#include <cctype>

#include "core/config.h"
#include "core/error.h"
#include "trainers/commands.h"

namespace casimir {

namespace {

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

}  // namespace

Facts model_facts(const Model& model) {
  const MaceConstants& constants = model.constants;
  const Potential::Paths paths = model.potential->convolution_paths();
  Facts facts{
      {"elements", symbols_of(constants.elements)},
      {"r_max", number_text(model.potential->r_max()) + " A"},
      {"hidden irreps", model.options.hidden_irreps()},
      {"layers", std::to_string(model.options.layers())},
      {"avg_num_neighbors", number_text(constants.avg_num_neighbors)},
      {"scale", number_text(constants.scale) + " eV"},
      {"shift", number_text(constants.shift) + " eV/atom"},
      {"kernels", kernels_text()},
      {"convolution paths", concat_text(paths.all, ", ", paths.unrolled, " of them unrolled")}};
  const std::string files = training_files(model.config);
  if (!files.empty()) facts.emplace_back("trained on", files);
  for (const auto& [key, value] : model.metadata)
    if (key != "format" && key != "version" && key != "config" && key != "checksum")
      facts.emplace_back(key, value);
  return facts;
}

Table energies_table(const Model& model) {
  const MaceConstants& constants = model.constants;
  Table table({{"element", "", true}, {"E0", "eV"}});
  for (size_t i = 0; i < constants.elements.size(); ++i)
    table.row({symbol_of(constants.elements[i]), number_text(constants.atomic_energies[i], 8)});
  return table;
}

Table parameters_table(const Parameters& parameters) {
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
  return table;
}

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

}  // namespace casimir
