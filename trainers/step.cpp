#include "trainers/step.h"

#include <algorithm>

#include "core/parallel.h"
#include "trainers/profile_report.h"
#include "trainers/registry.h"

namespace casimir {

namespace {

Array edge_vectors(const AtomsBatch& batch) {
  Array vectors(Shape{batch.edges, 3}, DType::f64);
  const double *r = batch.positions.data<double>(), *shift = batch.shifts.data<double>();
  double* out = vectors.data<double>();
  for (int64_t e = 0; e < batch.edges; ++e)
    for (int64_t c = 0; c < 3; ++c)
      out[3 * e + c] = r[3 * batch.receiver[e] + c] - r[3 * batch.sender[e] + c] + shift[3 * e + c];
  return vectors;
}

}  // namespace

Graph to_graph(const AtomsBatch& batch, DType dtype, Device device) {
  auto tensor = [&](const Array& values) { return Tensor(values.cast(dtype).to(device)); };
  Graph graph;
  graph.nodes = batch.nodes;
  graph.edges = batch.edges;
  graph.graphs = batch.graphs;
  graph.edge_vectors = tensor(edge_vectors(batch));
  graph.volumes = tensor(batch.volumes.reshaped({batch.graphs, 1, 1}));
  graph.sender = batch.sender.to(device);
  graph.receiver = batch.receiver.to(device);
  graph.pair = batch.pair.to(device);
  graph.pair_edge = batch.pair_edge.to(device);
  graph.species = batch.species.to(device);
  graph.node_graph = batch.node_graph.to(device);
  graph.edge_graph = batch.edge_graph.to(device);
  return graph;
}

std::vector<double> reference_sums(const Potential& potential, const AtomsBatch& batch) {
  const std::vector<double>& energies = potential.reference_energies();
  std::vector<double> sums(batch.graphs, 0.0);
  for (int64_t n = 0; n < batch.nodes; ++n) sums[batch.node_graph[n]] += energies[batch.species[n]];
  return sums;
}

namespace {

std::vector<double> host(const Tensor& x) {
  return x.array().to(Device::cpu).cast(DType::f64).to_vector<double>();
}

std::vector<FramePrediction> to_frames(const Prediction& prediction, const AtomsBatch& batch,
                                       const std::vector<double>& references) {
  std::vector<FramePrediction> frames(batch.frames());
  std::vector<double> energy = host(prediction.energy);
  for (int64_t g = 0; g < batch.frames(); ++g) frames[g].energy = energy[g] + references[g];
  if (prediction.forces.defined()) {
    std::vector<double> forces = host(prediction.forces);
    for (int64_t n = 0; n < batch.atoms(); ++n)
      frames[batch.node_graph[n]].forces.push_back(
          {forces[3 * n], forces[3 * n + 1], forces[3 * n + 2]});
  }
  if (prediction.virial.defined()) {
    std::vector<double> virial = host(prediction.virial);
    for (int64_t g = 0; g < batch.frames(); ++g) {
      double volume = batch.volumes.values<double>()[g];
      std::array<double, 9>& stress = frames[g].stress.emplace();
      for (int k = 0; k < 9; ++k) stress[k] = virial[9 * g + k] / volume;
    }
  }
  return frames;
}

// Gradients of all parameters one after the other; zeros where the loss does not depend on one.
Array flat_gradient(const Parameters& parameters, const Tensors& gradients) {
  Array flat(parameters.flat().shape(), parameters.dtype(), parameters.device());
  const std::vector<Parameters::Entry>& entries = parameters.entries();
  const auto count = static_cast<int64_t>(entries.size());
  // The GPU takes its copies in the order of one thread's calls.
  parallel_for(count, flat.on_cuda() ? count : 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      int64_t offset = entries[i].offset, size = entries[i].tensor.size();
      Array part = flat.rows(offset, offset + size);
      if (gradients[i].defined())
        part.copy_from(gradients[i].array().reshaped({size}));
      else
        part.fill(0);
    }
  });
  return flat;
}

}  // namespace

std::vector<FramePrediction> predict_batch(const Model& model, const AtomsBatch& batch,
                                           PredictOptions options) {
  Graph graph = to_graph(batch, model.dtype(), model.parameters->device());
  Prediction prediction = predict(*model.potential, graph, options);
  return to_frames(prediction, batch, reference_sums(*model.potential, batch));
}

StepInputs step_inputs(const Model& model, const AtomsBatch& batch, const TaskOptions& task,
                       const LossWeights& weights, Device device) {
  const DType dtype = model.dtype();
  return {to_graph(batch, dtype, device),
          find_task(task.kind).targets(batch, reference_sums(*model.potential, batch), task,
                                       weights, dtype, device)};
}

Evaluation evaluate_batch(const Model& model, const AtomsBatch& batch, const TaskOptions& task,
                          const LossWeights& weights) {
  const TaskRow& row = find_task(task.kind);
  StepInputs inputs = step_inputs(model, batch, task, weights, model.parameters->device());
  PredictOptions options = row.needed(weights);
  options.forces = true;
  Prediction prediction = predict(*model.potential, inputs.graph, options);
  Tensor loss = row.loss(prediction, inputs.targets, inputs.graph.volumes, task);
  return {loss.item(), to_frames(prediction, batch, reference_sums(*model.potential, batch))};
}

LossAndGradient loss_and_gradient(const Model& model, const StepInputs& inputs,
                                  const TaskOptions& task, const LossWeights& weights) {
  const TaskRow& row = find_task(task.kind);
  const Parameters& parameters = *model.parameters;
  Tape tape;
  parameters.watch(tape);
  PredictOptions options = row.needed(weights);
  options.create_graph = true;
  Prediction prediction = predict(*model.potential, inputs.graph, options);
  Tensor loss = row.loss(prediction, inputs.targets, inputs.graph.volumes, task);
  Tensors gradients = tape.grad({loss}, parameters.all());
  Array flat = flat_gradient(parameters, gradients);
  profile_part("flat gradient");
  return {loss, flat};
}

Gradient loss_gradient(const Model& model, const AtomsBatch& batch, const TaskOptions& task,
                       const LossWeights& weights) {
  StepInputs inputs = step_inputs(model, batch, task, weights, model.parameters->device());
  profile_part("batch to tensors");
  LossAndGradient found = loss_and_gradient(model, inputs, task, weights);
  return {found.flat, found.loss.item()};
}

}  // namespace casimir
