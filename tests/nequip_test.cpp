// NequIP against nequip 0.19.1: random weights imported by scripts/import_nequip.py; energies,
// forces and stresses computed by tests/reference/make_nequip.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "datasets/extxyz.h"
#include "equivariant/layers.h"
#include "tests/message_of.h"
#include "tests/random_models.h"
#include "trainers/evaluate.h"
#include "trainers/model_file.h"

using namespace casimir;

namespace {

const std::string reference = CASIMIR_SOURCE_DIR "/tests/reference/";

// Largest difference over the largest reference value.
double relative_error(const std::vector<double>& found, std::span<const double> expected) {
  REQUIRE(found.size() == expected.size());
  double difference = 0, scale = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    double d = std::abs(found[i] - expected[i]);
    difference = std::isnan(d) ? INFINITY : std::max(difference, d);
    scale = std::max(scale, std::abs(expected[i]));
  }
  return difference / scale;
}

struct Parity {
  double energy = 0, forces = 0, stress = 0;
};

Parity parity(const Model& model, std::vector<Frame> frames, const Safetensors& expected) {
  std::vector<double> energy, forces, stress;
  for (const FramePrediction& p : evaluate_frames(model, frames).predictions) {
    energy.push_back(p.energy);
    for (const auto& f : p.forces) forces.insert(forces.end(), f.begin(), f.end());
    if (p.stress) stress.insert(stress.end(), p.stress->begin(), p.stress->end());
  }
  Parity result;
  result.energy = relative_error(energy, expected.at("energy").values<double>());
  result.forces = relative_error(forces, expected.at("forces").values<double>());
  if (const Array* labels = expected.find("stress"))
    result.stress = relative_error(stress, labels->values<double>());
  return result;
}

void check_parity(const std::string& frames_name, const std::vector<std::string>& names) {
  std::vector<Frame> frames = read_extxyz(reference + frames_name);
  for (const std::string& name : names) {
    CAPTURE(name);
    Safetensors expected = read_safetensors(reference + name + "_expected.safetensors");
    const std::string file = reference + name + ".safetensors";
    Parity f64 = parity(load_model(file, DType::f64), frames, expected);
    CHECK(f64.energy < 1e-9);
    CHECK(f64.forces < 1e-9);
    CHECK(f64.stress < 1e-9);
    Parity f32 = parity(load_model(file, DType::f32), frames, expected);
    CHECK(f32.energy < 1e-5);
    CHECK(f32.forces < 1e-5);
    CHECK(f32.stress < 1e-5);
    MESSAGE(name, ": f64 ", f64.energy, " ", f64.forces, " ", f64.stress, "; f32 ", f32.energy, " ",
            f32.forces, " ", f32.stress);
  }
}

// Number i of the parameter that is number k by name, as make_nequip.py says.
void fill(Model& model) {
  std::vector<Parameters::Entry> entries = model.parameters->entries();
  std::sort(entries.begin(), entries.end(),
            [](const auto& a, const auto& b) { return a.name < b.name; });
  for (uint64_t k = 0; k < entries.size(); ++k) {
    double* values = model.parameters->flat().data<double>() + entries[k].offset;
    for (int64_t i = 0; i < entries[k].tensor.size(); ++i) {
      uint64_t u = (k * 7919 + static_cast<uint64_t>(i)) * 2654435761u % (uint64_t{1} << 32);
      values[i] = std::sqrt(3.0) * (2 * (static_cast<double>(u) / 4294967296.0) - 1);
    }
  }
}

NequipOptions read(const std::string& yaml) {
  return Config::parse(yaml, "a.yaml").read<NequipOptions>();
}

}  // namespace

TEST_CASE("nequip: energies and forces of 3BPA frames equal nequip's") {
  check_parity("3bpa_20.xyz",
               {"3bpa_nequip_s", "3bpa_nequip_m", "3bpa_nequip_parity", "3bpa_nequip_odd_scalars",
                "3bpa_nequip_special", "3bpa_nequip_no_self_connection"});
}

TEST_CASE("nequip: energies, forces and stresses of MPtrj frames equal nequip's") {
  check_parity("mptrj_20.xyz", {"mptrj_nequip_s", "mptrj_nequip_m", "mptrj_nequip_parity"});
}

