#include "trainers/registry.h"

#include "datasets/extxyz.h"

namespace casimir {

namespace {

std::unique_ptr<Potential> make_mace_model(Parameters::Scope scope, const ModelOptions& options,
                                           const MaceConstants& constants) {
  return make_mace(scope, options.mace, constants);
}

std::unique_ptr<Potential> make_nequip_model(Parameters::Scope scope, const ModelOptions& options,
                                             const MaceConstants& constants) {
  std::vector<std::string> symbols;
  for (int number : constants.elements) symbols.push_back(symbol_of(number));
  return make_nequip(scope, options.nequip, constants, symbols);
}

std::vector<Frame> read_extxyz_frames(const std::string& path, const DataOptions& options,
                                      const std::string& index) {
  ExtxyzKeys keys;
  keys.energy = options.energy_key;
  keys.forces = options.forces_key;
  keys.stress = options.stress_key;
  keys.virial = options.virial_key;
  keys.config_type = options.config_type_key;
  return read_extxyz(path, keys, index);
}

template <class Row>
const Row& find(const char* section, const std::vector<Row>& rows, const std::string& name) {
  std::vector<std::string> names;
  std::string list;
  for (const Row& row : rows) {
    if (name == row.name) return row;
    names.push_back(row.name);
    list += (list.empty() ? "" : ", ") + names.back();
  }
  fail<ConfigError>(section, ".kind: expected one of ", list, ", found '", name, "'",
                    did_you_mean(name, names));
}

}  // namespace

const std::vector<ModelRow>& models() {
  static const std::vector<ModelRow> rows{
      {"mace", "higher-order equivariant message passing (Batatia et al. 2022)", make_mace_model},
      {"nequip", "equivariant message passing with gates (Batzner et al. 2022)", make_nequip_model},
  };
  return rows;
}

const std::vector<DatasetRow>& datasets() {
  static const std::vector<DatasetRow> rows{
      {"extxyz", "extended XYZ, plain or gzip, with ASE's keys", read_extxyz_frames},
  };
  return rows;
}

const std::vector<TaskRow>& tasks() {
  static const std::vector<TaskRow> rows{
      {"energy_forces", "energies, forces and stress of structures", needed, energy_forces_targets,
       energy_forces_loss},
  };
  return rows;
}

const ModelRow& find_model(const std::string& name) {
  return find("model", models(), name);
}
const DatasetRow& find_dataset(const std::string& name) {
  return find("data", datasets(), name);
}
const TaskRow& find_task(const std::string& name) {
  return find("task", tasks(), name);
}

}  // namespace casimir
