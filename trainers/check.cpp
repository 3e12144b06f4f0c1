#include "trainers/check.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <span>

#include "equivariant/wigner.h"
#include "trainers/check_structures.h"
#include "trainers/step.h"
#include "trainers/table.h"

namespace casimir {

namespace {

constexpr double floor_of_size = 0.1;  // eV, eV/A: below this, differences count as absolute

// Energies without the reference energies, which would hide them: every digit counts here.
struct Interaction {
  double energy = 0;
  double size = floor_of_size;  // sum of |E_i| over the atoms, eV
  std::vector<Vec3> forces;
  Mat3 virial{};
};

// Rounding is a share of what is added up, not of a sum that may cancel.
void add_sizes(const Model& model, const Graph& graph, std::span<const int64_t> which,
               std::vector<Interaction>& results) {
  Tensor energies = model.potential->node_energies(graph, graph.edge_vectors);
  std::vector<double> node = energies.array().cast(DType::f64).to_vector<double>();
  for (size_t i = 0; i < node.size(); ++i)
    results[which[graph.node_graph[static_cast<int64_t>(i)]]].size += std::abs(node[i]);
}

std::vector<Interaction> interactions(const Model& model, const std::vector<Frame>& frames,
                                      bool forces = true) {
  std::vector<Sample> samples =
      prepare_samples(frames, model.potential->elements(), model.potential->r_max());
  std::vector<Interaction> results(samples.size());
  for (const auto& which : plan_batches(samples, {.max_edges = 16384, .shuffle = false}, 0)) {
    AtomsBatch batch = make_batch(samples, which);
    const Graph graph = to_graph(batch, model.dtype());
    Prediction prediction = predict(*model.potential, graph, {.forces = forces, .stress = forces});
    add_sizes(model, graph, which, results);
    std::vector<double> energy = prediction.energy.array().cast(DType::f64).to_vector<double>();
    std::vector<double> force, virial;
    if (forces) {
      force = prediction.forces.array().cast(DType::f64).to_vector<double>();
      virial = prediction.virial.array().cast(DType::f64).to_vector<double>();
    }
    size_t node = 0;
    for (size_t k = 0; k < which.size(); ++k) {
      Interaction& result = results[which[k]];
      result.energy = energy[k];
      if (!forces) continue;
      std::copy_n(&virial[9 * k], 9, result.virial.begin());
      for (size_t i = 0; i < samples[which[k]].frame.size(); ++i, ++node)
        result.forces.push_back({force[3 * node], force[3 * node + 1], force[3 * node + 2]});
    }
  }
  return results;
}

// NaN stays NaN, so that it can never pass a bound.
void raise(double& largest, double value) {
  if (std::isnan(value) || value > largest) largest = value;
}

double largest_of(const std::vector<Vec3>& forces, double size = floor_of_size) {
  for (const Vec3& force : forces)
    for (double component : force) raise(size, std::abs(component));
  return size;
}

double largest_of(const Mat3& matrix, double size = floor_of_size) {
  for (double element : matrix) raise(size, std::abs(element));
  return size;
}

// R V R^T
Mat3 turned(const Mat3& virial, const Mat3& rotation) {
  Mat3 out{};
  for (int a = 0; a < 3; ++a)
    for (int b = 0; b < 3; ++b)
      for (int c = 0; c < 3; ++c)
        for (int d = 0; d < 3; ++d)
          out[3 * a + b] += rotation[3 * a + c] * virial[3 * c + d] * rotation[3 * b + d];
  return out;
}

// One symmetry: moved frames, and what their forces (atom order[k] became k) and virials must be.
struct Symmetry {
  std::string name;
  std::function<Frame(const Frame&, std::vector<int64_t>& order, Mat3& matrix)> move;
};

std::vector<Symmetry> symmetries(Random& random) {
  auto rotation = [&random](const Frame& frame, auto&, Mat3& matrix) {
    matrix = random_rotation(random);
    return transformed(frame, matrix);
  };
  auto inversion = [](const Frame& frame, auto&, Mat3& matrix) {
    matrix = {-1, 0, 0, 0, -1, 0, 0, 0, -1};
    return transformed(frame, matrix);
  };
  auto permutation = [&random](const Frame& frame, auto& order, Mat3&) {
    order = random.permutation(static_cast<int64_t>(frame.size()));
    return permuted(frame, order);
  };
  auto translation = [&random](const Frame& frame, auto&, Mat3&) {
    Vec3 shift{random.uniform(-1, 1), random.uniform(-1, 1), random.uniform(-1, 1)};
    return wrapped(translated(frame, shift), random);
  };
  return {{"rotation", rotation},
          {"inversion", inversion},
          {"permutation", permutation},
          {"translation", translation}};
}

struct Differences {
  double scale;  // eV/A: forces of the training data; a calmer frame is no reason to count closer
  double energy = 0, forces = 0, virial = 0;

