// A batch through a model: predictions, loss, and the loss's gradient.
#pragma once

#include <vector>

#include "datasets/batch.h"
#include "equivariant/potential.h"
#include "trainers/metrics.h"
#include "trainers/model_file.h"
#include "trainers/tasks.h"

namespace casimir {

// The batch as tensors of the model's type on its device.
Graph to_graph(const AtomsBatch& batch, DType dtype, Device device = Device::cpu);

// Sum of the reference energies of each structure, in f64: [graphs].
std::vector<double> reference_sums(const Potential& potential, const AtomsBatch& batch);

// Predictions of every structure of the batch, total energies, in f64.
std::vector<FramePrediction> predict_batch(const Model& model, const AtomsBatch& batch,
                                           PredictOptions options = {});
struct Evaluation {
  double loss = 0;
  std::vector<FramePrediction> predictions;
};
// Loss and predictions, without a gradient; forces always, stress when it has a weight.
Evaluation evaluate_batch(const Model& model, const AtomsBatch& batch, const TaskOptions& task,
                          const LossWeights& weights);

// What a training step reads of a batch.
struct StepInputs {
  Graph graph;
  LossTargets targets;
};
StepInputs step_inputs(const Model& model, const AtomsBatch& batch, const TaskOptions& task,
                       const LossWeights& weights, Device device);

struct LossAndGradient {
  Tensor loss;
  Array flat;  // [parameters], in the order of Parameters::flat()
};
// Loss of the task and its gradient with respect to every parameter; does not wait for the GPU.
LossAndGradient loss_and_gradient(const Model& model, const StepInputs& inputs,
                                  const TaskOptions& task, const LossWeights& weights);

struct Gradient {
  Array flat;
  double loss = 0;
};
// The same of a batch, the loss on the host.
Gradient loss_gradient(const Model& model, const AtomsBatch& batch, const TaskOptions& task,
                       const LossWeights& weights);

}  // namespace casimir
