#include "equivariant/potential.h"

#include <optional>

namespace casimir {

Tensor displaced_vectors(const Graph& graph, const Tensor& displacements) {
  return graph.edge_vectors +
         (gather(displacements, graph.receiver) - gather(displacements, graph.sender));
}

Prediction predict(const Potential& potential, const Graph& graph, PredictOptions options) {
  std::optional<Tape> own;
  if (!Tape::current() && (options.forces || options.stress)) own.emplace();
  Tape* tape = Tape::current();
  const DType dtype = graph.edge_vectors.dtype();
  const Device device = graph.edge_vectors.device();

  // Forces are derivatives with respect to displacements, at zero.
  Tensor displacements, vectors = graph.edge_vectors;
  if (options.forces) {
    displacements = tape->watch(Tensor::zeros({graph.nodes, 3}, dtype, device));
    vectors = displaced_vectors(graph, displacements);
  }
  Tensor strain;
  if (options.stress) {
    // vector -> (1 + e) vector with the symmetric part e of the strain, so that dE/de is symmetric
    strain = tape->watch(Tensor::zeros({graph.graphs, 3, 3}, dtype, device));
    Tensor symmetric = (strain + permute(strain, {0, 2, 1})) * 0.5;
    Tensor rows = reshape(vectors, {graph.edges, 1, 3});
    vectors =
        vectors + reshape(matmul(rows, gather(symmetric, graph.edge_graph)), {graph.edges, 3});
  }
  Prediction out;
  out.energy = segment_sum(potential.node_energies(graph, vectors), graph.node_graph);
  if (!options.forces && !options.stress) return out;

  Tensors wanted;
  if (options.forces) wanted.push_back(displacements);
  if (options.stress) wanted.push_back(strain);
  Tensor ones = Tensor::ones(out.energy.shape(), out.energy.dtype(), out.energy.device());
  Tensors d = tape->grad({out.energy}, wanted, {ones}, {.create_graph = options.create_graph});
  auto or_zeros = [&](const Tensor& t, const Shape& shape) {
    return t.defined() ? t : Tensor::zeros(shape, dtype, device);
  };
  if (options.forces) out.forces = -or_zeros(d[0], {graph.nodes, 3});
  if (options.stress) out.virial = or_zeros(d.back(), {graph.graphs, 3, 3});
  return out;
}

}  // namespace casimir
