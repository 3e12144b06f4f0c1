// A potential with its parameters, and the file that holds everything needed to evaluate it.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/safetensors.h"
#include "trainers/options.h"

namespace casimir {

struct Model {
  ModelOptions options;     // elements filled in
  MaceConstants constants;  // elements, E0s, avg_num_neighbors, scale, shift
  std::string config;       // resolved YAML of the run that made it, or the importer's JSON
  std::map<std::string, std::string> metadata;  // of the file it was read from
  std::unique_ptr<Parameters> parameters;       // flat
  std::unique_ptr<Potential> potential;

  DType dtype() const { return parameters->dtype(); }
};

// A fresh model with random weights that depend on the seed alone.
Model make_model(const ModelOptions& options, const MaceConstants& constants, uint64_t seed,
                 Device device = Device::cpu);

// One safetensors file with the weights to evaluate with: the averaged ones when `average` (flat,
// as Parameters::flat()) is given. Metadata: format casimir-model, version 1, config. Written
// atomically, with a checksum.
void save_model(const std::string& path, const Model& model, const Array* average = nullptr);
Safetensors model_content(const Model& model, const Array* average = nullptr);

// Also reads what scripts/import_mace.py writes. `dtype`: evaluate in another type than stored.
// Anything that is not a whole, consistent model file is a DataError that names the file.
Model load_model(const std::string& path, std::optional<DType> dtype = std::nullopt,
                 Device device = Device::cpu);
Model read_model(const Safetensors& file, const std::string& path,
                 std::optional<DType> dtype = std::nullopt, Device device = Device::cpu);

}  // namespace casimir
