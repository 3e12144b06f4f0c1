#include "datasets/batch.h"

#include <algorithm>

#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"

namespace casimir {
namespace {

std::vector<int32_t> species_of(const Frame& frame, const std::vector<int>& elements) {
  std::vector<int32_t> species;
  species.reserve(frame.size());
  for (size_t i = 0; i < frame.size(); ++i) {
    auto found = std::lower_bound(elements.begin(), elements.end(), frame.numbers[i]);
    if (found == elements.end() || *found != frame.numbers[i])
      fail<DataError>(frame.where(), ": atom ", i, " is ", symbol_of(frame.numbers[i]),
                      "; the model knows ", symbols_of(elements));
    species.push_back(static_cast<int32_t>(found - elements.begin()));
  }
  return species;
}

Array zeros(Shape shape) {
  Array array(shape, DType::f64);
  array.fill(0);
  return array;
}

// n or the next multiple of `step`.
int64_t round_up(int64_t n, int64_t step) {
  return (n + step - 1) / step * step;
}

// Copies samples into a batch's arrays one after the other.
class Filler {
 public:
  Filler(std::span<const Sample> samples, std::span<const int64_t> which, double pad_beyond);
  AtomsBatch finish();

 private:
  void add_atoms(const Sample& sample);
  void add_edges(const Sample& sample);
  void add_labels(const Sample& sample);
  void choose_padding(int64_t pairs);
  void add_padding(double length);

