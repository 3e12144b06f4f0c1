#include "trainers/tasks.h"

#include <cmath>

#include "nn/losses.h"

namespace casimir {

namespace {

// f64 on the host -> the model's type on its device.
Tensor constant(const Array& values, const Tensor& like) {
  return Tensor(values.cast(like.dtype()).to(like.device()));
}

// (E_label - references) / N^k, formed in f64 because total energies need more digits than f32 has,
// and the factors 1 / N^k that the prediction gets.
struct EnergyTarget {
  Array target, factor;
};
EnergyTarget energy_target(const AtomsBatch& batch, const std::vector<double>& references,
                           const std::string& kind) {
  double exponent = kind == "total" ? 0 : kind == "per_atom" ? 1 : 0.5;
  std::vector<double> target(batch.graphs), factor(batch.graphs);
  std::span<const double> energy = batch.energy.values<double>();
  std::span<const double> natoms = batch.natoms.values<double>();
  std::span<const double> weight = batch.energy_weight.values<double>();
  for (int64_t g = 0; g < batch.graphs; ++g) {
    factor[g] = std::pow(natoms[g], -exponent);
    target[g] = weight[g] == 0 ? 0 : (energy[g] - references[g]) * factor[g];
  }
  return {Array::from(target), Array::from(factor)};
}

// The weight of each graph repeated for its nodes: [nodes, 1].
Array node_weights(const AtomsBatch& batch) {
  std::vector<double> weights(batch.nodes);
  std::span<const double> of_graph = batch.forces_weight.values<double>();
  for (int64_t n = 0; n < batch.nodes; ++n) weights[n] = of_graph[batch.node_graph[n]];
  return Array::from(weights, {batch.nodes, 1});
}

}  // namespace

PredictOptions needed(const LossWeights& weights) {
  PredictOptions options;
  options.forces = weights.forces > 0;
  options.stress = weights.stress > 0;
  return options;
}

Tensor energy_forces_loss(const Prediction& prediction, const AtomsBatch& batch,
                          const std::vector<double>& references, const TaskOptions& task,
                          const LossWeights& weights) {
  Tensor loss;
  // factor sum_i w_i l(x_i), added to the loss
  auto add_term = [&](const Tensor& difference, const Array& weight, double factor) {
    Tensor terms = loss_of(task.loss, difference, task.huber_delta) * constant(weight, difference);
    Tensor term = scale(sum(terms), factor);
    loss = loss.defined() ? loss + term : term;
  };
  if (weights.energy > 0) {
    EnergyTarget energy = energy_target(batch, references, task.energy);
    Tensor predicted = prediction.energy * constant(energy.factor, prediction.energy);
    add_term(predicted - constant(energy.target, predicted), batch.energy_weight,
             weights.energy / static_cast<double>(batch.graphs));
  }
  if (weights.forces > 0)
    add_term(prediction.forces - constant(batch.forces, prediction.forces), node_weights(batch),
             weights.forces / static_cast<double>(3 * batch.nodes));
  if (weights.stress > 0) {
    Array volumes = batch.volumes.reshaped({batch.graphs, 1, 1});
    Tensor stress = prediction.virial / constant(volumes, prediction.virial);
    add_term(stress - constant(batch.stress, stress),
             batch.stress_weight.reshaped({batch.graphs, 1, 1}),
             weights.stress / static_cast<double>(9 * batch.graphs));
  }
  return loss;
}

}  // namespace casimir
