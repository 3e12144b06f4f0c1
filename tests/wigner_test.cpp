#include "equivariant/wigner.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdio>
#include <thread>

#include "core/safetensors.h"

using namespace casimir;

namespace {

const Safetensors& reference() {
  static const Safetensors file =
      read_safetensors(CASIMIR_SOURCE_DIR "/tests/reference/e3nn.safetensors");
  return file;
}

double max_difference(const double* a, const double* b, size_t size) {
  double largest = 0;
  for (size_t i = 0; i < size; ++i) {
    double difference = std::abs(a[i] - b[i]);
    if (!(difference <= largest)) largest = difference;  // a NaN too
  }
  return largest;
}
double max_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  return max_difference(a.data(), b.data(), a.size());
}

std::vector<double> product(const std::vector<double>& a, const std::vector<double>& b, int n) {
  std::vector<double> c(n * n);
  for (int i = 0; i < n; ++i)
    for (int k = 0; k < n; ++k)
      for (int j = 0; j < n; ++j) c[i * n + j] += a[i * n + k] * b[k * n + j];
  return c;
}
std::vector<double> transposed(const std::vector<double>& a, int n) {
  std::vector<double> c(n * n);
  for (int i = 0; i < n; ++i)
    for (int j = 0; j < n; ++j) c[j * n + i] = a[i * n + j];
  return c;
}
Matrix3 product(const Matrix3& a, const Matrix3& b) {
  Matrix3 c{};
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      for (int k = 0; k < 3; ++k) c[3 * i + j] += a[3 * i + k] * b[3 * k + j];
  return c;
}

// D1 (x) D2 (x) D3 applied to C, one index after the other.
std::vector<double> rotated(std::vector<double> c, std::array<int, 3> l, const Matrix3& r) {
  for (int axis = 0; axis < 3; ++axis) {
    // The first index is contracted and becomes the last one.
    int n = 2 * l[axis] + 1, rest = static_cast<int>(c.size()) / n;
    std::vector<double> d = wigner_d(l[axis], r), next(c.size());
    for (int a = 0; a < n; ++a)
      for (int b = 0; b < n; ++b)
        for (int k = 0; k < rest; ++k) next[k * n + a] += d[a * n + b] * c[b * rest + k];
    c = next;
  }
  return c;
}

}  // namespace

TEST_CASE("wigner_3j: equal to e3nn's") {
  int triples = 0;
  for (const auto& [name, array] : reference().arrays) {
    int l1, l2, l3;
    if (std::sscanf(name.c_str(), "cg/%d_%d_%d", &l1, &l2, &l3) != 3) continue;
    ++triples;
    double difference = max_difference(wigner_3j(l1, l2, l3), array.to_vector<double>());
    CHECK_MESSAGE(difference < 1e-14, name << " differs by " << difference);
  }
  CHECK(triples == 90);  // the 50 l1 <= l2 <= l3 <= 6 that couple, and 40 in other orders
}

TEST_CASE("wigner_3j: norm 1, invariant, with the exact zeros of parity") {
  Random random(random_key(1, "wigner_3j"));
  Matrix3 r = random_rotation(random);
  for (std::array<int, 3> l : {std::array{0, 0, 0},
                               {1, 1, 1},
                               {2, 3, 4},
                               {3, 2, 4},
                               {5, 5, 3},
                               {11, 11, 11},
                               {11, 4, 9},
                               {6, 11, 7},
                               {10, 1, 11},
                               {12, 8, 20}}) {
    std::vector<double> c = wigner_3j(l[0], l[1], l[2]);
    double norm = 0;
    for (double value : c) norm += value * value;
    CHECK(std::abs(norm - 1) < 1e-14);
    CHECK(max_difference(rotated(c, l, r), c) < 1e-13);
  }
  // (2, 3, 4): only m3 = +-m1 +-m2 couple.
  const std::vector<double>& c = wigner_3j(2, 3, 4);
  for (int a = -2, next = 0; a <= 2; ++a)
    for (int b = -3; b <= 3; ++b)
      for (int m = -4; m <= 4; ++m, ++next)
        if (std::abs(m) != std::abs(a + b) && std::abs(m) != std::abs(a - b)) CHECK(c[next] == 0);
}

TEST_CASE("wigner_3j: known values") {
  // (1, 1, 1) is the cross product: epsilon / sqrt 6; (1, 1, 0) the scalar product / sqrt 3.
  const std::vector<double>& cross = wigner_3j(1, 1, 1);
  std::vector<double> epsilon(27);
  epsilon[5] = epsilon[15] = epsilon[19] = 1 / std::sqrt(6.0);
  epsilon[7] = epsilon[11] = epsilon[21] = -1 / std::sqrt(6.0);
  CHECK(max_difference(cross, epsilon) < 1e-16);
  std::vector<double> dot(9);
  dot[0] = dot[4] = dot[8] = 1 / std::sqrt(3.0);
  CHECK(max_difference(wigner_3j(1, 1, 0), dot) < 1.2e-16);
}

