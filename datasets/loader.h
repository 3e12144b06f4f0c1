// A thread that prepares the next batches while the model trains, and seeded splits. What comes out
// depends on seed, position and data alone, never on timing.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "datasets/batch.h"

namespace casimir {

// An endless stream: the batches of epoch 0, then of epoch 1, ...
//
//   Loader loader(train, {.batch_size = 5, .seed = 1});
//   loader.seek(epoch, batch);                   // exact resume; optional
//   for (int64_t b = 0; b < loader.batches(epoch); ++b) { AtomsBatch batch = loader.next(); ... }
//
// For evaluation: shuffle = false, and batches(0) calls of next() per pass.
class Loader {
 public:
  // `samples` must outlive the loader and must not change. At least one batch per epoch.
  Loader(std::span<const Sample> samples, const BatchOptions& options, int queue = 3);
  ~Loader();
  Loader(const Loader&) = delete;
  Loader& operator=(const Loader&) = delete;

  int64_t batches(int64_t epoch) const;  // differs between epochs only with max_edges
  void seek(int64_t epoch,
            int64_t batch);  // batch may equal batches(epoch): the next epoch's first
  AtomsBatch next();         // an exception of the thread comes out here
  int64_t epoch() const;     // of what next() returns
  int64_t batch() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Positions 0 .. n - 1 in two parts, each ascending. The first `valid` entries of the permutation
// Random(random_key(seed, "split")).permutation(n) are the validation part, so a larger one
// contains a smaller one of the same seed.
struct Split {
  std::vector<int64_t> train, valid;
};
Split split_by_count(int64_t n, int64_t valid, uint64_t seed);
// round(n fraction), but at least one on either side.
Split split_by_fraction(int64_t n, double valid_fraction, uint64_t seed);

}  // namespace casimir
