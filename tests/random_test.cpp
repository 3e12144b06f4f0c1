// Philox against the known answers of its authors, and what is built on it.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "core/random.h"

using namespace casimir;

TEST_CASE("random: Philox4x32-10 gives the known answers of Random123") {
  // kat_vectors of Random123 1.14: counter, key, result of philox4x32 with 10 rounds.
  const PhiloxBlock zeros = philox(0, 0, 0);
  CHECK(zeros.word[0] == 0x6627e8d5);
  CHECK(zeros.word[1] == 0xe169c58d);
  CHECK(zeros.word[2] == 0xbc57ac4c);
  CHECK(zeros.word[3] == 0x9b00dbd8);
  const PhiloxBlock ones = philox(~0ull, ~0ull, ~0ull);
  CHECK(ones.word[0] == 0x408f276d);
  CHECK(ones.word[1] == 0x41c83b0e);
  CHECK(ones.word[2] == 0xa20bc7c6);
  CHECK(ones.word[3] == 0x6d5451fd);
  // The digits of pi: counter 243f6a88 85a308d3 13198a2e 03707344, key a4093822 299f31d0.
  const PhiloxBlock pi = philox(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e);
  CHECK(pi.word[0] == 0xd16cfe09);
  CHECK(pi.word[1] == 0x94fdcceb);
  CHECK(pi.word[2] == 0x5001e420);
  CHECK(pi.word[3] == 0x24126ea1);
}

TEST_CASE("random: a position restores a sequence") {
  Random random(random_key(4, "test"));
  for (int i = 0; i < 10; ++i) random.normal();
  Random again(random_key(4, "test"), random.position());
  CHECK(random.position() == 10);
  for (int i = 0; i < 10; ++i) CHECK(random.uniform() == again.uniform());
}

TEST_CASE("random: keys differ by seed and by purpose") {
  std::set<uint64_t> keys;
  for (uint64_t seed = 0; seed < 100; ++seed)
    for (const char* purpose : {"", "a", "b", "ab", "ba", "weights", "weights.0", "order"})
      keys.insert(random_key(seed, purpose));
  CHECK(keys.size() == 800);
}

TEST_CASE("random: moments of uniform and normal numbers") {
  constexpr int n = 200000;
  Random random(random_key(1, "moments"));
  double sums[5] = {}, uniform = 0, uniform2 = 0, product = 0, last = 0;
  int tail = 0;
  for (int i = 0; i < n; ++i) {
    const double u = random.uniform(), x = random.normal();
    REQUIRE((u >= 0 && u < 1));
    uniform += u, uniform2 += u * u;
    for (int p = 1; p < 5; ++p) sums[p] += std::pow(x, p);
    product += x * last, last = x;
    tail += std::abs(x) > 1.959964;
  }
  // Bounds are five standard deviations of the estimates.
  const double five = 5 / std::sqrt(n);
  CHECK(std::abs(uniform / n - 0.5) < five * std::sqrt(1.0 / 12));
  CHECK(std::abs(uniform2 / n - 1.0 / 3) < five * std::sqrt(4.0 / 45));
  CHECK(std::abs(sums[1] / n) < five);
  CHECK(std::abs(sums[2] / n - 1) < five * std::sqrt(2.0));
  CHECK(std::abs(sums[3] / n) < five * std::sqrt(15.0));
  CHECK(std::abs(sums[4] / n - 3) < five * std::sqrt(96.0));
  CHECK(std::abs(product / n) < five);
  CHECK(std::abs(tail / double(n) - 0.05) < five * std::sqrt(0.05 * 0.95));
}

TEST_CASE("random: below is uniform and in range") {
  Random random(random_key(2, "below"));
  int counts[7] = {};
  for (int i = 0; i < 70000; ++i) ++counts[random.below(7)];
  for (int count : counts) CHECK(std::abs(count - 10000) < 5 * std::sqrt(10000 * 6.0 / 7));
  CHECK(random.below(1) == 0);
  CHECK(random.below(0) == 0);
  const uint64_t large = (uint64_t{1} << 63) + 1;  // half of all draws are rejected
  for (int i = 0; i < 1000; ++i) REQUIRE(random.below(large) < large);
}

TEST_CASE("random: permutations hold every number once, and all orders occur") {
  Random random(random_key(3, "permutation"));
  std::vector<int64_t> order = random.permutation(1000);
  std::sort(order.begin(), order.end());
  for (int64_t i = 0; i < 1000; ++i) REQUIRE(order[i] == i);
  std::set<std::vector<int64_t>> seen;
  for (int i = 0; i < 500; ++i) seen.insert(random.permutation(4));
  CHECK(seen.size() == 24);
  CHECK(random.permutation(0).empty());
}
