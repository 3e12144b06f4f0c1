#include "datasets/neighbors.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <tuple>

#include "core/error.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/safetensors.h"
#include "datasets/extxyz.h"
#include "datasets/silicon.h"
#include "tests/message_of.h"

using namespace casimir;

namespace {

using Edge = std::array<int32_t, 5>;  // sender, receiver, S
using Flags = std::array<bool, 3>;

std::vector<Edge> edges_of(const Neighbors& list) {
  std::vector<Edge> edges;
  for (size_t e = 0; e < list.size(); ++e)
    edges.push_back({list.sender[e], list.receiver[e], list.cell_shift[e][0], list.cell_shift[e][1],
                     list.cell_shift[e][2]});
  return edges;
}

bool in_order(const Neighbors& list) {
  for (size_t e = 1; e < list.size(); ++e)
    if (std::tie(list.receiver[e - 1], list.sender[e - 1], list.cell_shift[e - 1]) >=
        std::tie(list.receiver[e], list.sender[e], list.cell_shift[e]))
      return false;
  return true;
}

// The definition, with every translation up to `reach` cells.
std::vector<Edge> by_loop(const std::vector<Vec3>& r, const Mat3& cell, const Flags& pbc,
                          double r_max, int reach) {
  std::vector<Edge> edges;
  int n[3] = {pbc[0] ? reach : 0, pbc[1] ? reach : 0, pbc[2] ? reach : 0};
  for (int32_t j = 0; j < static_cast<int32_t>(r.size()); ++j)
    for (int32_t i = 0; i < static_cast<int32_t>(r.size()); ++i)
      for (int32_t a = -n[0]; a <= n[0]; ++a)
        for (int32_t b = -n[1]; b <= n[1]; ++b)
          for (int32_t c = -n[2]; c <= n[2]; ++c) {
            Vec3 s = cartesian_shift({a, b, c}, cell);
            double squares = 0;
            for (int k = 0; k < 3; ++k) squares += std::pow(r[j][k] - r[i][k] + s[k], 2);
            bool self = i == j && a == 0 && b == 0 && c == 0;
            if (std::sqrt(squares) < r_max && !self) edges.push_back({i, j, a, b, c});
          }
  return edges;
}

std::vector<Vec3> random_positions(Random& random, int n, double size) {
  std::vector<Vec3> r(n);
  for (Vec3& v : r)
    for (double& x : v) x = random.uniform(-size, size);
  return r;
}

// As defined in tests/reference/make_neighbors.py.
int32_t checksum(const std::vector<Edge>& edges) {
  uint64_t sum = 0;
  for (const Edge& edge : edges) {
    uint32_t h = 2166136261u;
    for (int32_t v : edge) h = (h ^ static_cast<uint32_t>(v)) * 16777619u;
    h = (h ^ (h >> 16)) * 2246822507u;
    h = (h ^ (h >> 13)) * 3266489909u;
    sum += h ^ (h >> 16);
  }
  return static_cast<int32_t>(sum % (uint64_t{1} << 31));
}

const Safetensors& reference() {
  static const Safetensors file =
      read_safetensors(CASIMIR_SOURCE_DIR "/tests/reference/neighbors.safetensors");
  return file;
}

void compare_data_set(const std::string& name, const std::string& file) {
  std::string path = CASIMIR_SOURCE_DIR "/../shared/data/" + file;
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no " << path);
    return;
  }
  std::vector<Frame> frames = read_extxyz(path);
  auto atoms = reference().at(name + "/atoms").values<int32_t>();
  auto edges = reference().at(name + "/edges").values<int32_t>();
  auto sums = reference().at(name + "/checksum").values<int32_t>();
  double r_max = reference().at(name + "/r_max").values<double>()[0];
  REQUIRE(frames.size() == atoms.size());
  int64_t compared = 0, total = 0, different = 0;
  for (size_t k = 0; k < frames.size(); ++k) {
    if (edges[k] < 0) continue;  // a pair at r_max itself
    const Frame& frame = frames[k];
    Neighbors list = find_neighbors(frame.positions, frame.cell, frame.pbc, r_max);
    bool same = static_cast<int32_t>(frame.size()) == atoms[k] &&
                static_cast<int32_t>(list.size()) == edges[k] &&
                checksum(edges_of(list)) == sums[k] && in_order(list);
    if (!same && different++ < 5) MESSAGE(frame.where());
    ++compared, total += edges[k];
  }
  CHECK(different == 0);
  CHECK(compared >= static_cast<int64_t>(frames.size()) / 2);
  MESSAGE(name << ": " << compared << " frames, " << total << " edges");
}

}  // namespace

