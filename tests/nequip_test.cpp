// NequIP against nequip 0.19.1: random weights imported by scripts/import_nequip.py; energies,
// forces and stresses computed by tests/reference/make_nequip.py. Then what must hold of any
// potential.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "core/parallel.h"
#include "core/random.h"
#include "datasets/extxyz.h"
#include "equivariant/layers.h"
#include "tests/message_of.h"
#include "trainers/check.h"
#include "trainers/evaluate.h"
#include "trainers/model_file.h"
#include "trainers/step.h"

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

ModelOptions small_options(const std::string& variant, const std::string& dtype = "float64") {
  ModelOptions options;
  options.kind = "nequip";
  options.dtype = dtype;
  options.elements = {"H", "C", "O"};
  NequipOptions& nequip = options.nequip;
  nequip.r_max = 4.0;
  nequip.radial_mlp = {8};
  nequip.num_bessel = 6;
  nequip.num_layers = 3;
  nequip.l_max = 2;
  nequip.num_features = {5, 4, 3};
  nequip.type_embed_num_features = 3;
  nequip.parity = variant != "natural";
  if (variant == "all options") {
    nequip.num_layers = 4;
    nequip.l_max = 1;
    nequip.num_features = {4};
    nequip.radial_mlp = {8, 6};
    nequip.readout_mlp = {5};
    nequip.bessel_trainable = true;
    nequip.num_polynomial_cutoff = 5;
    nequip.per_type_energy_scales = {{"H", 0.5}, {"C", 1.5}, {"O", 0.8}};
    nequip.per_type_avg_num_neighbors = {{"H", 3}, {"C", 4}, {"O", 5}};
  }
  return options;
}

const MaceConstants constants{{1, 6, 8}, {-13.6, -1029.5, -2042.0}, 4.0, 1.3, -0.4};

Model small_model(const std::string& variant, const std::string& dtype = "float64") {
  return make_model(small_options(variant, dtype), constants, 7);
}

// A rattled molecule and a strained cell with labels.
AtomsBatch labelled_batch(const Model& model, std::vector<Sample>& samples) {
  std::vector<Frame> frames = check_structures({1, 6, 8}, 1, 3);
  Random random(11);
  for (Frame& frame : frames) {
    frame.energy = random.normal();
    for (size_t i = 0; i < frame.size(); ++i)
      frame.forces.push_back({random.normal(), random.normal(), random.normal()});
    double s[6];
    for (double& x : s) x = 0.01 * random.normal();
    if (frame.pbc[0])
      frame.stress = std::array<double, 9>{s[0], s[1], s[2], s[1], s[3], s[4], s[2], s[4], s[5]};
  }
  samples = prepare_samples(std::move(frames), model.potential->elements(), model.options.r_max());
  std::vector<int64_t> which;
  for (size_t i = 0; i < samples.size(); ++i) which.push_back(static_cast<int64_t>(i));
  return make_batch(samples, which);
}

double largest(const std::vector<CheckResult>& results) {
  double value = 0;
  for (const CheckResult& r : results) value = std::max(value, r.found);
  return value;
}

const std::vector<std::string> variants = {"natural", "both parities", "all options"};

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

TEST_CASE("nequip: derivatives with respect to the positions to order three") {
  for (const std::string& variant : variants) {
    Model model = small_model(variant);
    std::vector<Sample> samples;
    Graph graph = to_graph(labelled_batch(model, samples), DType::f64);
    auto f = [&](const Tensors& in) {
      Tensor vectors = displaced_vectors(graph, in[0]);
      return Tensors{segment_sum(model.potential->node_energies(graph, vectors), graph.node_graph)};
    };
    Tensor still = Tensor::zeros({graph.nodes, 3}, DType::f64);
    CHECK(gradcheck(f, {still}, {.order = 3}) < 1e-6);
  }
}

TEST_CASE("nequip: forces are -dE/dr and the virial is dE/dstrain to 1e-8") {
  for (const std::string& variant : variants)
    CHECK(largest(check_derivatives(small_model(variant), check_structures({1, 6, 8}, 2, 5), 1)) <
          1e-8);
}

TEST_CASE("nequip: equivariance errors are at most 1e-12 in f64 and 1e-5 in f32") {
  for (const std::string& variant : variants) {
    std::vector<Frame> frames = check_structures({1, 6, 8}, 3, 9);
    CHECK(largest(check_symmetry(small_model(variant), frames, 1)) < 1e-12);
    CHECK(largest(check_symmetry(small_model(variant, "float32"), frames, 1)) < 1e-5);
  }
}

TEST_CASE("nequip: smooth at r_max, and twice the energy for two distant copies") {
  for (const std::string& variant : variants) {
    Model model = small_model(variant);
    for (const CheckResult& r : check_smoothness(model)) CHECK(r.holds());
    for (const CheckResult& r : check_additivity(model, check_structures({1, 6, 8}, 2, 5)))
      CHECK(r.holds());
  }
}

TEST_SUITE("slow") {
  TEST_CASE("nequip: the gradient of the loss against differences, for every block of parameters") {
    LossWeights weights{1, 10, 5};
    for (const std::string& variant : variants) {
      Model model = small_model(variant);
      std::vector<Sample> samples;
      AtomsBatch batch = labelled_batch(model, samples);
      Gradient exact = loss_gradient(model, batch, {}, weights);
      double* flat = model.parameters->flat().data<double>();
      Random random(5);
      for (const Parameters::Entry& entry : model.parameters->entries()) {
        CAPTURE(entry.name);
        std::vector<double> direction(entry.tensor.size());
        double expected = 0, size = 0;
        for (size_t i = 0; i < direction.size(); ++i) {
          direction[i] = random.normal();
          double g = exact.flat.values<double>()[entry.offset + i];
          expected += g * direction[i];
          size += g * g;
        }
        const double h = 1e-4;
        double slope = 0;
        const double places[] = {-2, -1, 1, 2},
                     factors[] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};
        std::vector<double> before(flat + entry.offset, flat + entry.offset + direction.size());
        for (int k = 0; k < 4; ++k) {
          for (size_t i = 0; i < direction.size(); ++i)
            flat[entry.offset + i] = before[i] + places[k] * h * direction[i];
          slope += factors[k] * loss_gradient(model, batch, {}, weights).loss / h;
        }
        std::copy(before.begin(), before.end(), flat + entry.offset);
        CHECK(std::abs(slope - expected) < 1e-6 * std::max(std::sqrt(size), 1e-3 * exact.loss));
      }
    }
  }
}

TEST_CASE("nequip: loss and gradient have the same bits for 1, 2, 3 and 8 threads") {
  Model model = small_model("all options", "float32");
  std::vector<Sample> samples;
  AtomsBatch batch = labelled_batch(model, samples);
  set_num_threads(1);
  Gradient expected = loss_gradient(model, batch, {}, {1, 10, 5});
  for (int threads : {1, 2, 3, 8}) {
    set_num_threads(threads);
    set_poison(threads == 3);
    Gradient found = loss_gradient(model, batch, {}, {1, 10, 5});
    set_poison(false);
    CHECK(found.loss == expected.loss);
    CHECK(found.flat.to_vector<float>() == expected.flat.to_vector<float>());
  }
  set_num_threads(0);
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
  ModelOptions options = small_options("natural");
  options.nequip.per_type_energy_scales = {{"H", 1.0}, {"O", 2.0}};
  CHECK(message_of<ConfigError>([&] { make_model(options, constants, 7); }) ==
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
