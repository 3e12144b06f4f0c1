#include "trainers/model_file.h"

#include <doctest/doctest.h>

#include <cmath>

#include "tests/message_of.h"
#include "tests/temporary_folder.h"

using namespace casimir;

namespace {

ModelOptions tiny() {
  ModelOptions options;
  options.mace.hidden_irreps = "4x0e+4x1o";
  options.mace.l_max = 2;
  options.mace.correlation = {2};
  options.mace.radial_mlp = {8};
  options.mace.readout_irreps = "4x0e";
  return options;
}

MaceConstants constants() {
  MaceConstants values;
  values.elements = {1, 8};
  values.atomic_energies = {-13.587222780835477, -2041.9816003861047};
  values.avg_num_neighbors = 9.7;
  values.scale = 0.8;
  values.shift = -0.125;
  return values;
}

Model tiny_model() {
  Model model = make_model(tiny(), constants(), 3);
  RunOptions run;
  run.model = model.options;
  model.config = to_yaml(run);
  return model;
}

// What comes of reading the model's file after `change`.
template <class F>
std::string message_after(F change) {
  TemporaryFolder folder;
  Model model = tiny_model();
  Safetensors file = model_content(model);
  change(file);
  write_safetensors(folder / "m.safetensors", file);
  std::string text = message_of<DataError>([&] { load_model(folder / "m.safetensors"); });
  std::string start = folder / "m.safetensors: ";
  return text.starts_with(start) ? text.substr(start.size()) : "no path in: " + text;
}

void replace(Safetensors& file, const std::string& name, Array array) {
  for (auto& [have, value] : file.arrays)
    if (have == name) value = array;
}

}  // namespace

TEST_CASE("model file: saved and loaded, weights and constants are the same bits") {
  TemporaryFolder folder;
  Model model = tiny_model();
  save_model(folder / "m.safetensors", model);
  Model again = load_model(folder / "m.safetensors");
  CHECK(again.options.elements == std::vector<std::string>{"H", "O"});
  CHECK(again.constants.atomic_energies == model.constants.atomic_energies);
  CHECK(again.constants.avg_num_neighbors == 9.7);
  CHECK(again.constants.scale == 0.8);
  CHECK(again.constants.shift == -0.125);
  CHECK(again.parameters->flat().to_vector<float>() == model.parameters->flat().to_vector<float>());
  CHECK(again.config == model.config);
  CHECK(again.metadata.at("format") == "casimir-model");
  save_model(folder / "n.safetensors", again);
  CHECK(model_content(again).arrays.size() == model_content(model).arrays.size());
}

TEST_CASE("model file: an f32 model evaluated in f64 has the same weights") {
  TemporaryFolder folder;
  Model model = tiny_model();
  save_model(folder / "m.safetensors", model);
  Model wide = load_model(folder / "m.safetensors", DType::f64);
  CHECK(wide.dtype() == DType::f64);
  CHECK(wide.parameters->flat().to_vector<double>() ==
        model.parameters->flat().cast(DType::f64).to_vector<double>());
}

TEST_CASE("model file: holds the averaged weights, once") {
  TemporaryFolder folder;
  Model model = tiny_model();
  Array average = model.parameters->flat().copy();
  average.fill(0.25);
  save_model(folder / "m.safetensors", model, &average);
  Model again = load_model(folder / "m.safetensors");
  for (float x : again.parameters->flat().to_vector<float>()) CHECK(x == 0.25f);
  CHECK(read_safetensors(folder / "m.safetensors").arrays.size() ==
        model_content(model).arrays.size());
}

TEST_CASE("model file: what earlier versions wrote under raw/ is left out") {
  const Model model = tiny_model();
  Safetensors file = model_content(model);
  const Parameters::Entry& entry = model.parameters->entries()[0];
  Array other = entry.tensor.array().copy();
  other.fill(0.25);
  file.add("raw/" + entry.name, other);
  const Model again = read_model(file, "m.safetensors");
  CHECK(again.parameters->flat().to_vector<float>() == model.parameters->flat().to_vector<float>());
}

