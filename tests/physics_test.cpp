// What a physicist asks of a potential beyond its symmetries, for MACE and NequIP with random
// weights: the laws that forces of one smooth energy cannot break. Then molecular dynamics.
#include <doctest/doctest.h>

#include "tests/program.h"
#include "tests/random_models.h"
#include "tests/temporary_folder.h"
#include "trainers/check_structures.h"

using namespace casimir;

namespace {

std::vector<double> numbers(const Tensor& tensor) {
  return tensor.array().to_vector<double>();
}

double largest_size(const std::vector<double>& values) {
  double size = 0;
  for (double value : values) size = std::isnan(value) ? INFINITY : std::max(size, std::abs(value));
  return size;
}

// The largest |a[i] - b[i]|.
double difference(std::vector<double> a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return largest_size(a);
}

// d2E / dr_i dr_j, [3 atoms, 3 atoms], eV/A^2.
std::vector<double> force_constants(const Model& model, const Graph& graph) {
  const int64_t n = graph.nodes * 3;
  std::vector<double> jacobian;
  Tape tape;
  Tensor r = tape.watch(Tensor::zeros({graph.nodes, 3}, DType::f64));
  Tensor energy = sum(model.potential->node_energies(graph, displaced_vectors(graph, r)));
  Tensor gradient = reshape(tape.grad({energy}, {r}, {}, {.create_graph = true})[0], {n});
  for (int64_t i = 0; i < n; ++i) {
    Tensor row = tape.grad({slice(gradient, 0, i, i + 1)}, {r}, {}, {.keep_graph = true})[0];
    std::vector<double> values = numbers(row);
    jacobian.insert(jacobian.end(), values.begin(), values.end());
  }
  return jacobian;
}

// The probe, atom 2, at this distance from atom 0 and out of reach of atom 1.
Frame beside_dimer(int number, double distance) {
  Frame frame;
  frame.numbers = {6, 1, number};
  frame.positions = {{0, 0, 0}, {-1.1, 0.1, 0.05}, {0.8 * distance, 0.6 * distance, 0}};
  return frame;
}

struct Probe {
  double energy;                          // eV, of the dimer with the probe
  std::vector<double> forces, constants;  // eV/A, eV/A^2
};

Probe probe_at(const Model& model, int number, double distance) {
  Graph graph = to_graph(prepared(model, {beside_dimer(number, distance)}).batch, DType::f64);
  Prediction prediction = predict(*model.potential, graph);
  return {prediction.energy.item(), numbers(prediction.forces), force_constants(model, graph)};
}

}  // namespace

TEST_CASE("physics: the force constants are symmetric, and moving everything costs nothing") {
  Random random(4);
  const std::vector<Frame> frames{random_molecule(small_elements, 5, random),
                                  random_crystal(small_elements, 4, random)};
  double asymmetry = 0, push = 0;
  for (const auto& [name, model] : random_models()) {
    CAPTURE(name);
    Graph graph = to_graph(prepared(model, frames).batch, DType::f64);
    const int64_t n = graph.nodes * 3;
    const std::vector<double> constants = force_constants(model, graph);
    std::vector<double> transposed(constants.size()), sums(3 * n);
    for (int64_t i = 0; i < n; ++i)
      for (int64_t j = 0; j < n; ++j) {
        transposed[i * n + j] = constants[j * n + i];
        sums[3 * i + j % 3] += constants[i * n + j];
      }
    const double size = largest_size(constants);
    REQUIRE(std::isfinite(size));
    CHECK(size > 0.1);
    asymmetry = std::max(asymmetry, difference(constants, transposed) / size);
    push = std::max(push, largest_size(sums) / size);
  }
  MESSAGE("asymmetry ", asymmetry, ", cost of moving everything ", push, ", relative");
  CHECK(asymmetry < 1e-12);
  CHECK(push < 1e-12);
}