TEST_CASE("wigner_3j: kept once, from any thread") {
  std::vector<const double*> seen(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&seen, t] { seen[t] = wigner_3j(7, 8, 9).data(); });
  for (std::thread& thread : threads) thread.join();
  for (const double* data : seen) CHECK(data == wigner_3j(7, 8, 9).data());
}

TEST_CASE("wigner_3j: wrong degrees") {
  CHECK_THROWS_WITH_AS(wigner_3j(1, 1, 3),
                       "wigner_3j: 1, 1, 3 do not couple: expected |l1 - l2| <= l3 <= l1 + l2",
                       Error);
  CHECK_THROWS_WITH_AS(wigner_3j(-1, 1, 1), "wigner_3j: expected 0 <= l <= 20, found -1, 1, 1",
                       Error);
  CHECK_THROWS_WITH_AS(wigner_3j(21, 1, 21), "wigner_3j: expected 0 <= l <= 20, found 21, 1, 21",
                       Error);
}

TEST_CASE("wigner_d: equal to e3nn's") {
  std::vector<double> angles = reference().at("angles").to_vector<double>();
  std::vector<double> rotations = reference().at("rotation").to_vector<double>();
  for (int i = 0; i < 4; ++i) {
    Matrix3 r = rotation_from_angles(angles[3 * i], angles[3 * i + 1], angles[3 * i + 2]);
    CHECK(max_difference(r.data(), &rotations[9 * i], 9) < 1e-15);
    for (int l = 0; l <= 11; ++l) {
      std::vector<double> all = reference().at("D/" + std::to_string(l)).to_vector<double>();
      std::vector<double> d = wigner_d(l, r);
      double difference = max_difference(d.data(), &all[i * d.size()], d.size());
      CHECK_MESSAGE(difference < 1e-14, "l = " << l << " differs by " << difference);
    }
  }
}

TEST_CASE("wigner_d: an orthogonal representation") {
  Random random(random_key(2, "wigner_d"));
  for (int l : {0, 1, 2, 5, 11, 20}) {
    int n = 2 * l + 1;
    Matrix3 r1 = random_rotation(random), r2 = random_rotation(random);
    std::vector<double> d1 = wigner_d(l, r1), d2 = wigner_d(l, r2);
    std::vector<double> one(n * n);
    for (int i = 0; i < n; ++i) one[i * n + i] = 1;
    CHECK(max_difference(product(d1, transposed(d1, n), n), one) < 1e-13);
    CHECK(max_difference(product(d1, d2, n), wigner_d(l, product(r1, r2))) < 1e-13);
    CHECK(max_difference(wigner_d(l, {1, 0, 0, 0, 1, 0, 0, 0, 1}), one) < 1e-14);
    CHECK(max_difference(wigner_d(l, {-1, 0, 0, 0, -1, 0, 0, 0, -1}), one) < 1e-14);
  }
}

TEST_CASE("wigner_d: a matrix that is no rotation") {
  CHECK_THROWS_WITH_AS(wigner_d(2, {1, 0, 0, 0, 1, 0, 0, 0, 2}),
                       "wigner_d: the matrix R is not orthogonal: R^T R differs from 1 by 3",
                       Error);
  CHECK_THROWS_WITH_AS(wigner_d(21, {1, 0, 0, 0, 1, 0, 0, 0, 1}),
                       "wigner_d: expected 0 <= l <= 20, found 21", Error);
}

TEST_CASE("rotations: angles and back, gimbal lock too") {
  Random random(random_key(3, "angles"));
  for (int i = 0; i < 20; ++i) {
    Matrix3 r = random_rotation(random);
    auto [alpha, beta, gamma] = angles_from_rotation(r);
    Matrix3 again = rotation_from_angles(alpha, beta, gamma);
    CHECK(max_difference(r.data(), again.data(), 9) < 1e-14);
  }
  for (double beta : {0.0, std::acos(-1.0)}) {
    Matrix3 r = rotation_from_angles(0.7, beta, 0.4);
    auto [a, b, c] = angles_from_rotation(r);
    Matrix3 again = rotation_from_angles(a, b, c);
    CHECK(max_difference(r.data(), again.data(), 9) < 1e-14);
  }
}

TEST_CASE("rotations: random ones are uniform") {
  // The mean of R is 0, that of R_ij^2 is 1/3, that of trace R is 0 and of its square 1 for the
  // Haar measure.
  Random random(random_key(4, "uniform"));
  constexpr int samples = 20000;
  double trace = 0, trace_squared = 0;
  std::array<double, 9> mean{}, square{};
  for (int i = 0; i < samples; ++i) {
    Matrix3 r = random_rotation(random);
    for (int j = 0; j < 9; ++j) mean[j] += r[j] / samples, square[j] += r[j] * r[j] / samples;
    double t = r[0] + r[4] + r[8];
    trace += t / samples;
    trace_squared += t * t / samples;
  }
  for (int j = 0; j < 9; ++j) {
    CHECK(std::abs(mean[j]) < 0.02);
    CHECK(std::abs(square[j] - 1.0 / 3) < 0.02);
  }
  CHECK(std::abs(trace) < 0.04);
  CHECK(std::abs(trace_squared - 1) < 0.06);
}
