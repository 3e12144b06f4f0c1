// Training steps and inferences of whole models on the first frames of 3BPA's train_300K, and
// inferences on silicon. bench/peers/mace_step.py and nequip_step.py do the same work.
#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <optional>

#include "bench/workload.h"
#include "datasets/extxyz.h"
#include "datasets/silicon.h"
#include "datasets/statistics.h"
#include "trainers/optimizer.h"
#include "trainers/step.h"

namespace casimir {

namespace {

constexpr double learning_rate = 0.01;

std::vector<Frame> first_frames(const std::string& path, size_t count) {
  check<UsageError>(!path.empty(),
                    "expected --data FILE: train_300K.xyz of the 3BPA set, "
                    "https://github.com/davkovacs/BOTNet-datasets (dataset_3BPA)");
  std::vector<Frame> frames = read_extxyz(path, {}, concat_text(":", count));
  check<DataError>(frames.size() == count, path, ": expected ", count, " frames or more, found ",
                   frames.size());
  for (const Frame& frame : frames)
    check<DataError>(frame.energy && !frame.forces.empty(), frame.where(),
                     ": the benchmark needs energy and forces");
  return frames;
}

AtomsBatch one_batch(const std::vector<Frame>& frames, double r_max) {
  const std::vector<Sample> samples = prepare_samples(frames, elements_of(frames), r_max);
  std::vector<int64_t> all(samples.size());
  std::iota(all.begin(), all.end(), int64_t{0});
  return make_batch(samples, all);
}

// As the peer has them: one mean energy per atom, the mean number of neighbours, no scale.
MaceConstants constants_of(const std::vector<Frame>& frames, const AtomsBatch& batch) {
  MaceConstants constants;
  constants.elements = elements_of(frames);
  double energy = 0;
  for (const Frame& frame : frames) energy += frame.energy.value_or(0);
  constants.atomic_energies.assign(constants.elements.size(),
                                   energy / static_cast<double>(batch.nodes));
  constants.avg_num_neighbors = static_cast<double>(batch.edges) / static_cast<double>(batch.nodes);
  return constants;
}

// A model with its batch and optimizer.
class Job {
 public:
  Job(const ModelOptions& options, const std::vector<Frame>& frames, const std::string& model_file)
      : batch_(one_batch(frames, options.r_max())),
        model_(model_file.empty() ? make_model(options, constants_of(frames, batch_), 1)
                                  : load_model(model_file, options.type())) {
    task_.energy = "per_atom";
    task_.weights = {.energy = 1, .forces = 1000, .stress = 0};
    optimizer_.emplace(*model_.parameters, OptimizerOptions{.weight_decay = 0}, 0.0);
  }

  // Energy and forces, loss 1 (dE/N)^2 + 1000 dF^2, its gradient, a step of AMSGrad.
  void train() {
    const Gradient gradient = gradient_of_loss();
    check<DivergedError>(std::isfinite(gradient.loss), "benchmark: the loss is ", gradient.loss);
    optimizer_->step(*model_.parameters, gradient.flat, learning_rate);
  }
  void infer() { predict_batch(model_, batch_); }  // energy and forces

  // Interaction energy of each frame, eV; forces, eV/A; loss and norm of its gradient.
  Results results(bool with_gradient) {
    Results results(2);
    const std::vector<double> references = reference_sums(*model_.potential, batch_);
    for (const FramePrediction& frame : predict_batch(model_, batch_)) {
      results[0].push_back(frame.energy - references[results[0].size()]);
      for (const Vec3& force : frame.forces)
        results[1].insert(results[1].end(), force.begin(), force.end());
    }
    if (with_gradient) {
      const Gradient gradient = gradient_of_loss();
      results.push_back({gradient.loss});
      results.push_back({global_norm(gradient.flat)});
    }
    return results;
  }

 private:
  Gradient gradient_of_loss() const { return loss_gradient(model_, batch_, task_, task_.weights); }

