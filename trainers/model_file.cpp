#include "trainers/model_file.h"

#include <algorithm>
#include <cmath>

#include "datasets/frame.h"
#include "equivariant/irreps.h"
#include "trainers/registry.h"

namespace casimir {

namespace {

constexpr const char* format = "casimir-model";
constexpr const char* format_version = "1";

std::string metadata_of(const Safetensors& file, const std::string& path, const std::string& key) {
  auto at = file.metadata.find(key);
  check<DataError>(at != file.metadata.end(), path, ": no '", key,
                   "' in its metadata: not a model file of casimir");
  return at->second;
}

void check_format(const Safetensors& file, const std::string& path) {
  std::string found = metadata_of(file, path, "format");
  check<DataError>(found == format, path, ": expected format '", format, "', found '", found, "'");
  found = metadata_of(file, path, "version");
  check<DataError>(found == format_version, path, ": expected version ", format_version,
                   " of the model format, found '", found, "'");
}

ModelOptions options_of(const std::string& config, const std::string& path) {
  try {
    return Config::parse(config, "config")["model"].read<ModelOptions>();
  } catch (const ConfigError& error) {
    fail<DataError>(path, ": its configuration: ", error.what());
  }
}

std::vector<int> numbers_of(const std::vector<std::string>& symbols, const std::string& path) {
  std::vector<int> numbers;
  for (const std::string& symbol : symbols) {
    int number = number_of(symbol);
    check<DataError>(number > 0, path, ": model.elements: unknown element '", symbol, "'");
    numbers.push_back(number);
  }
  bool ascending = std::is_sorted(numbers.begin(), numbers.end(), std::less_equal<>());
  check<DataError>(!numbers.empty() && ascending, path,
                   ": model.elements: expected symbols by ascending atomic number, each once");
  return numbers;
}

std::vector<double> numbers_at(const Safetensors& file, const std::string& path, const char* name,
                               size_t count) {
  const Array* array = file.find(name);
  check<DataError>(array, path, ": no array '", name, "'");
  check<DataError>(is_float(array->dtype()) && array->size() == static_cast<int64_t>(count), path,
                   ": ", name, ": expected ", count, " real numbers, found ", array->dtype(),
                   " of shape ", array->shape());
  std::vector<double> values = array->cast(DType::f64).to_vector<double>();
  for (double value : values)
    check<DataError>(std::isfinite(value), path, ": ", name, ": expected finite numbers, found ",
                     value);
  return values;
}

MaceConstants constants_of(const Safetensors& file, const std::string& path,
                           const ModelOptions& options) {
  MaceConstants constants;
  constants.elements = numbers_of(options.elements, path);
  constants.atomic_energies = numbers_at(file, path, "atomic_energies", constants.elements.size());
  constants.avg_num_neighbors = numbers_at(file, path, "avg_num_neighbors", 1)[0];
  constants.scale = numbers_at(file, path, "scale", 1)[0];
  constants.shift = numbers_at(file, path, "shift", 1)[0];
  check<DataError>(constants.avg_num_neighbors > 0, path,
                   ": avg_num_neighbors: expected a positive number, found ",
                   constants.avg_num_neighbors);
  return constants;
}

int64_t widest_layer(const MaceOptions& options) {
  int64_t widest = std::max(Irreps::parse(options.hidden_irreps).num_irreps(),
                            Irreps::parse(options.readout_irreps).num_irreps());
  for (int64_t width : options.radial_mlp) widest = std::max(widest, width);
  return widest;
}

int64_t widest_layer(const NequipOptions& options) {
  int64_t widest = std::max(options.num_features[0], options.type_embed_num_features.value_or(1));
  for (const auto& widths : {options.radial_mlp, options.readout_mlp})
    for (int64_t width : widths) widest = std::max(widest, width);
  if (options.num_layers > 1)  // one layer has no features of l > 0
    for (int64_t width : options.num_features) widest = std::max(widest, width);
  return widest;
}

// A model has at least as many weights as its widest layer has channels. Tested before the memory
// for them is asked for.
void check_sizes(const Safetensors& file, const std::string& path, const ModelOptions& options) {
  const int64_t widest =
      options.kind == "nequip" ? widest_layer(options.nequip) : widest_layer(options.mace);
  int64_t held = 0;
  for (const auto& [name, array] : file.arrays) held += array.size();
  check<DataError>(widest <= held, path, ": its configuration has a layer of ", widest,
                   " channels, the file holds ", held, " numbers in all");
}

// Minutes of coupling coefficients are computed for a high degree or body order: only for a file
// that holds the weights which belong to them.
void check_orders(const Safetensors& file, const std::string& path, const ModelOptions& options) {
  auto expect = [&](const std::string& name) {
    check<DataError>(file.find(name), path, ": missing: ", name,
                     ", which its configuration asks for");
  };
  auto top = [](int64_t l) { return Irrep{static_cast<int>(l), l % 2 ? -1 : 1}.text(); };
  if (options.kind == "nequip") {
    if (options.nequip.num_layers > 1)
      expect("layers.0.linear_2.weight_" + top(options.nequip.l_max));
    return;
  }
  const MaceOptions& mace = options.mace;
  expect("interactions.0.linear.weight_" + top(mace.l_max));
  for (int64_t i = 0; i < mace.num_interactions; ++i) {
    const int64_t order = mace.correlation[mace.correlation.size() > 1 ? i : 0];
    expect("products." + std::to_string(i) + ".contraction.weight_0e_" + std::to_string(order));
  }
}

// Without those that earlier versions wrote beside the averaged weights.
Safetensors plain_arrays(const Safetensors& file) {
  Safetensors plain;
  plain.metadata = file.metadata;
  for (const auto& [name, array] : file.arrays)
    if (!name.starts_with("raw/")) plain.add(name, array);
  return plain;
}

void check_finite_weights(const Parameters& parameters, const std::string& path) {
  for (const Parameters::Entry& entry : parameters.entries())
    visit_float("load", parameters.dtype(), [&]<class T>(T) {
      for (T value : entry.tensor.array().to_vector<T>())
        check<DataError>(std::isfinite(value), path, ": ", entry.name, ": holds ", value);
    });
}

}  // namespace

Model make_model(const ModelOptions& options, const MaceConstants& constants, uint64_t seed,
                 Device device) {
  Model model;
  model.options = options;
  model.options.elements.clear();
  for (int number : constants.elements) model.options.elements.push_back(symbol_of(number));
  model.constants = constants;
  model.parameters = std::make_unique<Parameters>(options.type(), seed, device);
  model.potential = find_model(options.kind).make(model.parameters->root(), options, constants);
  model.parameters->flatten();
  return model;
}

Safetensors model_content(const Model& model, const Array* average) {
  Safetensors file;
  file.metadata = {{"format", format}, {"version", format_version}, {"config", model.config}};
  model.parameters->save(file, average);
  return file;
}

void save_model(const std::string& path, const Model& model, const Array* average) {
  write_safetensors(path, model_content(model, average));
}

Model read_model(const Safetensors& file, const std::string& path, std::optional<DType> dtype,
                 Device device) {
  check_format(file, path);
  std::string config = metadata_of(file, path, "config");
  ModelOptions options = options_of(config, path);
  if (dtype) options.dtype = *dtype == DType::f64 ? "float64" : "float32";
  MaceConstants constants = constants_of(file, path, options);
  check_sizes(file, path, options);
  check_orders(file, path, options);
  Model model;
  try {
    model = make_model(options, constants, 0, device);
  } catch (const DataError&) {
    throw;
  } catch (const Error& error) {
    fail<DataError>(path, ": its configuration makes no model: ", error.what());
  }
  model.parameters->load(plain_arrays(file), path);
  check_finite_weights(*model.parameters, path);
  model.config = std::move(config);
  model.metadata = file.metadata;
  return model;
}

Model load_model(const std::string& path, std::optional<DType> dtype, Device device) {
  return read_model(read_safetensors(path), path, dtype, device);
}

}  // namespace casimir
