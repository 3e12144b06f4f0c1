// Philox4x32-10 (Salmon et al., SC 2011): random numbers as a function of (key, counter), identical
// on CPU and GPU and independent of threads. There is no hidden state: what is needed to go on
// after a restart is the counter.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "core/kernel.h"

namespace casimir {

struct PhiloxBlock {
  uint32_t word[4];
};
CASIMIR_HD PhiloxBlock philox(uint64_t key, uint64_t counter, uint64_t stream = 0);

// A key for a named purpose, so that two uses of one seed never share numbers.
uint64_t random_key(uint64_t seed, std::string_view purpose);

// A sequence of numbers from one key. Copyable; position() restores it.
class Random {
 public:
  explicit Random(uint64_t key, uint64_t position = 0) : key_(key), position_(position) {}
  uint64_t bits();   // 64 uniform bits
  double uniform();  // [0, 1), 53 bits
  double uniform(double low, double high) { return low + (high - low) * uniform(); }
  double normal();             // mean 0, variance 1 (Box-Muller, one draw of two words a call)
  uint64_t below(uint64_t n);  // 0 .. n - 1, unbiased
  std::vector<int64_t> permutation(int64_t n);
  uint64_t position() const { return position_; }

 private:
  uint64_t key_, position_;
};

}  // namespace casimir
