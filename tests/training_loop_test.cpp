// The training against the same loop written out by hand: what is clipped, which rate and which
// weights of the loss hold, which weights are validated and kept.
#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "core/parallel.h"
#include "tests/training_run.h"
#include "trainers/checkpoint.h"
#include "trainers/data.h"
#include "trainers/model_file.h"
#include "trainers/optimizer.h"
#include "trainers/step.h"

using namespace casimir;

namespace {

struct EpochByHand {
  double lr, loss, valid_loss, gradient_norm;
  int64_t clipped = 0;
};

struct ByHand {
  std::vector<EpochByHand> epochs;
  std::vector<float> weights;  // the last ones
  std::vector<float> best;     // averaged, of the lowest validation loss of the last stage
};

double validation_loss(Model& model, const Array& average, const Data& data,
                       const RunOptions& options, const LossWeights& weights) {
  Array kept = model.parameters->flat().copy();
  model.parameters->flat().copy_from(average.cast(model.dtype()));
  double sum = 0;
  const BatchOptions batches{.batch_size = options.train.batch_size, .shuffle = false};
  for (const auto& which : plan_batches(data.valid, batches, 0))
    sum += evaluate_batch(model, make_batch(data.valid, which), options.task, weights).loss *
           static_cast<double>(which.size());
  model.parameters->flat().copy_from(kept);
  return sum / static_cast<double>(data.valid.size());
}

// Exponential schedule, clipping, an average, and the second stage.
ByHand train_by_hand(const RunOptions& options) {
  const TrainOptions& train = options.train;
  const Data data = load_data(options);
  Model model = make_model(options.model, data.constants, static_cast<uint64_t>(options.seed));
  Optimizer optimizer(*model.parameters, train.optimizer, train.ema);
  ByHand result;
  double best = INFINITY;
  for (int64_t epoch = 0; epoch < train.epochs; ++epoch) {
    const int64_t begin = *train.stage_two->start_epoch;
    const bool second = epoch >= begin;
    const LossWeights& weights = second ? train.stage_two->weights : options.task.weights;
    const double lr =
        second ? train.stage_two->lr * std::pow(train.schedule.gamma, epoch - begin)
               : train.optimizer.lr * std::pow(train.schedule.gamma, static_cast<double>(epoch));
    EpochByHand now{lr, 0, 0, 0};
    const BatchOptions batches{.batch_size = train.batch_size,
                               .seed = static_cast<uint64_t>(options.seed)};
    const auto plan = plan_batches(data.train, batches, epoch);
    for (const auto& which : plan) {
      Gradient g = loss_gradient(model, make_batch(data.train, which), options.task, weights);
      const double norm = global_norm(g.flat);
      const bool clip = norm > train.clip;
      optimizer.step(*model.parameters, g.flat, lr, clip ? train.clip / (norm + 1e-6) : 1);
      now.clipped += clip;
      now.gradient_norm += norm / static_cast<double>(plan.size());
      now.loss += g.loss * static_cast<double>(which.size()) / data.train.size();
    }
    now.valid_loss = validation_loss(model, optimizer.average(), data, options, weights);
    if (epoch == begin) best = INFINITY;
    if (now.valid_loss < best) {
      best = now.valid_loss;
      result.best = optimizer.average().cast(DType::f32).to_vector<float>();
    }
    result.epochs.push_back(now);
  }
  result.weights = model.parameters->flat().to_vector<float>();
  return result;
}

}  // namespace

TEST_CASE("training loop: every number is that of the loop written out by hand") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 10);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = 5;
  options.train.ema = 0.9;
  options.train.schedule.kind = "exponential";
  options.train.schedule.gamma = 0.5;
  options.train.stage_two.emplace();
  options.train.stage_two->start_epoch = 2;
  options.train.clip = 1e9;
  const ByHand unclipped = train_by_hand(options);
  options.train.clip = 0.9 * unclipped.epochs[0].gradient_norm;  // some steps, not all
  const ByHand expected = train_by_hand(options);
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  set_num_threads(0);

  std::istringstream lines(bytes_of(folder / "run/metrics.jsonl"));
  int64_t clipped = 0;
  for (const EpochByHand& epoch : expected.epochs) {
    std::string line;
    REQUIRE(std::getline(lines, line));
    const auto found = nlohmann::json::parse(line);
    CHECK(found.at("lr").get<double>() == doctest::Approx(epoch.lr).epsilon(1e-14));
    CHECK(found.at("loss").get<double>() == doctest::Approx(epoch.loss).epsilon(1e-12));
    CHECK(found.at("valid_loss").get<double>() == epoch.valid_loss);
    CHECK(found.at("gradient_norm").get<double>() ==
          doctest::Approx(epoch.gradient_norm).epsilon(1e-12));
    CHECK(found.at("clipped").get<int64_t>() == epoch.clipped);
    clipped += epoch.clipped;
  }
  MESSAGE(clipped, " of 20 steps are clipped");
  CHECK(clipped > 0);
  CHECK(clipped < 20);
  const Checkpoint last = read_checkpoint(folder / "run/checkpoints/last.ckpt");
  CHECK(last.arrays.at("parameters").to_vector<float>() == expected.weights);
  const Model model = load_model(folder / "run/model.safetensors");
  CHECK(model.parameters->flat().to_vector<float>() == expected.best);
  CHECK(expected.best != expected.weights);
}