TEST_CASE("neighbors: awkward cells equal matscipy edge for edge") {
  int cases = 0;
  for (const auto& [name, array] : reference().arrays) {
    size_t slash = name.find("/positions");
    if (slash == std::string::npos) continue;
    std::string key = name.substr(0, slash);
    INFO(key);
    auto r = array.values<double>();
    std::vector<Vec3> positions;
    for (size_t i = 0; i < r.size(); i += 3) positions.push_back({r[i], r[i + 1], r[i + 2]});
    Mat3 cell;
    std::ranges::copy(reference().at(key + "/cell").values<double>(), cell.begin());
    Flags pbc;
    std::ranges::copy(reference().at(key + "/pbc").values<int32_t>(), pbc.begin());
    double r_max = reference().at(key + "/r_max").values<double>()[0];
    auto flat = reference().at(key + "/edges").values<int32_t>();
    std::vector<Edge> expected(flat.size() / 5);
    for (size_t e = 0; e < flat.size(); ++e) expected[e / 5][e % 5] = flat[e];

    Neighbors list = find_neighbors(positions, cell, pbc, r_max);
    CHECK(in_order(list));
    std::vector<Edge> found = edges_of(list);
    std::ranges::sort(found);
    CHECK(found == expected);
    ++cases;
  }
  CHECK(cases >= 12);
}

TEST_CASE("neighbors: OC20 structures equal matscipy") {
  compare_data_set("is2re", "oc20/is2re/is2re_8_initial.extxyz");
}
// OC20's offsets belong to r[sender] - r[receiver]: minus ours. Its list keeps at most the 50
// nearest senders of each receiver: all of its edges are ours, and what it leaves out is no nearer
// than what it keeps (positions in f32: to 1e-5 A).
TEST_CASE(
    "neighbors: the ready-made list of OC20's first systems is ours, but for its limit of 50") {
  Safetensors file =
      read_safetensors(CASIMIR_SOURCE_DIR "/tests/reference/is2re_edges.safetensors");
  size_t total = 0, shared = 0, wrong = 0;
  for (std::string k : {"0/", "1/", "2/"}) {
    const Array &positions = file.at(k + "positions"), &cell = file.at(k + "cell");
    std::vector<Vec3> r(positions.shape()[0]);
    for (size_t i = 0; i < r.size(); ++i)
      std::copy_n(&positions.values<double>()[3 * i], 3, r[i].begin());
    Mat3 lattice;
    std::copy_n(cell.values<double>().begin(), 9, lattice.begin());
    std::vector<Edge> ours = edges_of(find_neighbors(r, lattice, {true, true, true}, 6.0)), theirs;
    auto sender = file.at(k + "sender").values<uint8_t>(),
         receiver = file.at(k + "receiver").values<uint8_t>();
    auto offset = file.at(k + "offset").values<uint8_t>();
    for (size_t e = 0; e < sender.size(); ++e)
      theirs.push_back({sender[e], receiver[e], 128 - offset[3 * e], 128 - offset[3 * e + 1],
                        128 - offset[3 * e + 2]});
    auto length = [&](const Edge& e) {
      Vec3 s = cartesian_shift({e[2], e[3], e[4]}, lattice);
      double squares = 0;
      for (int c = 0; c < 3; ++c) squares += std::pow(r[e[1]][c] - r[e[0]][c] + s[c], 2);
      return std::sqrt(squares);
    };
    std::sort(ours.begin(), ours.end());
    std::sort(theirs.begin(), theirs.end());
    std::vector<double> farthest(r.size(), 0);
    std::vector<int> kept(r.size(), 0);
    for (const Edge& e : theirs) {
      shared += std::binary_search(ours.begin(), ours.end(), e);
      farthest[e[1]] = std::max(farthest[e[1]], length(e));
      ++kept[e[1]];
    }
    for (const Edge& e : ours)
      if (!std::binary_search(theirs.begin(), theirs.end(), e)) {
        wrong += kept[e[1]] < 49 || length(e) < farthest[e[1]] - 1e-5;
      }
    total += theirs.size();
  }
  CHECK(total == 11596);
  CHECK(shared == total);
  CHECK(wrong == 0);
}
TEST_CASE("neighbors: 1000 random MPtrj frames equal matscipy") {
  compare_data_set("mptrj_random", "mptrj/mptrj-random-1k.xyz");
}
TEST_CASE("neighbors: the 1000 most stressed MPtrj frames equal matscipy") {
  compare_data_set("mptrj_stress", "mptrj/mptrj-highest-stress-1k.xyz");
}

