#include "trainers/tasks.h"

#include <cmath>

#include "nn/losses.h"

namespace casimir {

namespace {

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

LossTargets energy_forces_targets(const AtomsBatch& batch, const std::vector<double>& references,
                                  const TaskOptions& task, const LossWeights& weights, DType dtype,
                                  Device device) {
  auto tensor = [&](const Array& values) { return Tensor(values.cast(dtype).to(device)); };
  auto term = [&](const Array& target, const Array& weight, double factor, int64_t differences) {
    const std::vector<double> share{factor / static_cast<double>(differences)};
    return LossTerm{tensor(target), tensor(weight), tensor(Array::from(share, {}))};
  };
  const Shape per_graph{batch.graphs, 1, 1};
  LossTargets targets;
  if (weights.energy > 0) {
    EnergyTarget energy = energy_target(batch, references, task.energy);
    targets.energy = term(energy.target, batch.energy_weight, weights.energy, batch.frames());
    targets.energy_factor = tensor(energy.factor);
  }
  if (weights.forces > 0)
    targets.forces = term(batch.forces, node_weights(batch), weights.forces, 3 * batch.atoms());
  if (weights.stress > 0)
    targets.stress = term(batch.stress, batch.stress_weight.reshaped(per_graph), weights.stress,
                          9 * batch.frames());
  return targets;
}

Tensor energy_forces_loss(const Prediction& prediction, const LossTargets& targets,
                          const Tensor& volumes, const TaskOptions& task) {
  Tensor loss;
  // share sum_i w_i l(x_i - target_i), added to the loss
  auto add_term = [&](const Tensor& predicted, const LossTerm& term) {
    Tensor terms = loss_of(task.loss, predicted - term.target, task.huber_delta) * term.weight;
    Tensor value = sum(terms) * term.share;
    loss = loss.defined() ? loss + value : value;
  };
  if (targets.energy.target.defined())
    add_term(prediction.energy * targets.energy_factor, targets.energy);
  if (targets.forces.target.defined()) add_term(prediction.forces, targets.forces);
  if (targets.stress.target.defined()) add_term(prediction.virial / volumes, targets.stress);
  return loss;
}

}  // namespace casimir