TEST_CASE("model file: the seed decides the weights, nothing else") {
  auto weights = [](uint64_t seed) {
    return make_model(tiny(), constants(), seed).parameters->flat().to_vector<float>();
  };
  CHECK(weights(1) == weights(1));
  CHECK(weights(1) != weights(2));
}

TEST_CASE("model file: no two parameters start with the same numbers") {
  const Model model = make_model(tiny(), constants(), 1);
  std::map<std::vector<float>, std::string> seen;
  for (const Parameters::Entry& entry : model.parameters->entries()) {
    std::vector<float> start = entry.tensor.array().to_vector<float>();
    start.resize(std::min<size_t>(start.size(), 4));
    auto [other, fresh] = seen.emplace(start, entry.name);
    CHECK_MESSAGE(fresh, entry.name << " starts like " << other->second);
  }
}

TEST_CASE("model file: what is not a whole, consistent model is named") {
  CHECK(message_after([](Safetensors& f) { f.metadata.erase("format"); }) ==
        "no 'format' in its metadata: not a model file of casimir");
  CHECK(message_after([](Safetensors& f) { f.metadata["format"] = "pt"; }) ==
        "expected format 'casimir-model', found 'pt'");
  CHECK(message_after([](Safetensors& f) { f.metadata["version"] = "2"; }) ==
        "expected version 1 of the model format, found '2'");
  CHECK(message_after([](Safetensors& f) { f.metadata.erase("config"); }) ==
        "no 'config' in its metadata: not a model file of casimir");
  CHECK(message_after([](Safetensors& f) { f.metadata["config"] = "model: {kind: nice}"; }) ==
        "its configuration: config:1:15: model.kind: expected one of mace, nequip, found 'nice'; "
        "did you mean 'mace'?");
  CHECK(message_after([](Safetensors& f) { f.metadata["config"] = "model: {elements: [O, H]}"; }) ==
        "model.elements: expected symbols by ascending atomic number, each once");
  CHECK(message_after([](Safetensors& f) {
          replace(f, "atomic_energies", Array::from(std::vector<double>{1, 2, 3}));
        }) == "atomic_energies: expected 2 real numbers, found f64 of shape [3]");
  CHECK(message_after([](Safetensors& f) {
          replace(f, "scale", Array::from(std::vector<double>{std::nan("")}));
        }) == "scale: expected finite numbers, found nan");
  CHECK(message_after([](Safetensors& f) {
          Array weights = f.at("node_embedding.weight").copy();
          weights.fill(std::nan(""));
          replace(f, "node_embedding.weight", weights);
        }) == "node_embedding.weight: holds nan");
  CHECK(message_after([](Safetensors& f) {
          replace(f, "node_embedding.weight", Array::from(std::vector<float>{1, 2}));
        }) == "mis-shaped: node_embedding.weight is [2], model has [2, 4]");
}

TEST_CASE("model file: a degree or order without its weights is refused before it is computed") {
  auto message_with = [](const std::string& from, const std::string& to) {
    return message_after([&](Safetensors& f) {
      std::string& config = f.metadata["config"];
      config.replace(config.find(from), from.size(), to);
    });
  };
  CHECK(message_with("l_max: 2", "l_max: 11") ==
        "missing: interactions.0.linear.weight_11o, which its configuration asks for");
  CHECK(message_with("correlation: [2]", "correlation: [2, 4]") ==
        "missing: products.1.contraction.weight_0e_4, which its configuration asks for");
  CHECK(message_after([](Safetensors& f) {
          f.metadata["config"] =
              "model: {kind: nequip, elements: [H, O], num_layers: 4, l_max: 9, num_features: 4, "
              "radial_mlp: [8]}";
        }) == "missing: layers.0.linear_2.weight_9o, which its configuration asks for");
}
