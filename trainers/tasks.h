// Tasks: batch and prediction -> loss.
#pragma once

#include "datasets/batch.h"
#include "equivariant/potential.h"
#include "trainers/options.h"

namespace casimir {

// What of the prediction a loss with these weights needs.
PredictOptions needed(const LossWeights& weights);

// The loss of options.h, a scalar tensor of the model's type. `references` [graphs]: energy of the
// isolated atoms, subtracted from the labels in f64.
Tensor energy_forces_loss(const Prediction& prediction, const AtomsBatch& batch,
                          const std::vector<double>& references, const TaskOptions& task,
                          const LossWeights& weights);

}  // namespace casimir
