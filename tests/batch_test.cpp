#include "datasets/batch.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "core/error.h"
#include "core/parallel.h"
#include "datasets/silicon.h"
#include "tests/message_of.h"

using namespace casimir;

namespace {

Frame water(double energy) {
  Frame frame;
  frame.numbers = {8, 1, 1};
  frame.positions = {{0, 0, 0}, {0.96, 0, 0}, {-0.24, 0.93, 0}};
  frame.energy = energy;
  frame.source = "water.xyz";
  return frame;
}

// A periodic hydrogen chain with forces and stress, no energy.
Frame chain() {
  Frame frame;
  frame.numbers = {1, 1};
  frame.positions = {{0, 0, 0}, {1, 0, 0}};
  frame.cell = {2, 0, 0, 0, 10, 0, 0, 0, 10};
  frame.pbc = {true, false, false};
  frame.forces = {{0.5, 0, 0}, {-0.5, 0, 0}};
  frame.stress = Mat3{1, 2, 3, 2, 4, 5, 3, 5, 6};
  frame.weight = 2;
  frame.forces_weight = 3;
  frame.source = "chain.xyz";
  frame.number = 7;
  return frame;
}

std::vector<double> list(const Array& array) {
  return array.to_vector<double>();
}
std::vector<int32_t> list(const Segments& segments) {
  return {segments.index().begin(), segments.index().end()};
}

std::vector<Sample> crystals(int64_t n) {
  return prepare_samples(make_silicon({.frames = n, .seed = 2}), {14}, 3);
}

}  // namespace

