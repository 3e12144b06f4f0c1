// Padded batches: the same numbers as without padding, from sizes that depend on the bucket alone.
#include <doctest/doctest.h>

#include "tests/random_models.h"

using namespace casimir;

namespace {

std::vector<int64_t> all_of(const std::vector<Sample>& samples) {
  std::vector<int64_t> which;
  for (size_t i = 0; i < samples.size(); ++i) which.push_back(static_cast<int64_t>(i));
  return which;
}

double norm_of(const Array& flat) {
  double sum = 0;
  for (double x : flat.values<double>()) sum += x * x;
  return std::sqrt(sum);
}

}  // namespace

TEST_CASE("padding: whole buckets, one more graph, edges beyond the cutoff") {
  Model model = mace_model("6x0e");
  Prepared p = labelled(model);
  const double r_max = model.potential->r_max();
  AtomsBatch padded = make_batch(p.samples, all_of(p.samples), r_max);
  CHECK(padded.nodes == 64);
  CHECK(padded.edges % 1024 == 0);
  CHECK(padded.edges >= p.batch.edges);
  CHECK(padded.pair.targets() == padded.edges / 2);
  CHECK(padded.graphs == p.batch.graphs + 1);
  CHECK(padded.atoms() == p.batch.nodes);
  CHECK(padded.frames() == p.batch.graphs);
  CHECK(padded.samples == p.batch.samples);
  CHECK(padded.receiver.sorted());
  CHECK(padded.node_graph.sorted());
  CHECK(padded.edge_graph.sorted());
  for (const Array* weight : {&padded.energy_weight, &padded.forces_weight, &padded.stress_weight})
    CHECK(weight->values<double>().back() == 0);
  for (int64_t e = p.batch.edges; e < padded.edges; ++e) {
    CHECK(padded.sender[e] >= padded.atoms());
    CHECK(padded.receiver[e] >= padded.atoms());
    CHECK(padded.shifts.values<double>()[3 * e] > r_max);
  }
  for (int64_t n = 0; n < padded.pair.targets(); ++n) CHECK(padded.pair[padded.pair_edge[n]] == n);
}

TEST_CASE("padding: every edge has a pair when the reverse edges are missing") {
  // 1024 edges with 600 pairs do not fit in 512: the next bucket.
  Model model = mace_model("6x0e");
  Prepared p = labelled(model);
  Sample& sample = p.samples[0];
  Neighbors& list = sample.neighbors;
  list = {};
  sample.pairs = {};
  for (int32_t e = 0; e < 1024; ++e) {
    list.receiver.push_back(0);
    list.sender.push_back(1);
    list.cell_shift.push_back({e, 0, 0});
    sample.pairs.pair.push_back(e < 848 ? e / 2 : e - 424);
    if (e >= 848 || e % 2 == 0) sample.pairs.first.push_back(e);
  }
  REQUIRE(sample.pairs.first.size() == 600);
  AtomsBatch padded = make_batch(p.samples, std::vector<int64_t>{0}, 4);
  CHECK(padded.edges == 2048);
  CHECK(padded.pair.targets() == 1024);
  CHECK(padded.pair_edge.size() == 1024);
}

TEST_CASE("padding: a batch without edges") {
  Frame atom;
  atom.numbers = {6};
  atom.positions = {{0, 0, 0}};
  Model model = mace_model("6x0e");
  Prepared p = prepared(model, {atom});
  AtomsBatch padded = make_batch(p.samples, all_of(p.samples), 4);
  CHECK(padded.nodes == 64);
  CHECK(padded.edges == 0);
  CHECK(padded.pair.targets() == 0);
}

TEST_CASE("padding: loss, gradient, energies, forces and stress are those without padding") {
  for (const char* loss : {"mse", "huber"})
    for (const auto& [name, model] : random_models()) {
      CAPTURE(name);
      Prepared p = labelled(model);
      AtomsBatch padded = make_batch(p.samples, all_of(p.samples), model.potential->r_max());
      TaskOptions task;
      task.loss = loss;
      task.energy = "per_atom";
      const LossWeights weights{1, 10, 100};
      Gradient expected = loss_gradient(model, p.batch, task, weights);
      Gradient found = loss_gradient(model, padded, task, weights);
      CHECK(found.loss == doctest::Approx(expected.loss).epsilon(1e-12));
      const double norm = norm_of(expected.flat);
      REQUIRE(norm > 0);
      for (int64_t i = 0; i < found.flat.size(); ++i)
        REQUIRE(std::abs(found.flat.values<double>()[i] - expected.flat.values<double>()[i]) <
                1e-12 * norm);

      const Evaluation with = evaluate_batch(model, padded, task, weights);
      const Evaluation without = evaluate_batch(model, p.batch, task, weights);
      CHECK(with.loss == doctest::Approx(without.loss).epsilon(1e-12));
      REQUIRE(with.predictions.size() == without.predictions.size());
      for (size_t g = 0; g < with.predictions.size(); ++g) {
        const FramePrediction &a = with.predictions[g], &b = without.predictions[g];
        CHECK(a.energy == doctest::Approx(b.energy).epsilon(1e-12));
        REQUIRE(a.forces.size() == b.forces.size());
        for (size_t i = 0; i < a.forces.size(); ++i)
          for (int k = 0; k < 3; ++k) CHECK(std::abs(a.forces[i][k] - b.forces[i][k]) < 1e-12);
        for (int k = 0; k < 9; ++k) CHECK(std::abs((*a.stress)[k] - (*b.stress)[k]) < 1e-12);
      }
    }
}

TEST_CASE("padding: the forces on it are exactly zero") {
  for (const auto& [name, model] : random_models()) {
    CAPTURE(name);
    Prepared p = labelled(model);
    AtomsBatch padded = make_batch(p.samples, all_of(p.samples), model.potential->r_max());
    Prediction prediction = predict(*model.potential, to_graph(padded, model.dtype()));
    for (int64_t i = 3 * padded.atoms(); i < 3 * padded.nodes; ++i)
      CHECK(prediction.forces.array().values<double>()[i] == 0);
  }
}