  void add(const Interaction& before, const Interaction& after, const std::vector<int64_t>& order,
           const Mat3& matrix) {
    raise(energy, std::abs(after.energy - before.energy) / before.size);
    const double size = largest_of(before.forces, std::max(floor_of_size, scale));
    for (size_t k = 0; k < order.size(); ++k) {
      Vec3 expected = product(matrix, before.forces[order[k]]);
      for (int c = 0; c < 3; ++c) raise(forces, std::abs(after.forces[k][c] - expected[c]) / size);
    }
    Mat3 expected = turned(before.virial, matrix);
    for (int c = 0; c < 9; ++c)
      raise(virial,
            std::abs(after.virial[c] - expected[c]) / largest_of(before.virial, before.size));
  }
};

// (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12 h = f' + O(h^4)
constexpr double stencil_places[] = {-2, -1, 1, 2};
constexpr double stencil_weights[] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};

double slope(const std::vector<Interaction>& energies, size_t first, double h) {
  double sum = 0;
  for (int k = 0; k < 4; ++k) sum += stencil_weights[k] * energies[first + k].energy;
  return sum / h;
}

std::vector<Vec3> random_direction(size_t atoms, Random& random) {
  std::vector<Vec3> direction(atoms);
  double squares = 0;
  for (Vec3& row : direction)
    for (double& component : row) {
      component = random.normal();
      squares += component * component;
    }
  for (Vec3& row : direction)
    for (double& component : row) component /= std::sqrt(squares);
  return direction;
}

bool bulk(const Frame& frame) {
  return frame.pbc[0] && frame.pbc[1] && frame.pbc[2];
}

}  // namespace

std::vector<CheckResult> check_symmetry(const Model& model, const std::vector<Frame>& frames,
                                        uint64_t seed) {
  Random random(random_key(seed, "check symmetry"));
  const std::vector<Interaction> before = interactions(model, frames);
  std::vector<CheckResult> results;
  for (const Symmetry& symmetry : symmetries(random)) {
    std::vector<Frame> moved;
    std::vector<std::vector<int64_t>> orders;
    std::vector<Mat3> matrices;
    for (const Frame& frame : frames) {
      std::vector<int64_t> order(frame.size());
      for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
      Mat3 matrix{1, 0, 0, 0, 1, 0, 0, 0, 1};
      moved.push_back(symmetry.move(frame, order, matrix));
      orders.push_back(order);
      matrices.push_back(matrix);
    }
    const std::vector<Interaction> after = interactions(model, moved);
    const double bound = model.dtype() == DType::f64 ? 1e-11 : 1e-5;
    Differences differences{model.constants.scale};
    for (size_t i = 0; i < frames.size(); ++i)
      differences.add(before[i], after[i], orders[i], matrices[i]);
    results.push_back({symmetry.name, "energy", "relative", differences.energy, bound});
    results.push_back({symmetry.name, "forces", "relative", differences.forces, bound});
    results.push_back({symmetry.name, "virial", "relative", differences.virial, bound});
  }
  return results;
}

std::vector<CheckResult> check_derivatives(const Model& model, const std::vector<Frame>& frames,
                                           uint64_t seed) {
  constexpr double h = 1e-4, strain = 1e-5;
  constexpr int directions = 3;
  Random random(random_key(seed, "check derivatives"));
  const std::vector<Interaction> exact = interactions(model, frames);
  double force_difference = 0, virial_difference = 0;
  bool any_bulk = false;
  for (size_t i = 0; i < frames.size(); ++i) {
    const Frame& frame = frames[i];
    std::vector<Frame> moved;
    std::vector<double> expected;  // dE along the direction
    for (int d = 0; d < directions; ++d) {
      std::vector<Vec3> direction = random_direction(frame.size(), random);
      double sum = 0;
      for (size_t k = 0; k < frame.size(); ++k)
        for (int c = 0; c < 3; ++c) sum -= exact[i].forces[k][c] * direction[k][c];
      expected.push_back(sum);
      for (double place : stencil_places) moved.push_back(displaced(frame, direction, place * h));
    }
    for (int d = 0; d < directions && bulk(frame); ++d) {
      any_bulk = true;
      Mat3 direction{};
      double sum = 0;
      for (int a = 0; a < 3; ++a)
        for (int b = a; b < 3; ++b)
          direction[3 * a + b] = direction[3 * b + a] = random.uniform(-1, 1);
      for (int c = 0; c < 9; ++c) sum += exact[i].virial[c] * direction[c];
      expected.push_back(sum);
      for (double place : stencil_places) {
        Mat3 matrix{1, 0, 0, 0, 1, 0, 0, 0, 1};
        for (int c = 0; c < 9; ++c) matrix[c] += place * strain * direction[c];
        moved.push_back(transformed(frame, matrix));
      }
    }
    const std::vector<Interaction> energies = interactions(model, moved, false);
    // Along a unit vector of all coordinates a derivative has the size of one component.
    for (size_t d = 0; d < expected.size(); ++d) {
      const bool strained = d >= directions;
      double difference = std::abs(slope(energies, 4 * d, strained ? strain : h) - expected[d]);
      double size = strained ? largest_of(exact[i].virial) : largest_of(exact[i].forces);
      raise(strained ? virial_difference : force_difference, difference / size);
    }
  }
  std::vector<CheckResult> results{
      {"energy differences", "forces", "relative", force_difference, 1e-7}};
  if (any_bulk)
    results.push_back({"energy differences", "stress", "relative", virial_difference, 1e-7});
  return results;
}