TEST_CASE("batch: two graphs as one, label by label") {
  std::vector<Sample> samples = prepare_samples({water(-14), chain()}, {1, 8}, 1.5);
  CHECK(samples[0].edges() == 4);  // O-H both ways; H-H is 1.52 A
  CHECK(samples[1].edges() == 4);  // to the next atom on either side
  AtomsBatch b = make_batch(samples, std::vector<int64_t>{1, 0});
  CHECK(b.graphs == 2);
  CHECK(b.nodes == 5);
  CHECK(b.edges == 8);
  CHECK(b.samples == std::vector<int64_t>{1, 0});
  CHECK(b.positions.shape() == Shape{5, 3});
  CHECK(list(b.positions) ==
        std::vector<double>{0, 0, 0, 1, 0, 0, 0, 0, 0, 0.96, 0, 0, -0.24, 0.93, 0});
  CHECK(list(b.receiver) == std::vector<int32_t>{0, 0, 1, 1, 2, 2, 3, 4});
  CHECK(list(b.sender) == std::vector<int32_t>{1, 1, 0, 0, 3, 4, 2, 2});
  CHECK(list(b.species) == std::vector<int32_t>{0, 0, 1, 0, 0});
  CHECK(list(b.node_graph) == std::vector<int32_t>{0, 0, 1, 1, 1});
  CHECK(list(b.edge_graph) == std::vector<int32_t>{0, 0, 0, 0, 1, 1, 1, 1});
  CHECK(b.sender.targets() == 5);
  CHECK(b.receiver.targets() == 5);
  CHECK(b.species.targets() == 2);
  CHECK(b.node_graph.targets() == 2);
  CHECK((b.receiver.sorted() && b.node_graph.sorted() && b.edge_graph.sorted()));
  CHECK(list(b.shifts) == std::vector<double>{0, 0, 0, 2, 0, 0, -2, 0, 0, 0, 0, 0,
                                              0, 0, 0, 0, 0, 0, 0,  0, 0, 0, 0, 0});
  CHECK(list(b.volumes) == std::vector<double>{200, 1});
  CHECK(list(b.natoms) == std::vector<double>{2, 3});
  CHECK(list(b.energy) == std::vector<double>{0, -14});
  CHECK(list(b.energy_weight) == std::vector<double>{0, 1});
  CHECK(list(b.forces) == std::vector<double>{0.5, 0, 0, -0.5, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(list(b.forces_weight) == std::vector<double>{6, 0});
  CHECK(b.stress.shape() == Shape{2, 3, 3});
  CHECK(list(b.stress) ==
        std::vector<double>{1, 2, 3, 2, 4, 5, 3, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  CHECK(list(b.stress_weight) == std::vector<double>{2, 0});
}

TEST_CASE("batch: every edge of a batch is shorter than r_max") {
  std::vector<Sample> samples = crystals(12);
  std::vector<int64_t> all(12);
  std::iota(all.begin(), all.end(), 0);
  AtomsBatch b = make_batch(samples, all);
  int64_t edges = 0;
  for (const Sample& sample : samples) edges += sample.edges();
  CHECK(b.edges == edges);
  const double *r = b.positions.data<double>(), *s = b.shifts.data<double>();
  for (int64_t e = 0; e < b.edges; ++e) {
    double squares = 0;
    for (int k = 0; k < 3; ++k) {
      double v = r[3 * b.receiver[e] + k] - r[3 * b.sender[e] + k] + s[3 * e + k];
      squares += v * v;
    }
    REQUIRE(squares < 9);
    REQUIRE(b.node_graph[b.sender[e]] == b.edge_graph[e]);
  }
}

TEST_CASE("batch: atoms without edges") {
  Frame atom;
  atom.numbers = {1};
  atom.positions = {{0, 0, 0}};
  AtomsBatch b = make_batch(prepare_samples({atom}, {1}, 5), std::vector<int64_t>{0});
  CHECK(b.edges == 0);
  CHECK(b.shifts.shape() == Shape{0, 3});
  CHECK(b.receiver.size() == 0);
  CHECK(b.receiver.targets() == 1);
}

TEST_CASE("batch: an element that the model lacks is named with its frame") {
  CHECK(message_of<DataError>([] {
          prepare_samples({water(0), chain()}, {1, 6}, 2);
        }) == "water.xyz: frame 0: atom 0 is O; the model knows H C");
  Frame flat = chain();
  flat.cell[0] = 1e-3;
  CHECK(message_of<DataError>([&] { prepare_samples({flat}, {1}, 2); }) ==
        "chain.xyz: frame 7: find_neighbors: the cell is 0.001 A thin along axis 0: r_max 2 A "
        "reaches over 250 images");
  CHECK(message_of<Error>([] { make_batch({}, {}); }) == "make_batch: no samples");
}

TEST_CASE("batch: the same samples with any number of threads") {
  set_num_threads(1);
  std::vector<Sample> one = crystals(20);
  set_num_threads(4);
  std::vector<Sample> four = crystals(20);
  set_num_threads(0);
  for (size_t i = 0; i < one.size(); ++i) {
    CHECK(one[i].neighbors.sender == four[i].neighbors.sender);
    CHECK(one[i].neighbors.cell_shift == four[i].neighbors.cell_shift);
  }
}

TEST_CASE("batch: plans by count") {
  std::vector<Sample> samples = crystals(13);
  BatchOptions options{.batch_size = 5, .seed = 1};
  auto plan = plan_batches(samples, options, 0);
  REQUIRE(plan.size() == 3);
  CHECK(plan[0].size() == 5);
  CHECK(plan[2].size() == 3);
  std::set<int64_t> seen;
  for (const auto& batch : plan) seen.insert(batch.begin(), batch.end());
  CHECK(seen.size() == 13);
  CHECK(plan == plan_batches(samples, options, 0));
  CHECK(plan != plan_batches(samples, options, 1));
  options.seed = 2;
  CHECK(plan != plan_batches(samples, options, 0));
  options.drop_last = true;
  CHECK(plan_batches(samples, options, 0).size() == 2);
  options.shuffle = false;
  CHECK(plan_batches(samples, options, 3)[0] == std::vector<int64_t>{0, 1, 2, 3, 4});
  CHECK(oversized_note(samples, options) == "");
}

TEST_CASE("batch: plans by edge budget") {
  std::vector<Sample> samples = crystals(30);
  int64_t most = 0;
  for (const Sample& sample : samples) most = std::max(most, sample.edges());
  BatchOptions options{.max_edges = 2 * most, .seed = 1};
  auto plan = plan_batches(samples, options, 4);
  CHECK(plan == plan_batches(samples, options, 4));
  std::set<int64_t> seen;
  std::vector<int64_t> edges;
  for (const auto& batch : plan) {
    edges.push_back(0);
    for (int64_t s : batch) edges.back() += samples[s].edges(), seen.insert(s);
    CHECK(edges.back() <= options.max_edges);
  }
  CHECK(seen.size() == 30);
  for (size_t b = 0; b + 1 < plan.size(); ++b)  // no batch could have taken the next sample
    CHECK(edges[b] + samples[plan[b + 1][0]].edges() > options.max_edges);
  CHECK(oversized_note(samples, options) == "");

  options.max_edges = most - 1;
  int64_t large = 0, where = -1;
  for (size_t i = 0; i < samples.size(); ++i)
    if (samples[i].edges() == most) ++large, where = static_cast<int64_t>(i);
  REQUIRE(large == 1);
  for (const auto& batch : plan_batches(samples, options, 0))
    if (std::ranges::find(batch, where) != batch.end()) CHECK(batch.size() == 1);
  CHECK(oversized_note(samples, options) ==
        "1 frame has more than max_edges = " + std::to_string(most - 1) +
            " edges and will be a batch of its own; the largest is silicon: frame " +
            std::to_string(where) + " with " + std::to_string(most));
}

TEST_CASE("pairs: both directions of every bond, in crystals with self images and in molecules") {
  // One atom in a small cell: all edges are self images (i, i, S) and (i, i, -S).
  const Mat3 cell{2.5, 0, 0, 0.4, 2.6, 0, 0, 0.3, 2.4};
  for (const std::vector<Vec3>& r :
       {std::vector<Vec3>{{0, 0, 0}}, std::vector<Vec3>{{0, 0, 0}, {1.2, 1.3, 0.9}}}) {
    Neighbors list = find_neighbors(r, cell, {true, true, true}, 4.0);
    Pairs pairs = find_pairs(list);
    CHECK(2 * pairs.first.size() == list.size());
    std::vector<int> count(pairs.first.size(), 0);
    for (size_t e = 0; e < list.size(); ++e) {
      ++count[pairs.pair[e]];
      const int32_t f = pairs.first[pairs.pair[e]];
      const bool same = f == static_cast<int32_t>(e);
      const auto &s = list.cell_shift[e], &t = list.cell_shift[f];
      const bool reverse = list.sender[e] == list.receiver[f] &&
                           list.receiver[e] == list.sender[f] && s[0] == -t[0] && s[1] == -t[1] &&
                           s[2] == -t[2];
      CHECK((same || reverse));
    }
    for (int n : count) CHECK(n == 2);
  }
  Neighbors alone;  // a direction without its reverse is a pair of its own
  alone.sender = {1, 0};
  alone.receiver = {0, 2};
  alone.cell_shift = {{0, 0, 0}, {0, 0, 0}};
  CHECK(find_pairs(alone).first == std::vector<int32_t>{0, 1});
}