TEST_CASE("neighbors: random cells equal the definition") {
  Random random(random_key(1, "neighbors"));
  for (int trial = 0; trial < 200; ++trial) {
    Mat3 cell;
    Flags pbc{trial % 2 == 1, trial / 2 % 2 == 1, trial / 4 % 2 == 1};
    do {
      for (double& x : cell) x = random.uniform(-4, 4);
    } while (!spans(cell, {true, true, true}) || volume_of(cell) < 25);
    std::vector<Vec3> r = random_positions(random, 1 + trial % 6, trial % 3 ? 3 : 9);
    double r_max = random.uniform(1, 5);
    // |S| <= (largest distance + r_max) / height, height = V / area >= 25 / 48.
    Neighbors list = find_neighbors(r, cell, pbc, r_max);
    int reach = 0;
    for (const auto& s : list.cell_shift)
      for (int32_t x : s) reach = std::max(reach, std::abs(x));
    INFO("trial ", trial);
    CHECK(in_order(list));
    CHECK((edges_of(list) == by_loop(r, cell, pbc, r_max, std::min(reach + 2, 14))));
  }
}

TEST_CASE("neighbors: many bins equal the definition") {
  Random random(random_key(2, "neighbors"));
  for (const Flags& pbc : {Flags{true, true, true}, Flags{true, false, true}, Flags{}}) {
    Mat3 cell{20, 0, 0, 7, 18, 0, -3, 5, 25};
    std::vector<Vec3> r = random_positions(random, 300, 20);
    CHECK((edges_of(find_neighbors(r, cell, pbc, 3.1)) == by_loop(r, cell, pbc, 3.1, 4)));
  }
}

TEST_CASE("neighbors: r_max itself is outside") {
  Mat3 cell{1, 0, 0, 0, 1, 0, 0, 0, 1};
  std::vector<Vec3> r{{0.25, 0.5, 0.75}};
  Flags all{true, true, true};
  CHECK(find_neighbors(r, cell, all, 1).size() == 0);
  CHECK(find_neighbors(r, cell, all, 1 + 1e-12).size() == 6);
  CHECK(find_neighbors(r, cell, all, 2).size() == 6 + 12 + 8);  // not the six at distance 2
}