std::vector<CheckResult> check_smoothness(const Model& model) {
  const double r_max = model.potential->r_max();
  const double h = 1e-4 * r_max, delta = h / 4;
  std::vector<int> elements = model.potential->elements();
  elements.resize(std::min<size_t>(elements.size(), 6));
  // Distances from the nearer atom of the dimer; the last one is out of reach.
  const double distances[] = {
      r_max - h, r_max - h - delta, r_max - h + delta, r_max - 2 * h - delta, r_max - 2 * h + delta,
      r_max + h};
  double value = 0, slope = 0, curvature = 0;
  for (int inside : elements)
    for (int probe : elements) {
      std::vector<Frame> frames;
      for (double distance : distances) {
        Frame frame;
        frame.source = "probe at r_max";
        frame.numbers = {inside, inside, probe};
        frame.positions = {{-0.3 * r_max, 0, 0}, {0, 0, 0}, {0.8 * distance, 0.6 * distance, 0}};
        frames.push_back(frame);
      }
      std::vector<Interaction> at = interactions(model, frames);
      // dE/dr, r along (0.8, 0.6, 0)
      auto derivative = [&](int k) {
        return -(0.8 * at[k].forces[2][0] + 0.6 * at[k].forces[2][1]);
      };
      raise(value, std::abs(at[0].energy - at[5].energy));
      raise(slope, std::abs(derivative(0)));
      // The second derivative at r_max from those at r_max - h and r_max - 2 h.
      double near = (derivative(2) - derivative(1)) / (2 * delta);
      double far = (derivative(4) - derivative(3)) / (2 * delta);
      raise(curvature, std::abs(2 * near - far));
    }
  return {{"smooth at r_max", "energy", "eV", value, 1e-6},
          {"smooth at r_max", "slope", "eV/A", slope, 1e-3},
          {"smooth at r_max", "curvature", "eV/A^2", curvature, 1e-3}};
}

std::vector<CheckResult> check_additivity(const Model& model, const std::vector<Frame>& frames) {
  std::vector<Frame> twice;
  for (const Frame& frame : frames) twice.push_back(doubled(frame, model.potential->r_max()));
  std::vector<Interaction> one = interactions(model, frames, false);
  std::vector<Interaction> two = interactions(model, twice, false);
  double difference = 0;
  for (size_t i = 0; i < frames.size(); ++i)
    raise(difference, std::abs(two[i].energy - 2 * one[i].energy) / two[i].size);
  return {{"two copies", "energy", "relative", difference, 1e-11}};
}

std::vector<Frame> check_structures(const std::vector<int>& elements, int64_t frames,
                                    uint64_t seed) {
  Random random(random_key(seed, "check structures"));
  std::vector<Frame> made;
  for (int64_t i = 0; i < frames; ++i) {
    made.push_back(random_molecule(elements, 12, random));
    made.push_back(random_crystal(elements, 8, random));
    made[made.size() - 2].number = made.back().number = i;
  }
  return made;
}

std::string check_text(const std::vector<CheckResult>& results) {
  Table table({{"property", "", true},
               {"of", "", true},
               {"found", ""},
               {"bound", ""},
               {"", "", true},
               {"result", "", true}});
  for (const CheckResult& result : results)
    table.row({result.property, result.quantity, number_text(result.found, 2),
               number_text(result.bound, 1), result.unit, result.holds() ? "ok" : "FAILED"});
  return table.text();
}

}  // namespace casimir
