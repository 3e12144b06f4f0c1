// Atoms -> energy; forces, stress and virial by grad().
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "autograd/ops.h"
#include "nn/parameters.h"

namespace casimir {

// A batch of structures as one graph. Edges go from sender to receiver.
struct Graph {
  int64_t nodes = 0, edges = 0, graphs = 0;
  // [edges, 3], A, from sender to receiver, periodic images included. Formed in f64 from the
  // positions: absolute positions far from the origin have no digits to spare in f32.
  Tensor edge_vectors;
  Segments sender, receiver;  // edges -> nodes
  // The two directions of one bond are a pair: functions of the length are computed once for both.
  Segments pair;        // edges -> pairs
  Segments pair_edge;   // pairs -> edges, one of the two
  Segments species;     // nodes -> elements of the model
  Segments node_graph;  // nodes -> graphs
  Segments edge_graph;  // edges -> graphs
  Tensor volumes;       // [graphs, 1, 1], A^3; 1 where there is no cell
};

// Any model of an energy as a sum over atoms. Deterministic, const, usable from several threads.
class Potential {
 public:
  virtual ~Potential() = default;
  // Interaction energy of each node, without reference energies, in eV: [nodes].
  // edge_vectors [edges, 3] point from sender to receiver.
  virtual Tensor node_energies(const Graph& graph, const Tensor& edge_vectors) const = 0;
  virtual double r_max() const = 0;
  virtual const std::vector<int>& elements() const = 0;  // atomic numbers, ascending
  // Constant energy of one atom of each element (E0 + shift), eV, f64; not part of node_energies,
  // because total energies need more digits than f32 has.
  virtual const std::vector<double>& reference_energies() const = 0;
  // Paths of all convolutions, and those among them whose loops are unrolled in this build.
  struct Paths {
    int64_t all = 0, unrolled = 0;
  };
  virtual Paths convolution_paths() const { return {}; }
};

// The edge vectors when every node moves by its row of `displacements` [nodes, 3].
Tensor displaced_vectors(const Graph& graph, const Tensor& displacements);

struct Prediction {
  Tensor energy;  // [graphs], eV, without the reference energies
  Tensor forces;  // [nodes, 3], eV/A; absent unless asked
  Tensor virial;  // [graphs, 3, 3], dE/dstrain, eV; absent unless asked. stress = virial / volume
};
struct PredictOptions {
  bool forces = true, stress = false;
  bool create_graph = false;  // so that a loss of forces and stress can be differentiated
};
// Uses the current tape when there is one (training); else makes its own.
Prediction predict(const Potential& potential, const Graph& graph, PredictOptions options = {});

}  // namespace casimir
