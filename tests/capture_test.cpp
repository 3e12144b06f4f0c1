// Steps as captured CUDA graphs: the bits of steps without them. What needs a GPU skips itself.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>

#include "core/capture.h"
#include "tests/message_of.h"
#include "tests/random_models.h"
#include "tests/training_run.h"
#include "trainers/device_step.h"

using namespace casimir;

namespace {

bool no_gpu() {
  if (cuda_available()) return false;
  MESSAGE("skipped: no GPU");
  return true;
}

std::vector<int64_t> two_of(int64_t step, int64_t samples) {
  return {step % samples, (step + 1) % samples};
}

struct Outcome {
  std::vector<double> losses, norms;
  std::vector<float> weights;
  std::vector<double> average;
  int64_t graphs = 0;
  bool operator==(const Outcome& other) const {
    return losses == other.losses && norms == other.norms && weights == other.weights &&
           average == other.average;
  }
};

// Steps over silicon, two frames each, all of one bucket.
Outcome take_steps(int64_t steps, const std::string& graph) {
  RunOptions options = small_run("unused");
  SiliconOptions silicon;
  silicon.frames = 6;
  silicon.repeat = {1, 1, 1};
  MaceConstants constants;
  constants.elements = {14};
  constants.atomic_energies = {-3.9};
  constants.avg_num_neighbors = 16;
  Model model = make_model(options.model, constants, 5, Device::cuda);
  const double r_max = model.potential->r_max();
  const std::vector<Sample> samples = prepare_samples(make_silicon(silicon), {14}, r_max);
  Optimizer optimizer(*model.parameters, options.train.optimizer, 0.99);
  DeviceStep step(model, optimizer, options.task, 10, graph,
                  [](const std::string& text) { FAIL_CHECK(text); });
  Outcome outcome;
  auto finish = [&] {
    const DeviceStep::Result result = step.finish();
    outcome.losses.push_back(result.loss);
    outcome.norms.push_back(result.gradient_norm);
  };
  for (int64_t i = 0; i < steps; ++i) {
    step.start(make_batch(samples, two_of(i, 6), r_max), options.task.weights,
               0.01 / static_cast<double>(i + 1));
    if (i > 0) finish();
  }
  finish();
  outcome.weights = model.parameters->flat().to_vector<float>();
  outcome.average = optimizer.average().to_vector<double>();
  outcome.graphs = step.graphs();
  return outcome;
}

std::vector<std::string> files_of(const std::string& run) {
  return {bytes_of(run + "/metrics.jsonl"), bytes_of(run + "/lcurve.csv"),
          bytes_of(run + "/model.safetensors")};
}

}  // namespace

TEST_CASE("capture: a private pool's buffers are given to nobody else") {
  std::shared_ptr<Pool> pool = private_pool(Device::cpu);
  void* place = nullptr;
  {
    PoolScope scope(pool);
    Buffer buffer(12345, Device::cpu);
    place = buffer.data();
  }
  Buffer other(12345, Device::cpu);
  CHECK(other.data() != place);
  PoolScope scope(pool);
  Buffer again(12345, Device::cpu);
  CHECK(again.data() == place);
}

TEST_CASE("capture: a buffer keeps its private pool") {
  std::shared_ptr<Pool> pool = private_pool(Device::cpu);
  std::weak_ptr<Pool> seen = pool;
  auto buffer = [&] {
    PoolScope scope(std::move(pool));
    return std::make_unique<Buffer>(1000, Device::cpu);
  }();
  CHECK(!seen.expired());
  std::memset(buffer->data(), 1, 1000);
  buffer.reset();
  CHECK(seen.expired());
}

TEST_CASE("capture: views of a block") {
  Array block(Shape{32}, DType::u8);
  Array numbers = block.view(8, {2}, DType::f64);
  numbers.fill(2.5);
  CHECK(block.view(16, {1}, DType::f64).values<double>()[0] == 2.5);
  CHECK(message_of<ShapeError>([&] { block.view(24, {2}, DType::f64); }) ==
        "view: bytes 24 to 40 of 32 as f64 [2]");
}

TEST_CASE("capture: step.graph: require is refused on the cpu") {
  const std::string message = message_of<ConfigError>([] {
    read_options(Config::parse("data: {train: [a.xyz]}\nstep: {graph: require}\n", "run.yaml"));
  });
  CHECK(message.find("step.graph: expected auto or off with device: cpu") != std::string::npos);
}

TEST_CASE("capture: twenty steps have the bits of steps without graphs") {
  if (no_gpu()) return;
  const Outcome eager = take_steps(20, "off"), captured = take_steps(20, "require");
  CHECK(eager.graphs == 0);
  CHECK(captured.graphs >= 1);
  CHECK(captured == eager);
}

TEST_CASE("capture: a training resumed amid captured steps ends with the same bytes") {
  if (no_gpu()) return;
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.step.device = "cuda";
  options.train.epochs = 7;
  std::vector<std::vector<std::string>> found;
  for (const char* graph : {"off", "require"}) {
    options.step.graph = graph;
    REQUIRE(train(request_for(options, folder / graph)) == 0);
    found.push_back(files_of(folder / graph));
  }
  RunRequest halted = request_for(options, folder / "halted");
  halted.stop_after = 8;
  REQUIRE(train(halted) == 75);
  REQUIRE(train(request_for(options, folder / "halted")) == 0);
  found.push_back(files_of(folder / "halted"));
  CHECK((found[1] == found[0]));
  CHECK((found[2] == found[0]));
}

TEST_CASE("capture: a step whose loss is not finite changes nothing") {
  if (no_gpu()) return;
  RunOptions options = small_run("unused");
  Model model = make_model(options.model, small_constants, 5, Device::cuda);
  Prepared p = labelled(model);
  *p.samples[0].frame.energy = INFINITY;
  const AtomsBatch batch =
      make_batch(p.samples, std::vector<int64_t>{0, 1}, model.potential->r_max());
  Optimizer optimizer(*model.parameters, options.train.optimizer, 0.99);
  DeviceStep step(model, optimizer, options.task, 10, "require", [](const std::string&) {});
  const std::vector<float> before = model.parameters->flat().to_vector<float>();
  for (int i = 0; i < 3; ++i) {
    step.start(batch, options.task.weights, 0.01);
    CHECK(!std::isfinite(step.finish().loss));
  }
  CHECK((model.parameters->flat().to_vector<float>() == before));
  CHECK((optimizer.average().to(Device::cpu).cast(DType::f32).to_vector<float>() == before));
}
