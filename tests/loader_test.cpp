#include "datasets/loader.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <set>
#include <thread>

#include "core/error.h"
#include "datasets/silicon.h"
#include "tests/message_of.h"

using namespace casimir;

namespace {

std::vector<Sample> crystals(int64_t n) {
  return prepare_samples(make_silicon({.frames = n, .seed = 2}), {14}, 3);
}

using Order = std::vector<std::vector<int64_t>>;

Order take(Loader& loader, int64_t batches) {
  Order order;
  for (int64_t b = 0; b < batches; ++b) order.push_back(loader.next().samples);
  return order;
}

}  // namespace

TEST_CASE("loader: an epoch meets every sample once, the next in another order") {
  std::vector<Sample> samples = crystals(17);
  Loader loader(samples, {.batch_size = 5, .seed = 3});
  CHECK(loader.batches(0) == 4);
  Order epochs[2];
  for (int64_t epoch = 0; epoch < 2; ++epoch) {
    std::set<int64_t> seen;
    for (int64_t b = 0; b < 4; ++b) {
      CHECK(loader.epoch() == epoch);
      CHECK(loader.batch() == b);
      AtomsBatch batch = loader.next();
      CHECK(batch.epoch == epoch);
      CHECK(batch.index == b);
      seen.insert(batch.samples.begin(), batch.samples.end());
      epochs[epoch].push_back(batch.samples);
    }
    CHECK(seen.size() == 17);
    CHECK(epochs[epoch] == plan_batches(samples, {.batch_size = 5, .seed = 3}, epoch));
  }
  CHECK(epochs[0] != epochs[1]);
}

TEST_CASE("loader: seek gives the batches that an uninterrupted run sees") {
  std::vector<Sample> samples = crystals(17);
  for (int64_t max_edges : {0, 400}) {
    BatchOptions options{.batch_size = 5, .max_edges = max_edges, .seed = 3};
    std::vector<AtomsBatch> all;
    Loader whole(samples, options);
    int64_t total = whole.batches(0) + whole.batches(1) + whole.batches(2);
    for (int64_t b = 0; b < total; ++b) all.push_back(whole.next());
    for (size_t from = 0; from < all.size(); ++from) {
      Loader resumed(samples, options, 1 + static_cast<int>(from % 3));
      if (from % 2) resumed.next();  // what was prepared before is thrown away
      resumed.seek(all[from].epoch, all[from].index);
      for (size_t b = from; b < std::min(from + 3, all.size()); ++b) {
        AtomsBatch batch = resumed.next();
        CHECK(batch.samples == all[b].samples);
        CHECK(batch.epoch == all[b].epoch);
        CHECK(batch.positions.to_vector<double>() == all[b].positions.to_vector<double>());
      }
    }
  }
}

TEST_CASE("loader: seek throws away what was prepared before it") {
  std::vector<Sample> samples = crystals(17);
  BatchOptions options{.batch_size = 5, .seed = 3};
  Loader loader(samples, options, 3);
  loader.next();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // until three batches lie ready
  loader.seek(1, 2);
  CHECK(loader.next().samples == plan_batches(samples, options, 1)[2]);
}

TEST_CASE("loader: the end of an epoch is the start of the next") {
  std::vector<Sample> samples = crystals(10);
  Loader loader(samples, {.batch_size = 5, .seed = 3});
  loader.seek(4, 2);
  CHECK(loader.epoch() == 5);
  CHECK(loader.batch() == 0);
  CHECK(take(loader, 2) == plan_batches(samples, {.batch_size = 5, .seed = 3}, 5));
  CHECK(message_of<Error>([&] { loader.seek(0, 3); }) == "loader: no batch 3 in epoch 0");
  CHECK(message_of<Error>([&] { loader.seek(-1, 0); }) == "loader: no batch 0 in epoch -1");
}