TEST_CASE("neighbors: S belongs to the positions as given") {
  Random random(random_key(3, "neighbors"));
  Mat3 cell{6, 0, 0, 2, 5, 0, -1, 1, 7};
  Flags pbc{true, true, false};
  std::vector<Vec3> r = random_positions(random, 20, 3), moved = r;
  for (int32_t far : {3, 90, 4000}) {  // the last is beyond what sort keys hold
    std::vector<std::array<int32_t, 3>> by(r.size());
    for (size_t i = 0; i < r.size(); ++i) {
      by[i] = {static_cast<int32_t>(i % 3) * far, -static_cast<int32_t>(i % 5) * far / 5, 0};
      Vec3 v = cartesian_shift(by[i], cell);
      for (int k = 0; k < 3; ++k) moved[i][k] = r[i][k] + v[k];
    }
    Neighbors here = find_neighbors(r, cell, pbc, 4), there = find_neighbors(moved, cell, pbc, 4);
    for (size_t e = 0; e < here.size(); ++e)
      for (int k = 0; k < 3; ++k)
        here.cell_shift[e][k] += by[here.sender[e]][k] - by[here.receiver[e]][k];
    CHECK((edges_of(here) == edges_of(there)));
    CHECK(in_order(there));
  }
}

TEST_CASE("neighbors: few atoms in a huge box") {
  Mat3 box{1e5, 0, 0, 0, 1e5, 0, 0, 0, 1e5};
  Flags all{true, true, true};
  // A dimer across the corner of the box, found with a tiny and with an ordinary r_max.
  std::vector<Vec3> r{{0.01, 0.01, 0.01}, {1e5 - 0.01, 1e5 - 0.01, 1e5 - 0.01}};
  CHECK((edges_of(find_neighbors(r, box, all, 0.05)) ==
         std::vector<Edge>{{1, 0, 1, 1, 1}, {0, 1, -1, -1, -1}}));
  CHECK(find_neighbors(r, box, all, 6).size() == 2);
  // No cell at all; far apart; the same place.
  CHECK(find_neighbors(std::vector<Vec3>{{0, 0, 0}, {1e9, 0, 0}}, {}, {}, 5).size() == 0);
  CHECK(find_neighbors(std::vector<Vec3>{{1, 2, 3}, {1, 2, 3}}, {}, {}, 5).size() == 2);
  CHECK(find_neighbors(std::vector<Vec3>{{1, 2, 3}}, {}, {}, 5).size() == 0);
  CHECK(find_neighbors(std::vector<Vec3>{}, {}, {}, 5).size() == 0);
}

TEST_CASE("neighbors: the same list with any number of threads") {
  Random random(random_key(4, "neighbors"));
  std::vector<Vec3> r = random_positions(random, 3000, 16);
  Mat3 cell{32, 0, 0, 0, 32, 0, 4, 0, 32};
  std::vector<Edge> lists[3];
  for (int k = 0; k < 3; ++k) {
    set_num_threads(k == 0 ? 1 : 2 * k);
    lists[k] = edges_of(find_neighbors(r, cell, {true, true, true}, 5));
  }
  set_num_threads(0);
  CHECK(lists[0].size() > 100000);
  CHECK((lists[0] == lists[1]));
  CHECK((lists[0] == lists[2]));
}

TEST_CASE("neighbors: what cannot be searched is named") {
  std::vector<Vec3> r{{0, 0, 0}, {1, 0, 0}};
  Flags all{true, true, true};
  CHECK(message_of<DataError>([&] { find_neighbors(r, {}, all, 5); }) ==
        "find_neighbors: the cell's periodic vectors do not span it");
  CHECK(message_of<DataError>([&] {
          find_neighbors(r, {0.01, 0, 0, 0, 5, 0, 0, 0, 5}, all, 5);
        }) ==
        "find_neighbors: the cell is 0.01 A thin along axis 0: r_max 5 A reaches over 250 images");
  r[1][2] = 1e15;
  CHECK(message_of<DataError>([&] { find_neighbors(r, {}, {}, 5); }) ==
        "find_neighbors: atom 1 lies 1e+15 A from atom 0");
  CHECK(message_of<Error>([&] { find_neighbors(r, {}, {}, -1); }) == "find_neighbors: r_max is -1");
}
