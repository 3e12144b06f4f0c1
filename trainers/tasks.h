// Tasks: batch and prediction -> loss.
#pragma once

#include "datasets/batch.h"
#include "equivariant/potential.h"
#include "trainers/options.h"

namespace casimir {

// What of the prediction a loss with these weights needs.
PredictOptions needed(const LossWeights& weights);

// The labels of a batch and what their differences are multiplied by, in the type and on the device
// of the model. Terms without a weight in the loss are absent.
struct LossTerm {
  Tensor target;
  Tensor weight;  // of each graph or node
  Tensor share;   // []: weight of the term in the loss / number of its differences
};
struct LossTargets {
  LossTerm energy;       // (E - references) / N^k: [graphs]
  Tensor energy_factor;  // 1 / N^k: [graphs]
  LossTerm forces;       // [nodes, 3], weight [nodes, 1]
  LossTerm stress;       // [graphs, 3, 3], weight [graphs, 1, 1]
};

// `references` [graphs]: energy of the isolated atoms, subtracted from the labels in f64.
LossTargets energy_forces_targets(const AtomsBatch& batch, const std::vector<double>& references,
                                  const TaskOptions& task, const LossWeights& weights, DType dtype,
                                  Device device);

// The loss of options.h, a scalar tensor of the model's type. volumes: [graphs, 1, 1].
Tensor energy_forces_loss(const Prediction& prediction, const LossTargets& targets,
                          const Tensor& volumes, const TaskOptions& task);

}  // namespace casimir