TEST_CASE("physics: the forces of a molecule neither push nor turn it, and make up its virial") {
  Random random(3);
  const Frame molecule = random_molecule(small_elements, 14, random);
  double worst = 0;
  for (const auto& [name, model] : random_models()) {
    CAPTURE(name);
    Graph graph = to_graph(prepared(model, {molecule}).batch, DType::f64);
    Prediction prediction = predict(*model.potential, graph, {.stress = true});
    const std::vector<double> forces = numbers(prediction.forces);
    std::vector<double> push(3), torque(3), virial(9);
    for (size_t i = 0; i < molecule.size(); ++i) {
      const Vec3& r = molecule.positions[i];
      const double* f = &forces[3 * i];
      for (int a = 0; a < 3; ++a) {
        const int b = (a + 1) % 3, c = (a + 2) % 3;
        push[a] += f[a];
        torque[a] += r[b] * f[c] - r[c] * f[b];
        for (int k = 0; k < 3; ++k) virial[3 * a + k] -= r[a] * f[k];  // r -> (1 + e) r
      }
    }
    const double size = largest_size(forces);
    REQUIRE(std::isfinite(size));
    CHECK(size > 0.1);
    worst = std::max({worst, largest_size(push) / size, largest_size(torque) / size,
                      difference(numbers(prediction.virial), virial) / size});
  }
  MESSAGE("force, torque and difference of the virials are ", worst, " of the largest force");
  CHECK(worst < 1e-12);
}

TEST_CASE("physics: each of two distant copies has the forces of one alone") {
  for (const auto& [name, model] : random_models())
    for (const Frame& frame : check_structures(small_elements, 1, 5)) {
      CAPTURE(name);
      auto forces = [&, &potential = *model.potential](const Frame& of) {
        return numbers(
            predict(potential, to_graph(prepared(model, {of}).batch, DType::f64)).forces);
      };
      std::vector<double> one = forces(frame), two = forces(doubled(frame, 4.0));
      one.insert(one.end(), one.begin(), one.end());
      CHECK(difference(two, one) < 1e-11 * largest_size(one));
    }
}

// The polynomial cutoff leaves as d^3 (p (p + 1) (p + 2) / 6 (d / r_max)^3 + ...), the Bessel
// functions as d: with d the distance to r_max, E falls as d^4 and its derivatives one order less.
TEST_CASE("physics: at r_max energy, forces and force constants go to their limits as they must") {
  for (const auto& [name, model] : random_models())
    for (int number : small_elements) {
      CAPTURE(name);
      CAPTURE(number);
      const double r_max = model.potential->r_max();
      const Probe outside = probe_at(model, number, r_max + 0.01);
      const Probe far = probe_at(model, number, r_max + 1);
      CHECK(outside.energy == far.energy);
      CHECK(outside.forces == far.forces);
      CHECK(outside.constants == far.constants);
      CHECK(largest_size({outside.forces.begin() + 6, outside.forces.end()}) == 0);
      double previous[3] = {0, 0, 0};
      for (double d : {0.04, 0.02, 0.01}) {
        const Probe inside = probe_at(model, number, r_max - d);
        const double now[3] = {std::abs(inside.energy - outside.energy),
                               difference(inside.forces, outside.forces),
                               difference(inside.constants, outside.constants)};
        for (int order = 0; order < 3; ++order) {
          CAPTURE(order);
          CAPTURE(d);
          CHECK(now[order] > 0);
          if (previous[order] > 0) {
            const double ratio = previous[order] / now[order], expected = 16 >> order;
            CHECK(ratio > 0.9 * expected);
            CHECK(ratio < 1.1 * expected);
          }
          previous[order] = now[order];
        }
      }
    }
}

TEST_CASE("physics: casimir check passes random models in both number types") {
  TemporaryFolder folder;
  for (const std::string dtype : {"float64", "float32"})
    for (const Model& model :
         {mace_model("4x0e+4x1o+4x2e", dtype), nequip_model("both parities", dtype)}) {
      CAPTURE(model.options.kind + " " + dtype);
      save_model(folder / "model.safetensors", model);
      Outcome outcome = run_program(folder.path(), "check model.safetensors --frames 1");
      CHECK_MESSAGE(outcome.code == 0, outcome.out << outcome.err);
      CHECK(outcome.out.ends_with(dtype == "float64" ? "all 18 hold\n" : "all 30 hold\n"));
    }
}