  AtomsBatch batch_;
  std::vector<int32_t> sender_, receiver_, species_, node_graph_, edge_graph_, pair_, pair_edge_;
  int64_t node_ = 0, edge_ = 0, graph_ = 0;  // where the next sample goes
  int64_t elements_ = 0;
};

Filler::Filler(std::span<const Sample> samples, std::span<const int64_t> which, double pad_beyond) {
  int64_t pairs = 0;
  for (int64_t s : which) {
    check<Error>(s >= 0 && s < static_cast<int64_t>(samples.size()), "make_batch: sample ", s,
                 " of ", samples.size());
    batch_.nodes += samples[s].nodes();
    batch_.edges += samples[s].edges();
    pairs += static_cast<int64_t>(samples[s].pairs.first.size());
  }
  batch_.graphs = static_cast<int64_t>(which.size());
  if (pad_beyond > 0) choose_padding(pairs);
  const int64_t nodes = batch_.nodes, graphs = batch_.graphs;
  batch_.positions = Array(Shape{nodes, 3}, DType::f64);
  batch_.shifts = Array(Shape{batch_.edges, 3}, DType::f64);
  batch_.volumes = Array(Shape{graphs}, DType::f64);
  batch_.natoms = Array(Shape{graphs}, DType::f64);
  batch_.energy = zeros({graphs});
  batch_.forces = zeros({nodes, 3});
  batch_.stress = zeros({graphs, 3, 3});
  batch_.energy_weight = zeros({graphs});
  batch_.forces_weight = zeros({graphs});
  batch_.stress_weight = zeros({graphs});
  for (auto* index : {&species_, &node_graph_}) index->reserve(nodes);
  for (auto* index : {&sender_, &receiver_, &edge_graph_, &pair_}) index->reserve(batch_.edges);
  for (int64_t s : which) {
    const Sample& sample = samples[s];
    add_edges(sample);
    add_labels(sample);
    add_atoms(sample);
    elements_ = sample.elements;
    batch_.samples.push_back(s);
    node_ += sample.nodes();
    edge_ += sample.edges();
    ++graph_;
  }
  if (pad_beyond > 0) add_padding(2 * pad_beyond);
}

// Sizes with padding. The number of pairs is half that of the edges, so that it follows from the
// bucket; an edge whose reverse is missing takes the room of a pair.
void Filler::choose_padding(int64_t pairs) {
  const int64_t nodes = batch_.nodes, edges = batch_.edges;
  batch_.nodes = round_up(nodes + 1, node_bucket);
  batch_.edges = round_up(edges, edge_bucket);
  while (batch_.edges / 2 < pairs + (batch_.edges > edges)) batch_.edges += edge_bucket;
  batch_.padding_nodes = batch_.nodes - nodes;
  batch_.padding_graphs = 1;
  ++batch_.graphs;
}

// The last graph, its edges spread over its atoms.
void Filler::add_padding(double length) {
  const int64_t nodes = batch_.padding_nodes, edges = batch_.edges - edge_;
  const int64_t pairs_before = static_cast<int64_t>(pair_edge_.size());
  const int64_t pairs = batch_.edges / 2 - pairs_before;
  std::fill_n(batch_.positions.data<double>() + 3 * node_, 3 * nodes, 0.0);
  species_.insert(species_.end(), nodes, 0);
  node_graph_.insert(node_graph_.end(), nodes, static_cast<int32_t>(graph_));
  batch_.volumes.data<double>()[graph_] = 1;
  batch_.natoms.data<double>()[graph_] = static_cast<double>(nodes);
  double* shifts = batch_.shifts.data<double>() + 3 * edge_;
  for (int64_t e = 0; e < edges; ++e) {
    const auto atom = static_cast<int32_t>(node_ + e * nodes / edges);
    sender_.push_back(atom);
    receiver_.push_back(atom);
    for (double x : {length, 0.0, 0.0}) *shifts++ = x;
    pair_.push_back(static_cast<int32_t>(pairs_before + e % pairs));
    if (e < pairs) pair_edge_.push_back(static_cast<int32_t>(edge_ + e));
  }
  edge_graph_.insert(edge_graph_.end(), edges, static_cast<int32_t>(graph_));
}

void Filler::add_atoms(const Sample& sample) {
  const Frame& frame = sample.frame;
  double* positions = batch_.positions.data<double>() + 3 * node_;
  for (const Vec3& r : frame.positions) positions = std::copy(r.begin(), r.end(), positions);
  species_.insert(species_.end(), sample.species.begin(), sample.species.end());
  node_graph_.insert(node_graph_.end(), frame.size(), static_cast<int32_t>(graph_));
  double volume = frame.volume();
  batch_.volumes.data<double>()[graph_] = volume > 0 ? volume : 1;
  batch_.natoms.data<double>()[graph_] = static_cast<double>(frame.size());
}

void Filler::add_edges(const Sample& sample) {
  const Neighbors& list = sample.neighbors;
  double* shifts = batch_.shifts.data<double>() + 3 * edge_;
  for (size_t e = 0; e < list.size(); ++e) {
    sender_.push_back(list.sender[e] + static_cast<int32_t>(node_));
    receiver_.push_back(list.receiver[e] + static_cast<int32_t>(node_));
    Vec3 shift = cartesian_shift(list.cell_shift[e], sample.frame.cell);
    shifts = std::copy(shift.begin(), shift.end(), shifts);
  }
  edge_graph_.insert(edge_graph_.end(), list.size(), static_cast<int32_t>(graph_));
  const auto pairs_before = static_cast<int32_t>(pair_edge_.size());
  for (int32_t pair : sample.pairs.pair) pair_.push_back(pairs_before + pair);
  for (int32_t edge : sample.pairs.first) pair_edge_.push_back(static_cast<int32_t>(edge_) + edge);
}

void Filler::add_labels(const Sample& sample) {
  const Frame& frame = sample.frame;
  if (frame.energy) {
    batch_.energy.data<double>()[graph_] = *frame.energy;
    batch_.energy_weight.data<double>()[graph_] = frame.weight * frame.energy_weight;
  }
  if (!frame.forces.empty()) {
    double* forces = batch_.forces.data<double>() + 3 * node_;
    for (const Vec3& f : frame.forces) forces = std::copy(f.begin(), f.end(), forces);
    batch_.forces_weight.data<double>()[graph_] = frame.weight * frame.forces_weight;
  }
  if (frame.stress) {
    std::copy(frame.stress->begin(), frame.stress->end(),
              batch_.stress.data<double>() + 9 * graph_);
    batch_.stress_weight.data<double>()[graph_] = frame.weight * frame.stress_weight;
  }
}

AtomsBatch Filler::finish() {
  batch_.sender = Segments(std::move(sender_), batch_.nodes);
  batch_.receiver = Segments(std::move(receiver_), batch_.nodes);
  const auto pairs = static_cast<int64_t>(pair_edge_.size());
  batch_.pair = Segments(std::move(pair_), pairs);
  batch_.pair_edge = Segments(std::move(pair_edge_), batch_.edges);
  batch_.species = Segments(std::move(species_), elements_);
  batch_.node_graph = Segments(std::move(node_graph_), batch_.graphs);
  batch_.edge_graph = Segments(std::move(edge_graph_), batch_.graphs);
  return std::move(batch_);
}

}  // namespace

std::vector<Sample> prepare_samples(std::vector<Frame> frames, const std::vector<int>& elements,
                                    double r_max) {
  check<Error>(std::is_sorted(elements.begin(), elements.end()),
               "prepare_samples: elements are not ascending");
  std::vector<Sample> samples(frames.size());
  for (size_t i = 0; i < frames.size(); ++i) {
    samples[i].species = species_of(frames[i], elements);
    samples[i].elements = static_cast<int64_t>(elements.size());
    samples[i].frame = std::move(frames[i]);
  }
  parallel_for(static_cast<int64_t>(samples.size()), 4, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Frame& frame = samples[i].frame;
      try {
        samples[i].neighbors = find_neighbors(frame.positions, frame.cell, frame.pbc, r_max);
        samples[i].pairs = find_pairs(samples[i].neighbors);
      } catch (const DataError& error) {
        throw DataError(frame.where() + ": " + error.what());
      }
    }
  });
  return samples;
}

