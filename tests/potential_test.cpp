// The whole potential: derivatives of every order, forces, stress, symmetries, and the gradient of
// the loss.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "core/parallel.h"
#include "core/random.h"
#include "trainers/check.h"
#include "trainers/step.h"

using namespace casimir;

namespace {

ModelOptions small_options(const std::string& hidden, const std::string& dtype) {
  ModelOptions options;
  options.dtype = dtype;
  options.elements = {"H", "C", "O"};
  options.mace.hidden_irreps = hidden;
  options.mace.r_max = 4.0;
  options.mace.radial_mlp = {8, 8};
  options.mace.num_bessel = 6;
  options.mace.readout_irreps = "4x0e";
  return options;
}

Model small_model(const std::string& hidden, const std::string& dtype = "float64") {
  MaceConstants constants{{1, 6, 8}, {-13.6, -1029.5, -2042.0}, 4.0, 1.3, -0.4};
  return make_model(small_options(hidden, dtype), constants, 7);
}

// A rattled molecule or a strained cell with labels.
std::vector<Frame> labelled_frames() {
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
  return frames;
}

struct Prepared {
  std::vector<Sample> samples;
  AtomsBatch batch;
};
Prepared prepare(const Model& model) {
  Prepared p;
  p.samples =
      prepare_samples(labelled_frames(), model.potential->elements(), model.potential->r_max());
  std::vector<int64_t> which;
  for (size_t i = 0; i < p.samples.size(); ++i) which.push_back(static_cast<int64_t>(i));
  p.batch = make_batch(p.samples, which);
  return p;
}

double largest(const std::vector<CheckResult>& results) {
  double value = 0;
  for (const CheckResult& r : results) value = std::max(value, r.found);
  return value;
}

const std::vector<std::string> variants = {"6x0e", "6x0e+6x1o", "4x0e+4x1o+4x2e"};

}  // namespace

TEST_CASE("potential: derivatives with respect to the positions to order three") {
  for (const std::string& hidden : variants) {
    Model model = small_model(hidden);
    Prepared p = prepare(model);
    Graph graph = to_graph(p.batch, DType::f64);
    auto f = [&](const Tensors& in) {
      Tensor vectors = displaced_vectors(graph, in[0]);
      return Tensors{segment_sum(model.potential->node_energies(graph, vectors), graph.node_graph)};
    };
    Tensor still = Tensor::zeros({graph.nodes, 3}, DType::f64);
    CHECK(gradcheck(f, {still}, {.order = 3}) < 1e-6);
  }
}

TEST_CASE("potential: forces are -dE/dr and the virial is dE/dstrain to 1e-8") {
  for (const std::string& hidden : variants) {
    Model model = small_model(hidden);
    CHECK(largest(check_derivatives(model, check_structures({1, 6, 8}, 2, 5), 1)) < 1e-8);
  }
}

TEST_CASE("potential: equivariance errors are at most 1e-12 in f64 and 1e-5 in f32") {
  for (const std::string& hidden : variants) {
    std::vector<Frame> frames = check_structures({1, 6, 8}, 3, 9);
    CHECK(largest(check_symmetry(small_model(hidden), frames, 1)) < 1e-12);
    CHECK(largest(check_symmetry(small_model(hidden, "float32"), frames, 1)) < 1e-5);
  }
}

TEST_CASE("potential: smooth at r_max, and twice the energy for two distant copies") {
  for (const std::string& hidden : variants) {
    Model model = small_model(hidden);
    for (const CheckResult& r : check_smoothness(model)) CHECK(r.holds());
    for (const CheckResult& r : check_additivity(model, check_structures({1, 6, 8}, 2, 5)))
      CHECK(r.holds());
  }
}

TEST_CASE("potential: the force Jacobian is symmetric") {
  Model model = small_model("4x0e+4x1o");
  Prepared p = prepare(model);
  Graph graph = to_graph(p.batch, DType::f64);
  const int64_t n = graph.nodes * 3;
  std::vector<double> jacobian;
  Tape tape;
  Tensor r = tape.watch(Tensor::zeros({graph.nodes, 3}, DType::f64));
  Tensor vectors = displaced_vectors(graph, r);
  Tensor energy = sum(model.potential->node_energies(graph, vectors));
  Tensor gradient = reshape(tape.grad({energy}, {r}, {}, {.create_graph = true})[0], {n});
  for (int64_t i = 0; i < n; ++i) {
    Tensor row = tape.grad({slice(gradient, 0, i, i + 1)}, {r}, {}, {.keep_graph = true})[0];
    std::vector<double> values = row.array().to_vector<double>();
    jacobian.insert(jacobian.end(), values.begin(), values.end());
  }
  double difference = 0, size = 0;
  for (int64_t i = 0; i < n; ++i)
    for (int64_t j = 0; j < n; ++j) {
      difference = std::max(difference, std::abs(jacobian[i * n + j] - jacobian[j * n + i]));
      size = std::max(size, std::abs(jacobian[i * n + j]));
    }
  CHECK(difference < 1e-12 * size);
}

TEST_CASE("potential: the gradient of the loss against differences, for every block of parameters" *
          doctest::test_suite("slow")) {
  TaskOptions task;
  LossWeights weights{1, 10, 5};
  for (const std::string& hidden : variants)
    for (const std::string first : {"residual", "non_residual"}) {
      ModelOptions options = small_options(hidden, "float64");
      options.mace.interaction_first = first;
      Model model = make_model(options, {{1, 6, 8}, {-13.6, -1029.5, -2042.0}, 4.0, 1.3, -0.4}, 7);
      Prepared p = prepare(model);
      Gradient exact = loss_gradient(model, p.batch, task, weights);
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
          slope += factors[k] * loss_gradient(model, p.batch, task, weights).loss / h;
        }
        std::copy(before.begin(), before.end(), flat + entry.offset);
        CHECK(std::abs(slope - expected) < 1e-6 * std::max(std::sqrt(size), 1e-3 * exact.loss));
      }
    }
}

TEST_CASE(
    "potential: loss and gradient have the same bits for 1, 2, 3 and 8 threads, twice, and in "
    "poisoned memory") {
  for (const std::string& hidden : variants) {
    Model model = small_model(hidden, "float32");
    Prepared p = prepare(model);
    set_num_threads(1);
    Gradient expected = loss_gradient(model, p.batch, {}, {1, 10, 5});
    for (int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      set_poison(threads == 3);
      Gradient found = loss_gradient(model, p.batch, {}, {1, 10, 5});
      set_poison(false);
      CHECK(found.loss == expected.loss);
      CHECK(found.flat.to_vector<float>() == expected.flat.to_vector<float>());
    }
    set_num_threads(0);
  }
}
