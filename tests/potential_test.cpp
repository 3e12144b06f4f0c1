// The whole potential, MACE and NequIP: derivatives of every order, forces, stress, symmetries, and
// the gradient of the loss.
#include <doctest/doctest.h>

#include <algorithm>

#include "autograd/gradcheck.h"
#include "core/parallel.h"
#include "tests/random_models.h"
#include "trainers/evaluate.h"

using namespace casimir;

namespace {

constexpr LossWeights weights{1, 10, 5};

// Each block of parameters along a random direction.
void check_loss_gradient(Model& model) {
  Prepared p = labelled(model);
  Gradient exact = loss_gradient(model, p.batch, {}, weights);
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
    const double places[] = {-2, -1, 1, 2}, factors[] = {1.0 / 12, -8.0 / 12, 8.0 / 12, -1.0 / 12};
    std::vector<double> before(flat + entry.offset, flat + entry.offset + direction.size());
    for (int k = 0; k < 4; ++k) {
      for (size_t i = 0; i < direction.size(); ++i)
        flat[entry.offset + i] = before[i] + places[k] * h * direction[i];
      slope += factors[k] * loss_gradient(model, p.batch, {}, weights).loss / h;
    }
    std::copy(before.begin(), before.end(), flat + entry.offset);
    CHECK(std::abs(slope - expected) < 1e-6 * std::max(std::sqrt(size), 1e-3 * exact.loss));
  }
}

}  // namespace

TEST_CASE("potential: derivatives with respect to the positions to order three") {
  for (const auto& [name, model] : random_models()) {
    CAPTURE(name);
    Graph graph = to_graph(labelled(model).batch, DType::f64);
    auto f = [&, &potential = *model.potential](const Tensors& in) {
      Tensor vectors = displaced_vectors(graph, in[0]);
      return Tensors{segment_sum(potential.node_energies(graph, vectors), graph.node_graph)};
    };
    Tensor still = Tensor::zeros({graph.nodes, 3}, DType::f64);
    CHECK(gradcheck(f, {still}, {.order = 3}) < 1e-6);
  }
}

TEST_CASE("potential: forces are -dE/dr and the virial is dE/dstrain to 1e-8") {
  for (const auto& [name, model] : random_models()) {
    CAPTURE(name);
    CHECK(largest(check_derivatives(model, check_structures(small_elements, 2, 5), 1)) < 1e-8);
  }
}

TEST_CASE("potential: equivariance errors are at most 1e-12 in f64 and 1e-5 in f32") {
  std::vector<Frame> frames = check_structures(small_elements, 3, 9);
  for (const auto& [name, model] : random_models()) {
    CAPTURE(name);
    CHECK(largest(check_symmetry(model, frames, 1)) < 1e-12);
  }
  for (const auto& [name, model] : random_models("float32")) {
    CAPTURE(name);
    CHECK(largest(check_symmetry(model, frames, 1)) < 1e-5);
  }
}

TEST_CASE("potential: every atom adds its element's E0 and the shift, which act on nothing else") {
  MaceConstants others = small_constants;
  others.shift += 0.25;
  others.atomic_energies[2] += 1.5;
  std::vector<Frame> frames = check_structures(small_elements, 3, 9);
  for (const ModelOptions& options : {mace_options("6x0e+6x1o"), nequip_options("natural")}) {
    CAPTURE(options.kind);
    const auto before =
        evaluate_frames(make_model(options, small_constants, 7), frames).predictions;
    const auto after = evaluate_frames(make_model(options, others, 7), frames).predictions;
    for (size_t i = 0; i < frames.size(); ++i) {
      const std::vector<int>& numbers = frames[i].numbers;
      const double oxygens = static_cast<double>(std::count(numbers.begin(), numbers.end(), 8));
      const double expected = 0.25 * static_cast<double>(numbers.size()) + 1.5 * oxygens;
      CHECK(after[i].energy - before[i].energy == doctest::Approx(expected).epsilon(1e-9));
      CHECK(after[i].forces == before[i].forces);
    }
  }
}

TEST_CASE("potential: smooth at r_max, and twice the energy for two distant copies") {
  for (const auto& [name, model] : random_models()) {
    CAPTURE(name);
    for (const CheckResult& r : check_smoothness(model)) CHECK(r.holds());
    for (const CheckResult& r : check_additivity(model, check_structures(small_elements, 2, 5)))
      CHECK(r.holds());
  }
}

TEST_CASE("potential: the gradient of the loss against differences, for every block of parameters" *
          doctest::test_suite("slow")) {
  for (const std::string& hidden : mace_variants)
    for (const std::string first : {"residual", "non_residual"}) {
      CAPTURE(hidden + ", " + first);
      ModelOptions options = mace_options(hidden);
      options.mace.interaction_first = first;
      Model model = make_model(options, small_constants, 7);
      check_loss_gradient(model);
    }
  for (const std::string& variant : nequip_variants) {
    CAPTURE(variant);
    Model model = nequip_model(variant);
    check_loss_gradient(model);
  }
}

TEST_CASE(
    "potential: loss and gradient have the same bits for 1, 2, 3 and 8 threads, twice, and in "
    "poisoned memory") {
  for (const auto& [name, model] : random_models("float32")) {
    CAPTURE(name);
    Prepared p = labelled(model);
    set_num_threads(1);
    Gradient expected = loss_gradient(model, p.batch, {}, weights);
    for (int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      set_poison(threads == 3);
      Gradient found = loss_gradient(model, p.batch, {}, weights);
      set_poison(false);
      CHECK(found.loss == expected.loss);
      CHECK(found.flat.to_vector<float>() == expected.flat.to_vector<float>());
    }
    set_num_threads(0);
  }
}
