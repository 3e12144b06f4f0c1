#include "core/random.h"

#include <cmath>
#include <numbers>
#include <numeric>

namespace casimir {

// Philox4x32 with 10 rounds; constants of Salmon et al., SC 2011, section 4.3 and table 2.
CASIMIR_HD PhiloxBlock philox(uint64_t key, uint64_t counter, uint64_t stream) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
  uint32_t c2 = static_cast<uint32_t>(stream), c3 = static_cast<uint32_t>(stream >> 32);
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53} * c0, p1 = uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c1 = static_cast<uint32_t>(p1);
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  return {{c0, c1, c2, c3}};
}

namespace {
uint64_t low(const PhiloxBlock& b) {
  return b.word[0] | uint64_t{b.word[1]} << 32;
}
uint64_t high(const PhiloxBlock& b) {
  return b.word[2] | uint64_t{b.word[3]} << 32;
}
double unit(uint64_t bits) {
  return static_cast<double>(bits >> 11) * 0x1p-53;
}
}  // namespace

uint64_t random_key(uint64_t seed, std::string_view purpose) {
  uint64_t hash = 0xCBF29CE484222325;  // FNV-1a, then Philox to mix
  for (char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3;
  return low(philox(seed, hash, purpose.size()));
}

uint64_t Random::bits() {
  return low(philox(key_, position_++));
}

double Random::uniform() {
  return unit(bits());
}

double Random::normal() {
  const PhiloxBlock block = philox(key_, position_++);
  const double radius = std::sqrt(-2 * std::log(1 - unit(low(block))));  // 1 - u is in (0, 1]
  return radius * std::cos(2 * std::numbers::pi * unit(high(block)));
}

uint64_t Random::below(uint64_t n) {
  const uint64_t excess = n ? (0 - n) % n : 0;  // 2^64 mod n: numbers below it would be favoured
  uint64_t value = bits();
  while (value < excess) value = bits();
  return n ? value % n : 0;
}

std::vector<int64_t> Random::permutation(int64_t n) {
  std::vector<int64_t> order(n);
  std::iota(order.begin(), order.end(), 0);
  for (int64_t i = n - 1; i > 0; --i) std::swap(order[i], order[below(i + 1)]);
  return order;
}

}  // namespace casimir
