#include "bench/mace_workload.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>

#include "core/gemm.h"
#include "datasets/extxyz.h"
#include "datasets/statistics.h"

namespace casimir {

namespace {

constexpr double r_max = 5;
constexpr double learning_rate = 0.01;

std::vector<Frame> five_frames(const std::string& path) {
  std::vector<Frame> frames = read_extxyz(path, {}, ":5");
  check<DataError>(frames.size() == 5, path, ": expected five frames or more, found ",
                   frames.size());
  for (const Frame& frame : frames)
    check<DataError>(frame.energy && !frame.forces.empty(), frame.where(),
                     ": the benchmark needs energy and forces");
  return frames;
}

ModelOptions model_options(int l_hidden) {
  ModelOptions options;
  options.mace.r_max = r_max;
  options.mace.hidden_irreps = "128x0e";
  if (l_hidden > 0) options.mace.hidden_irreps += " + 128x1o";
  if (l_hidden > 1) options.mace.hidden_irreps += " + 128x2e";
  return options;
}

// As the peer has them: one mean energy per atom, the mean number of neighbours, no scale.
Model fresh_model(const std::vector<Frame>& frames, const AtomsBatch& batch, int l_hidden) {
  MaceConstants constants;
  constants.elements = elements_of(frames);
  double energy = 0;
  for (const Frame& frame : frames) energy += *frame.energy;
  constants.atomic_energies.assign(constants.elements.size(), energy / batch.nodes);
  constants.avg_num_neighbors = static_cast<double>(batch.edges) / batch.nodes;
  return make_model(model_options(l_hidden), constants, 1);
}

}  // namespace

MaceWorkload::MaceWorkload(const std::string& data_file, int l_hidden,
                           const std::string& model_file) {
  std::vector<Frame> frames = five_frames(data_file);
  std::vector<Sample> samples = prepare_samples(frames, elements_of(frames), r_max);
  std::vector<int64_t> all(samples.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  batch_ = make_batch(samples, all);
  model_ = model_file.empty() ? fresh_model(frames, batch_, l_hidden)
                              : load_model(model_file, DType::f32);
  task_.energy = "per_atom";
  task_.weights = {.energy = 1, .forces = 1000, .stress = 0};
  optimizer_.emplace(*model_.parameters, OptimizerOptions{.weight_decay = 0}, 0.0);
}

void MaceWorkload::train() {
  Gradient gradient = loss_gradient(model_, batch_, task_, task_.weights);
  check<DivergedError>(std::isfinite(gradient.loss), "benchmark: the loss is ", gradient.loss);
  optimizer_->step(*model_.parameters, gradient.flat, learning_rate);
}

void MaceWorkload::infer() {
  predict_batch(model_, batch_);
}

std::vector<double> MaceWorkload::fingerprint() const {
  std::vector<double> numbers, references = reference_sums(*model_.potential, batch_);
  double squares = 0;
  for (const FramePrediction& frame : predict_batch(model_, batch_)) {
    numbers.push_back(frame.energy - references[numbers.size()]);
    for (const Vec3& force : frame.forces)
      for (double component : force) squares += component * component;
  }
  numbers.push_back(std::sqrt(squares));
  return numbers;
}

double MaceWorkload::train_gflop(int l_hidden) {
  return std::vector{4.0, 6.7, 10.3}.at(l_hidden);
}

double MaceWorkload::infer_gflop(int l_hidden) {
  return std::vector{1.32, 2.22, 3.42}.at(l_hidden);
}

double sgemm_peak() {
  constexpr int64_t n = 1024;
  Array a(Shape{n, n}, DType::f32), b(Shape{n, n}, DType::f32), c(Shape{n, n}, DType::f32);
  a.fill(0.5);
  b.fill(0.25);
  Gemm<float> product{.m = n,
                      .n = n,
                      .k = n,
                      .a = a.data<float>(),
                      .lda = n,
                      .b = b.data<float>(),
                      .ldb = n,
                      .c = c.data<float>(),
                      .ldc = n};
  double best = 0;
  for (int i = 0; i < 50; ++i) {
    auto start = std::chrono::steady_clock::now();
    gemm(product);
    std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2e-9 * n * n * n / time.count());
  }
  return best;
}

}  // namespace casimir
