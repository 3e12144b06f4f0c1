#include "trainers/optimizer.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/config.h"
#include "core/files.h"
#include "core/parallel.h"
#include "tests/message_of.h"

using namespace casimir;

namespace {

// Made by tests/reference/make_optimizer.py, which states the problem.
Config reference() {
  std::string path = CASIMIR_SOURCE_DIR "/tests/reference/optimizer.json";
  return Config::parse(read_file(path), path);
}

Init start_from(int first) {
  return [first](Array& values, Random&) {
    for (int64_t i = 0; i < values.size(); ++i)
      values.data<double>()[i] = std::sin(1.0 + 2.0 * static_cast<double>(first + i));
  };
}

// 12 weights, the first 8 decayed.
struct Problem {
  Parameters parameters{DType::f64, 1};
  Tensor decayed = parameters.root().get("decayed", {2, 4}, start_from(0), true);
  Tensor free = parameters.root().get("free", {4}, start_from(8));
  Problem() { parameters.flatten(); }

  Array gradient(int t) const {
    Array g({12}, DType::f64);
    for (int i = 0; i < 12; ++i)
      g.data<double>()[i] = (0.1 + 0.05 * i) * parameters.flat().data<double>()[i] +
                            (3.0 + 0.2 * i) * std::cos(t + i) * std::exp(-0.15 * t);
    return g;
  }
};

OptimizerOptions options_of(const std::string& kind) {
  OptimizerOptions options;
  options.kind = kind;
  options.lr = 0.03;
  options.betas = {0.8, 0.9};
  options.epsilon = 1e-6;
  options.weight_decay = 0.05;
  return options;
}

void check_close(const Array& found, const std::vector<double>& expected) {
  REQUIRE(found.size() == static_cast<int64_t>(expected.size()));
  for (size_t i = 0; i < expected.size(); ++i)
    CHECK(found.data<double>()[i] == doctest::Approx(expected[i]).epsilon(1e-13));
}

}  // namespace

TEST_CASE(
    "optimizer: adam, adamw and amsgrad with clipping, decay groups and average are torch's") {
  Config expected = reference();
  for (const char* kind : {"adam", "adamw", "amsgrad"}) {
    CAPTURE(kind);
    Problem problem;
    Optimizer optimizer(problem.parameters, options_of(kind), 0.99);
    auto norms = expected[kind].get<std::vector<double>>("norms");
    for (int t = 0; t < 25; ++t) {
      Array g = problem.gradient(t);
      double norm = global_norm(g);
      CHECK(norm == doctest::Approx(norms[t]).epsilon(1e-13));
      optimizer.step(problem.parameters, g, 0.03, norm > 2 ? 2 / (norm + 1e-6) : 1);
    }
    check_close(problem.parameters.flat(), expected[kind].get<std::vector<double>>("weights"));
    check_close(optimizer.average(), expected[kind].get<std::vector<double>>("average"));
  }
}

TEST_CASE("optimizer: the kinds differ on that problem, and so do the groups") {
  auto weights = [](const char* kind) {
    return reference()[kind].get<std::vector<double>>("weights");
  };
  CHECK(std::abs(weights("adam")[0] - weights("adamw")[0]) > 1e-3);
  CHECK(std::abs(weights("adam")[11] - weights("amsgrad")[11]) > 1e-3);
  // Not decayed; only the common clipping couples it to those that are.
  CHECK(weights("adam")[11] == doctest::Approx(weights("adamw")[11]).epsilon(1e-4));
}

TEST_CASE("optimizer: the average follows with min(ema, (1 + t) / (10 + t))") {
  Problem problem;
  Optimizer optimizer(problem.parameters, options_of("adam"), 0.99);
  double start = problem.parameters.flat().data<double>()[0];
  optimizer.step(problem.parameters, problem.gradient(0), 0.03);
  double now = problem.parameters.flat().data<double>()[0];
  // t = 1: 2/11 of the way stays.
  CHECK(optimizer.average().data<double>()[0] ==
        doctest::Approx(start * 2 / 11 + now * 9 / 11).epsilon(1e-14));
  Optimizer none(problem.parameters, options_of("adam"), 0);
  CHECK_FALSE(none.average().defined());
}

TEST_CASE("optimizer: the average of f32 weights arrives, however little they have moved") {
  Parameters parameters(DType::f32, 1);
  parameters.root().get("one", {1}, [](Array& values, Random&) { values.fill(1); });
  parameters.flatten();
  OptimizerOptions options = options_of("adam");
  options.weight_decay = 0;
  Optimizer optimizer(parameters, options, 0.99);
  Array gradient({1}, DType::f32);
  gradient.fill(0);
  for (int t = 0; t < 1000; ++t) optimizer.step(parameters, gradient, 0.03);
  parameters.flat().data<float>()[0] = 1.000001f;  // a hundredth of the way rounds to nothing
  for (int t = 0; t < 3000; ++t) optimizer.step(parameters, gradient, 0.03);
  CHECK(optimizer.average().data<double>()[0] == doctest::Approx(1.000001f).epsilon(1e-12));
}

