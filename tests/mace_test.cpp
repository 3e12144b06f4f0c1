// MACE against mace-torch 0.3.16: random weights imported by scripts/import_mace.py; energies,
// forces and stresses computed by tests/reference/make_mace.py.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "core/parallel.h"
#include "datasets/extxyz.h"
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

Parity parity(const std::string& frames_name, const std::string& name, DType dtype) {
  Model model = load_model(reference + name + ".safetensors", dtype);
  std::vector<Frame> frames = read_extxyz(reference + frames_name);
  Safetensors expected = read_safetensors(reference + name + "_expected.safetensors");
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

const std::vector<std::string> molecules = {"3bpa_l0",    "3bpa_l1",          "3bpa_l2",
                                            "3bpa_plain", "3bpa_plain_first", "3bpa_three_layers",
                                            "3bpa_lmax4", "3bpa_correlation4"};
const std::vector<std::string> crystals = {"mptrj_l0", "mptrj_l1", "mptrj_l2"};

}  // namespace

TEST_CASE("mace: energies and forces of 3BPA frames equal mace-torch's") {
  for (const std::string& name : molecules) {
    CAPTURE(name);
    Parity f64 = parity("3bpa_20.xyz", name, DType::f64);
    CHECK(f64.energy < 1e-9);
    CHECK(f64.forces < 1e-9);
    Parity f32 = parity("3bpa_20.xyz", name, DType::f32);
    CHECK(f32.energy < 1e-5);
    CHECK(f32.forces < 1e-5);
    MESSAGE(name, ": f64 ", f64.energy, " ", f64.forces, "; f32 ", f32.energy, " ", f32.forces);
  }
}

TEST_CASE("mace: energies, forces and stresses of MPtrj frames equal mace-torch's") {
  for (const std::string& name : crystals) {
    CAPTURE(name);
    Parity f64 = parity("mptrj_20.xyz", name, DType::f64);
    CHECK(f64.energy < 1e-9);
    CHECK(f64.forces < 1e-9);
    CHECK(f64.stress < 1e-9);
    Parity f32 = parity("mptrj_20.xyz", name, DType::f32);
    CHECK(f32.energy < 1e-5);
    CHECK(f32.forces < 1e-5);
    CHECK(f32.stress < 1e-5);
    MESSAGE(name, ": f64 ", f64.energy, " ", f64.forces, " ", f64.stress, "; f32 ", f32.energy, " ",
            f32.forces, " ", f32.stress);
  }
}
