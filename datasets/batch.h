// Samples (a frame with its neighbour list) and batches of them: one graph of host arrays.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "core/array.h"
#include "core/segments.h"
#include "datasets/frame.h"
#include "datasets/neighbors.h"
#include "datasets/pairs.h"

namespace casimir {

// A frame made ready for a model, once; kept in memory.
struct Sample {
  Frame frame;
  std::vector<int32_t> species;  // [atoms]: index into the model's elements
  int64_t elements = 0;          // of the model
  Neighbors neighbors;
  Pairs pairs;
  int64_t nodes() const { return static_cast<int64_t>(frame.size()); }
  int64_t edges() const { return static_cast<int64_t>(neighbors.size()); }
};

// In the order of the frames. An element outside `elements` (atomic numbers, ascending) is a
// DataError that names element, frame and file.
std::vector<Sample> prepare_samples(std::vector<Frame> frames, const std::vector<int>& elements,
                                    double r_max);

// Floating point arrays are f64.
struct AtomsBatch {
  int64_t nodes = 0, edges = 0, graphs = 0;
  // Padding: so many of them, the last ones; see make_batch.
  int64_t padding_nodes = 0, padding_graphs = 0;
  Array positions;            // [nodes, 3], A
  Array shifts;               // [edges, 3], A; edge vector = r[receiver] - r[sender] + shift
  Array volumes;              // [graphs], A^3; 1 without a cell
  Array natoms;               // [graphs]
  Segments sender, receiver;  // edges -> nodes; receiver is sorted
  Segments pair;              // edges -> pairs: the two directions of one bond
  Segments pair_edge;         // pairs -> edges: one of the two
  Segments species;           // nodes -> elements of the model
  Segments node_graph;        // nodes -> graphs, sorted
  Segments edge_graph;        // edges -> graphs, sorted

  // Labels; 0 where a frame has none, and then its weight is 0 too.
  Array energy;  // [graphs], eV, total
  Array forces;  // [nodes, 3], eV/A
  Array stress;  // [graphs, 3, 3], eV/A^3
  // config_weight times the label's own weight; 0 for a missing label.
  Array energy_weight, forces_weight, stress_weight;  // [graphs]

  std::vector<int64_t> samples;  // [frames()]: which samples these are
  int64_t epoch = 0, index = 0;  // place in the stream, when a Loader made it

  int64_t atoms() const { return nodes - padding_nodes; }
  int64_t frames() const { return graphs - padding_graphs; }
};

constexpr int64_t node_bucket = 64, edge_bucket = 1024;

// `which` are positions in `samples`.
//
// pad_beyond > 0, a length in A: padded so that few sizes occur, to a multiple of node_bucket nodes
// and of edge_bucket edges, with a pair for every two edges. One more graph without labels and
// without weight has the padding, at least one atom. Its edges lead from an atom to itself, twice
// `pad_beyond` (r_max of the model) long: they contribute exactly zero.
AtomsBatch make_batch(std::span<const Sample> samples, std::span<const int64_t> which,
                      double pad_beyond = 0);

struct BatchOptions {
  int64_t batch_size = 5;  // graphs; ignored when max_edges > 0
  int64_t max_edges = 0;   // > 0: fill each batch in order up to this many edges
  bool drop_last = false;  // drop a last batch smaller than batch_size (not with max_edges)
  bool shuffle = true;     // false: file order
  uint64_t seed = 0;
  double pad_beyond = 0;  // > 0: padded batches, see make_batch
};

// The batches of one epoch as positions in `samples`: a function of the arguments alone. The order
// is Random(random_key(seed, "order"), ...) by epoch. A sample with more than max_edges edges forms
// a batch of its own.
std::vector<std::vector<int64_t>> plan_batches(std::span<const Sample> samples,
                                               const BatchOptions& options, int64_t epoch);

// One sentence naming the samples beyond max_edges; "" when there are none.
std::string oversized_note(std::span<const Sample> samples, const BatchOptions& options);

}  // namespace casimir