AtomsBatch make_batch(std::span<const Sample> samples, std::span<const int64_t> which,
                      double pad_beyond) {
  check<Error>(!which.empty(), "make_batch: no samples");
  return Filler(samples, which, pad_beyond).finish();
}

std::vector<std::vector<int64_t>> plan_batches(std::span<const Sample> samples,
                                               const BatchOptions& options, int64_t epoch) {
  check<Error>(options.batch_size >= 1, "plan_batches: batch_size is ", options.batch_size);
  const int64_t n = static_cast<int64_t>(samples.size());
  std::vector<int64_t> order(n);
  for (int64_t i = 0; i < n; ++i) order[i] = i;
  if (options.shuffle) {
    uint64_t key = random_key(random_key(options.seed, "order"), std::to_string(epoch));
    order = Random(key).permutation(n);
  }
  std::vector<std::vector<int64_t>> batches;
  int64_t edges = 0;  // of the last batch
  for (int64_t s : order) {
    bool full =
        batches.empty() ||
        (options.max_edges > 0 ? edges + samples[s].edges() > options.max_edges
                               : static_cast<int64_t>(batches.back().size()) == options.batch_size);
    if (full) batches.emplace_back(), edges = 0;
    batches.back().push_back(s);
    edges += samples[s].edges();
  }
  if (options.drop_last && options.max_edges == 0 && !batches.empty() &&
      static_cast<int64_t>(batches.back().size()) < options.batch_size)
    batches.pop_back();
  return batches;
}

std::string oversized_note(std::span<const Sample> samples, const BatchOptions& options) {
  int64_t count = 0;
  const Sample* largest = nullptr;
  for (const Sample& sample : samples) {
    if (options.max_edges <= 0 || sample.edges() <= options.max_edges) continue;
    ++count;
    if (!largest || sample.edges() > largest->edges()) largest = &sample;
  }
  if (count == 0) return "";
  return concat_text(count, count == 1 ? " frame has" : " frames have",
                     " more than max_edges = ", options.max_edges, " edges and will be ",
                     count == 1 ? "a batch of its own" : "batches of their own",
                     "; the largest is ", largest->frame.where(), " with ", largest->edges());
}

}  // namespace casimir