TEST_CASE("optimizer: an average in f32, of an earlier version, is read") {
  Problem problem;
  Optimizer first(problem.parameters, options_of("adam"), 0.99);
  first.step(problem.parameters, problem.gradient(0), 0.03);
  Safetensors file;
  first.save(file);
  for (auto& [name, array] : file.arrays)
    if (name == "average") array = array.cast(DType::f32);
  Optimizer second(problem.parameters, options_of("adam"), 0.99);
  second.load(file, 1);
  CHECK(second.average().to_vector<double>() ==
        first.average().cast(DType::f32).cast(DType::f64).to_vector<double>());
}

TEST_CASE("optimizer: saved and loaded, it goes on with the same bits") {
  for (const char* kind : {"adam", "amsgrad"}) {
    Problem whole, halves;
    Optimizer one(whole.parameters, options_of(kind), 0.99);
    for (int t = 0; t < 10; ++t) one.step(whole.parameters, whole.gradient(t), 0.03);
    Safetensors file;
    {
      Optimizer first(halves.parameters, options_of(kind), 0.99);
      for (int t = 0; t < 4; ++t) first.step(halves.parameters, halves.gradient(t), 0.03);
      first.save(file);
    }
    Optimizer second(halves.parameters, options_of(kind), 0.99);
    second.load(file, 4);
    for (int t = 4; t < 10; ++t) second.step(halves.parameters, halves.gradient(t), 0.03);
    CHECK(second.steps() == 10);
    CHECK(whole.parameters.flat().to_vector<double>() ==
          halves.parameters.flat().to_vector<double>());
    CHECK(one.average().to_vector<double>() == second.average().to_vector<double>());
  }
}

TEST_CASE("optimizer: moments of another size are refused") {
  Problem problem;
  Optimizer optimizer(problem.parameters, options_of("adam"), 0);
  Safetensors file;
  file.add("moment1", Array::from(std::vector<double>(5, 0.0)));
  CHECK(message_of<DataError>([&] { optimizer.load(file, 1); }) ==
        "moment1: f64 of shape [5], expected f64 of shape [12]");
}

TEST_CASE("optimizer: norm and update have the same bits for 1, 2 and 4 threads") {
  std::vector<std::vector<float>> results;
  std::vector<double> norms;
  int before = num_threads();
  for (int threads : {1, 2, 4}) {
    set_num_threads(threads);
    Parameters parameters(DType::f32, 3);
    parameters.root().get("a", {300, 211}, init::normal(), true);
    parameters.root().get("b", {70001}, init::normal());
    parameters.flatten();
    Optimizer optimizer(parameters, options_of("amsgrad"), 0.99);
    for (int t = 0; t < 3; ++t) {
      Array g = parameters.flat().copy();
      norms.push_back(global_norm(g));
      optimizer.step(parameters, g, 0.01, 0.5);
    }
    results.push_back(parameters.flat().to_vector<float>());
  }
  set_num_threads(before);
  CHECK(results[0] == results[1]);
  CHECK(results[0] == results[2]);
  for (int i = 0; i < 3; ++i) CHECK((norms[i] == norms[3 + i] && norms[i] == norms[6 + i]));
}

TEST_CASE("optimizer: a factor of the learning rate is that of a part of the weights") {
  for (const char* kind : {"adam", "adamw", "amsgrad"}) {
    CAPTURE(kind);
    Problem plain, half, both;
    OptimizerOptions options = options_of(kind);
    Optimizer of_plain(plain.parameters, options, 0.99);
    options.lr_factors = {{"decayed", 0.5}};
    Optimizer of_both(both.parameters, options, 0.99);
    Optimizer of_half(half.parameters, options_of(kind), 0.99);
    const Array g = plain.gradient(1);
    of_plain.step(plain.parameters, g, 0.03);
    of_half.step(half.parameters, g, 0.015);
    of_both.step(both.parameters, g, 0.03);
    for (int i = 0; i < 12; ++i)
      CHECK(both.parameters.flat().data<double>()[i] ==
            doctest::Approx((i < 8 ? half : plain).parameters.flat().data<double>()[i])
                .epsilon(1e-15));
  }
  Problem problem;
  OptimizerOptions options = options_of("adam");
  options.lr_factors = {{"free", 2}, {"decayd", 0.1}};
  CHECK(message_of<ConfigError>([&] { Optimizer(problem.parameters, options, 0); }) ==
        "train.optimizer.lr_factors: no weights have 'decayd' in their names; did you mean "
        "'decayed'?");
}