// The whole presets; weights by fill().
TEST_SUITE("slow") {
  TEST_CASE("nequip: the presets S and M equal nequip's on 3BPA and MPtrj frames") {
    for (const std::string set : {"3bpa", "mptrj"})
      for (const std::string preset : {"S", "M"}) {
        CAPTURE(set + preset);
        const std::string name = set + "_nequip_preset_" + (preset == "S" ? "s" : "m");
        Safetensors expected = read_safetensors(reference + name + "_expected.safetensors");
        ModelOptions options;
        options.kind = "nequip";
        options.dtype = "float64";
        options.nequip = read("{preset: " + preset + ", r_max: 5}");
        MaceConstants all;
        all.elements = expected.at("elements").to_vector<int32_t>();
        all.atomic_energies = expected.at("atomic_energies").to_vector<double>();
        all.avg_num_neighbors = expected.at("avg_num_neighbors").to_vector<double>()[0];
        all.scale = 0.8;
        Model model = make_model(options, all, 1);
        fill(model);
        Parity found = parity(model, read_extxyz(reference + set + "_20.xyz"), expected);
        CHECK(found.energy < 1e-9);
        CHECK(found.forces < 1e-9);
        CHECK(found.stress < 1e-9);
        MESSAGE(name, ": ", found.energy, " ", found.forces, " ", found.stress, ", ",
                model.parameters->size(), " parameters");
      }
  }
}

TEST_CASE("nequip: a preset fills in the keys that are not given") {
  NequipOptions options = read("{preset: M, num_layers: 3, r_max: 6}");
  CHECK(options.num_layers == 3);
  CHECK(options.l_max == 2);
  CHECK(options.num_features == std::vector<int64_t>{128, 64, 32});
  CHECK(options.parity == false);
  CHECK(options.type_embed_num_features == 32);
  CHECK(options.hidden_irreps() == Irreps("128x0e+64x1o+32x2e"));
  NequipOptions again = read(to_yaml(options));
  CHECK(to_yaml(again) == to_yaml(options));
  CHECK(again.num_layers == 3);
  CHECK(read("{num_features: 4, l_max: 1}").hidden_irreps() == Irreps("4x0o+4x0e+4x1e+4x1o"));
}

TEST_CASE("nequip: messages of faulty options") {
  CHECK(message_of<ConfigError>([] { read("{l_max: 2, num_features: [8, 4]}"); }) ==
        "a.yaml:1:26: num_features: expected 1 or 3 numbers, found 2");
  CHECK(message_of<ConfigError>([] { read("{radial_mlp: [8, 0]}"); }) ==
        "a.yaml:1:14: radial_mlp: expected positive sizes, found 0");
  CHECK(message_of<ConfigError>([] { read("{per_type_avg_num_neighbors: {H: 0}}"); }) ==
        "a.yaml:1:2: per_type_avg_num_neighbors: expected positive numbers, found 0 for H");
  ModelOptions options = nequip_options("natural");
  options.nequip.per_type_energy_scales = {{"H", 1.0}, {"O", 2.0}};
  CHECK(message_of<ConfigError>([&] { make_model(options, small_constants, 7); }) ==
        "model.per_type_energy_scales: expected a number for each of 3 elements, found none for C");
}

TEST_CASE("nequip: a gate activates odd scalars and odd gates by tanh, which keeps their parity") {
  Gate gate{Irreps("1x0e+1x0o"), Irreps("1x0e+2x0o"), Irreps("1x1o+2x1e")};
  CHECK(gate.irreps_in() == Irreps("1x0e+1x0o+1x0e+2x0o+1x1o+2x1e"));
  CHECK(gate.irreps_out() == Irreps("1x0e+1x0o+1x1o+2x1o"));
  std::vector<double> x = {0.3, -0.7, 0.9, 0.2, -0.4, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  std::vector<double> y =
      gate(Tensor(Array::from(x).reshaped({1, 14}))).array().to_vector<double>();
  auto even = [](double v) { return silu_normalization * v / (1 + std::exp(-v)); };
  auto odd = [](double v) { return tanh_normalization * std::tanh(v); };
  std::vector<double> expected = {even(0.3), odd(-0.7)};
  for (int m = 0; m < 3; ++m) expected.push_back(x[5 + m] * even(0.9));
  for (int m = 0; m < 3; ++m)
    for (int u = 0; u < 2; ++u) expected.push_back(x[8 + 2 * m + u] * odd(x[3 + u]));
  CHECK(relative_error(y, expected) < 1e-15);
  Gate mixed{Irreps("1x0e"), Irreps("1x0e+2x0o"), Irreps("3x1o")};
  CHECK(message_of<ShapeError>([&] { mixed.irreps_out(); }) ==
        "Gate: 3x1o has gates of several irreps: 1x0e+2x0o");
}
