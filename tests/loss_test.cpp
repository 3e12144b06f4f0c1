// Losses and their gradients against sums written out by hand, and model files.
#include <doctest/doctest.h>

#include <cmath>

#include "autograd/ops.h"
#include "core/random.h"
#include "nn/losses.h"
#include "tests/training_run.h"
#include "trainers/data.h"
#include "trainers/model_file.h"
#include "trainers/step.h"

using namespace casimir;

namespace {

// Three frames with labels, a tiny f64 model for them.
struct Fixture {
  std::vector<Sample> samples;
  Model model;
  std::vector<int64_t> which{2, 0, 1};

  Fixture() {
    SiliconOptions silicon;
    silicon.frames = 3;
    silicon.repeat = {1, 1, 1};
    std::vector<Frame> frames = make_silicon(silicon);
    frames[0].weight = 2;
    frames[0].forces_weight = 0.5;
    frames[1].energy.reset();
    frames[2].stress.reset();
    RunOptions options = small_run("unused");
    options.model.dtype = "float64";
    samples = prepare_samples(std::move(frames), {14}, options.model.mace.r_max);
    MaceConstants constants;
    constants.elements = {14};
    constants.atomic_energies = {-3.9};
    constants.shift = -0.3;
    constants.scale = 1.3;
    constants.avg_num_neighbors = 16;
    model = make_model(options.model, constants, 5);
  }
  AtomsBatch batch() const { return make_batch(samples, which); }
};

double pointwise(const TaskOptions& task, double x) {
  if (task.loss == "mse") return x * x;
  if (task.loss == "mae") return std::abs(x);
  double delta = task.huber_delta;
  return std::abs(x) <= delta ? x * x / 2 : delta * (std::abs(x) - delta / 2);
}

// The formula of options.h over the frames, from predictions.
double by_hand(const Fixture& f, const TaskOptions& task) {
  PredictOptions all;
  all.stress = true;
  std::vector<FramePrediction> predictions = predict_batch(f.model, f.batch(), all);
  double energy = 0, forces = 0, stress = 0, atoms = 0;
  for (size_t b = 0; b < 3; ++b) {
    const Frame& frame = f.samples[f.which[b]].frame;
    const FramePrediction& p = predictions[b];
    double n = static_cast<double>(frame.size());
    double power = task.energy == "total" ? 1 : task.energy == "per_atom" ? n : std::sqrt(n);
    atoms += n;
    if (frame.energy)
      energy +=
          frame.weight * frame.energy_weight * pointwise(task, (p.energy - *frame.energy) / power);
    for (size_t i = 0; i < frame.size(); ++i)
      for (int k = 0; k < 3; ++k)
        forces += frame.weight * frame.forces_weight *
                  pointwise(task, p.forces[i][k] - frame.forces[i][k]);
    if (frame.stress)
      for (int k = 0; k < 9; ++k)
        stress += frame.weight * frame.stress_weight *
                  pointwise(task, (*p.stress)[k] - (*frame.stress)[k]);
  }
  const LossWeights& w = task.weights;
  return w.energy * energy / 3 + w.forces * forces / (3 * atoms) + w.stress * stress / 27;
}

}  // namespace

TEST_CASE("loss: mse, mae and huber at hand values") {
  Tensor x = Tensor::from(std::vector<double>{-2, -0.25, 0, 0.5, 3}, {5});
  CHECK(loss_of("mse", x, 1).array().to_vector<double>() ==
        std::vector<double>{4, 0.0625, 0, 0.25, 9});
  CHECK(loss_of("mae", x, 1).array().to_vector<double>() ==
        std::vector<double>{2, 0.25, 0, 0.5, 3});
  CHECK(loss_of("huber", x, 0.5).array().to_vector<double>() ==
        std::vector<double>{0.875, 0.03125, 0, 0.125, 1.375});
}

TEST_CASE("loss: every kind and weighting equals the formula, missing labels left out") {
  Fixture f;
  for (const char* loss : {"mse", "mae", "huber"})
    for (const char* energy : {"total", "per_atom", "per_sqrt_atom"}) {
      TaskOptions task;
      task.loss = loss;
      task.huber_delta = 0.2;
      task.energy = energy;
      task.weights = {3, 50, 700};
      CAPTURE(loss);
      CAPTURE(energy);
      double expected = by_hand(f, task);
      CHECK(evaluate_batch(f.model, f.batch(), task, task.weights).loss ==
            doctest::Approx(expected).epsilon(1e-12));
      CHECK(loss_gradient(f.model, f.batch(), task, task.weights).loss ==
            doctest::Approx(expected).epsilon(1e-12));
    }
}

TEST_CASE("loss: the gradient of every parameter block equals central differences") {
  Fixture f;
  TaskOptions task;
  task.weights = {3, 50, 700};
  Array gradient = loss_gradient(f.model, f.batch(), task, task.weights).flat;
  double* weights = f.model.parameters->flat().data<double>();
  Random random(random_key(1, "directions"));
  for (const Parameters::Entry& entry : f.model.parameters->entries()) {
    int64_t size = entry.tensor.size();
    std::vector<double> direction(size);
    double expected = 0;
    for (int64_t i = 0; i < size; ++i) {
      direction[i] = random.normal();
      expected += direction[i] * gradient.data<double>()[entry.offset + i];
    }
    auto loss_at = [&](double step) {
      for (int64_t i = 0; i < size; ++i) weights[entry.offset + i] += step * direction[i];
      double loss = evaluate_batch(f.model, f.batch(), task, task.weights).loss;
      for (int64_t i = 0; i < size; ++i) weights[entry.offset + i] -= step * direction[i];
      return loss;
    };
    // Fourth order in h.
    double h = 2e-4;
    double found = (8 * (loss_at(h) - loss_at(-h)) - (loss_at(2 * h) - loss_at(-2 * h))) / (12 * h);
    CAPTURE(entry.name);
    CHECK(found == doctest::Approx(expected).epsilon(1e-6));
  }
}
