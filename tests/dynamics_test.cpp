// Molecular dynamics with a trained model: the total energy stays what it was.
#include <doctest/doctest.h>

#include <cmath>

#include "core/random.h"
#include "datasets/silicon.h"
#include "tests/program.h"
#include "tests/temporary_folder.h"
#include "trainers/model_file.h"
#include "trainers/step.h"

using namespace casimir;

namespace {

// ASE's units: eV, A, u; 1 fs in A sqrt(u / eV); eV/K.
constexpr double fs = 0.09822694788464063, kB = 8.617330337217213e-05;
constexpr double silicon_mass = 28.085;

FramePrediction predict_frame(const Model& model, const Frame& frame) {
  const std::vector<Sample> samples =
      prepare_samples({frame}, model.potential->elements(), model.potential->r_max());
  const std::vector<int64_t> first{0};
  return predict_batch(model, make_batch(samples, first))[0];
}

// Maxwell and Boltzmann's velocities at T kelvin, the crystal as a whole at rest.
std::vector<Vec3> velocities(size_t atoms, double T, uint64_t seed) {
  Random random(seed);
  std::vector<Vec3> v(atoms);
  for (int c = 0; c < 3; ++c) {
    double mean = 0;
    for (Vec3& each : v) {
      each[c] = std::sqrt(kB * T / silicon_mass) * random.normal();
      mean += each[c] / static_cast<double>(atoms);
    }
    for (Vec3& each : v) each[c] -= mean;
  }
  return v;
}

double kinetic_energy(const std::vector<Vec3>& velocities) {
  double sum = 0;
  for (const Vec3& v : velocities)
    for (double component : v) sum += 0.5 * silicon_mass * component * component;
  return sum;
}

struct Trajectory {
  double drift = 0;      // largest |E(t) - E(0)| per atom, eV
  double exchanged = 0;  // largest change of the kinetic energy per atom, eV
  double push = 0;       // largest component of the total momentum, u A sqrt(eV / u) / A
};

// Velocity Verlet as in ase.md.verlet, steps of 0.5 fs, forces times `factor`.
Trajectory run_nve(const Model& model, int64_t steps, double factor = 1) {
  constexpr double dt = 0.5 * fs;
  Frame frame = silicon_crystal({2, 2, 2});
  const double atoms = static_cast<double>(frame.size());
  std::vector<Vec3> v = velocities(frame.size(), 600, 1);  // half of it becomes potential energy
  FramePrediction now = predict_frame(model, frame);
  const double kinetic = kinetic_energy(v), total = now.energy + kinetic;
  Trajectory found;
  auto kick = [&] {
    for (size_t i = 0; i < v.size(); ++i)
      for (int c = 0; c < 3; ++c) v[i][c] += 0.5 * dt * factor * now.forces[i][c] / silicon_mass;
  };
  for (int64_t step = 0; step < steps; ++step) {
    kick();
    for (size_t i = 0; i < v.size(); ++i)
      for (int c = 0; c < 3; ++c) frame.positions[i][c] += dt * v[i][c];
    now = predict_frame(model, frame);
    kick();
    const double energy = kinetic_energy(v);
    found.drift = std::max(found.drift, std::abs(now.energy + energy - total) / atoms);
    found.exchanged = std::max(found.exchanged, std::abs(energy - kinetic) / atoms);
  }
  for (int c = 0; c < 3; ++c) {
    double momentum = 0;
    for (const Vec3& each : v) momentum += silicon_mass * each[c];
    found.push = std::max(found.push, std::abs(momentum));
  }
  return found;
}

}  // namespace

TEST_CASE("dynamics: the quickstart model keeps the energy for 2 000 steps to 1e-4 eV per atom" *
          doctest::test_suite("slow")) {
  TemporaryFolder folder;
  for (const std::string command : {"data make silicon --out runs/silicon/train.xyz --seed 1",
                                    "train '" CASIMIR_SOURCE_DIR "/configs/quickstart.yaml'"}) {
    Outcome outcome = run_program(folder.path(), command);
    REQUIRE_MESSAGE(outcome.code == 0, outcome.err);
  }
  const std::string file = folder / "runs/quickstart/model.safetensors";
  const Model f64 = load_model(file, DType::f64), f32 = load_model(file, DType::f32);
  for (const Model* model : {&f64, &f32}) {
    Trajectory found = run_nve(*model, 2000);
    MESSAGE("drift ", found.drift, " eV per atom, momentum ", found.push,
            "; of the kinetic energy ", found.exchanged, " eV per atom came and went");
    CHECK(found.exchanged > 0.02);
    CHECK(found.drift < 1e-4);
    CHECK(found.push < 1e-3);
  }
  // Forces that are 2 % off the energy's slope do not pass.
  CHECK(run_nve(f64, 200, 1.02).drift > 1e-4);
}