  AtomsBatch batch_;
  Model model_;
  TaskOptions task_;
  std::optional<Optimizer> optimizer_;
};

Workload model_workload(const ModelOptions& options, const std::vector<Frame>& frames, bool train,
                        const std::string& model_file) {
  auto job = std::make_shared<Job>(options, frames, model_file);
  return {[=] { train ? job->train() : job->infer(); }, [=] { return job->results(train); }};
}

// MACE with 128 channels and degrees 0 .. l_hidden.
ModelOptions mace(int l_hidden, const std::string& dtype) {
  ModelOptions options;
  options.dtype = dtype;
  options.mace.hidden_irreps = "128x0e";
  if (l_hidden > 0) options.mace.hidden_irreps += " + 128x1o";
  if (l_hidden > 1) options.mace.hidden_irreps += " + 128x2e";
  return options;
}

// Arithmetic, GFLOP, for the 135 atoms and 2242 edges of five frames of train_300K at 5 A: every
// product of the exact model counted once per sweep, radial MLP per directed edge.
constexpr double train_gflop[] = {4.0, 6.7, 10.3}, infer_gflop[] = {1.32, 2.22, 3.42};

Row mace_row(bool train, int l_hidden, size_t frames, const std::string& dtype) {
  Row row;
  row.name = concat_text(train ? "train_step_mace_l" : "infer_mace_l", l_hidden,
                         frames == 1 ? "_molecule" : "", dtype == "float64" ? "_f64" : "");
  row.dtype = dtype == "float64" ? DType::f64 : DType::f32;
  row.gflop = (train ? train_gflop : infer_gflop)[l_hidden] * static_cast<double>(frames) / 5;
  row.make = [=](const WorkloadOptions& options) {
    return model_workload(mace(l_hidden, dtype), first_frames(options.data, frames), train,
                          options.model);
  };
  return row;
}

Workload nequip_workload(const WorkloadOptions& given) {
  ModelOptions options;
  options.kind = "nequip";
  options.nequip = Config::parse("{preset: M, r_max: 5}", "preset").read<NequipOptions>();
  return model_workload(options, first_frames(given.data, 5), true, given.model);
}

// A perfect crystal whose atoms are moved by 0.1 A, and a small MACE.
Row silicon_row(const std::array<int64_t, 3>& cells) {
  Row row;
  row.name = concat_text("infer_silicon_", 8 * cells[0] * cells[1] * cells[2]);
  row.make = [=](const WorkloadOptions&) {
    Frame frame = silicon_crystal(cells);
    const Input moves("moves");
    for (size_t i = 0; i < frame.size(); ++i)
      for (size_t k = 0; k < 3; ++k) frame.positions[i][k] += 0.1 * moves[3 * i + k];
    ModelOptions options;
    options.mace.hidden_irreps = "16x0e + 16x1o";
    options.mace.l_max = 2;
    options.mace.correlation = {2};
    options.mace.radial_mlp = {32, 32};
    return model_workload(options, {frame}, false, "");
  };
  return row;
}

}  // namespace

std::vector<Row> model_rows() {
  std::vector<Row> rows;
  for (int l = 2; l >= 0; --l) rows.push_back(mace_row(true, l, 5, "float32"));
  rows.push_back(mace_row(true, 2, 5, "float64"));
  for (int l = 2; l >= 0; --l) rows.push_back(mace_row(false, l, 5, "float32"));
  for (int l : {2, 0}) rows.push_back(mace_row(false, l, 1, "float32"));
  rows.push_back(mace_row(false, 2, 5, "float64"));
  rows.push_back({"train_step_nequip_m", DType::f32, 0, nequip_workload});
  rows.push_back(silicon_row({5, 5, 5}));
  rows.push_back(silicon_row({10, 10, 10}));
  rows.push_back(silicon_row({15, 25, 10}));
  return rows;
}

}  // namespace casimir