TEST_CASE("loader: timing does not matter") {
  std::vector<Sample> samples = crystals(24);
  BatchOptions options{.batch_size = 2, .seed = 9};
  Loader fast(samples, options, 1), slow(samples, options, 4);
  for (int b = 0; b < 30; ++b) {
    if (b % 4 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
    CHECK(fast.next().samples == slow.next().samples);
  }
}

TEST_CASE("loader: file order and dropped remainders") {
  std::vector<Sample> samples = crystals(7);
  Loader files(samples, {.batch_size = 3, .shuffle = false});
  Order expected{{0, 1, 2}, {3, 4, 5}, {6}};
  CHECK(take(files, files.batches(0)) == expected);
  CHECK(take(files, files.batches(1)) == expected);
  Loader dropping(samples, {.batch_size = 3, .drop_last = true});
  CHECK(dropping.batches(0) == 2);
  for (const auto& batch : take(dropping, 6)) CHECK(batch.size() == 3);
  CHECK(dropping.epoch() == 3);
}

TEST_CASE("loader: what fails in its thread comes out of next") {
  std::vector<Sample> samples = crystals(6);
  samples[4].neighbors.sender[0] = 1000;  // no such atom
  Loader loader(samples, {.batch_size = 1, .shuffle = false});
  CHECK(take(loader, 4).size() == 4);
  for (int attempt = 0; attempt < 2; ++attempt) {
    std::string message = message_of<ShapeError>([&] { loader.next(); });
    CHECK(message.find("1000") != std::string::npos);
  }
  loader.seek(0, 5);  // past the fault it goes on
  CHECK(loader.next().samples == std::vector<int64_t>{5});
}

TEST_CASE("loader: ends cleanly at any moment") {
  std::vector<Sample> samples = crystals(8);
  for (int taken = 0; taken < 12; ++taken) {
    Loader loader(samples, {.batch_size = 3, .seed = 1}, 2);
    take(loader, taken);
  }
}

TEST_CASE("loader: nothing to load is an error") {
  std::vector<Sample> samples = crystals(3);
  CHECK(message_of<DataError>([] { Loader({}, {}); }) == "loader: no frames");
  CHECK(message_of<DataError>([&] { Loader(samples, {.batch_size = 5, .drop_last = true}); }) ==
        "loader: 3 frames make no batch of 5 with drop_last");
  CHECK(message_of<Error>([&] { Loader(samples, {.batch_size = 0}); }) ==
        "loader: batch_size is 0");
}

TEST_CASE("split: seeded, disjoint, complete, nested") {
  Split split = split_by_count(100, 10, 4);
  CHECK(split.train.size() == 90);
  CHECK(split.valid.size() == 10);
  CHECK(std::ranges::is_sorted(split.train));
  CHECK(std::ranges::is_sorted(split.valid));
  std::set<int64_t> all(split.train.begin(), split.train.end());
  all.insert(split.valid.begin(), split.valid.end());
  CHECK(all.size() == 100);
  CHECK(split.valid == split_by_count(100, 10, 4).valid);
  CHECK(split.valid != split_by_count(100, 10, 5).valid);
  CHECK(std::ranges::includes(split_by_count(100, 20, 4).valid, split.valid));
  CHECK(split_by_fraction(100, 0.1, 4).valid == split.valid);
  CHECK(split_by_fraction(3, 0.01, 4).valid.size() == 1);
  CHECK(split_by_fraction(3, 0.99, 4).train.size() == 1);
  CHECK(split_by_count(5, 0, 1).train.size() == 5);
  // The numbers themselves: a split must stay the same from version to version.
  CHECK(split_by_count(20, 5, 1).valid == std::vector<int64_t>{3, 5, 11, 12, 16});
  CHECK(message_of<DataError>([] { split_by_count(5, 5, 1); }) ==
        "split: 5 validation frames of 5");
  CHECK(message_of<DataError>([] { split_by_fraction(1, 0.5, 1); }) ==
        "split: a fraction of 0.5 of 1 frames leaves nothing on one side");
}
