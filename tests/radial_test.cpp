#include "equivariant/radial.h"

#include <doctest/doctest.h>

#include <cmath>
#include <numbers>

#include "autograd/gradcheck.h"
#include "core/parallel.h"
#include "core/random.h"

using namespace casimir;

namespace {

constexpr double r_max = 5;

std::vector<double> values(const Tensor& x) {
  return x.array().to_vector<double>();
}
Tensor lengths(const std::vector<double>& r) {
  return Tensor::from(r, {static_cast<int64_t>(r.size())});
}
std::vector<double> grid(double first, double last, int count) {
  std::vector<double> r(count);
  for (int i = 0; i < count; ++i) r[i] = first + (last - first) * i / (count - 1);
  return r;
}

// The k-th derivative of sin(x) / x = integral over t in [0, 1] of t^k cos(x t + k pi / 2), by
// Gauss's rule of five points on 100 intervals: error below 1e-18 for x < 40.
long double sinc_integral(long double x, int k) {
  long double inner = std::sqrt(5 - 2 * std::sqrt(10.0L / 7)) / 3;
  long double outer = std::sqrt(5 + 2 * std::sqrt(10.0L / 7)) / 3;
  long double heavy = (322 + 13 * std::sqrt(70.0L)) / 900,
              light = (322 - 13 * std::sqrt(70.0L)) / 900;
  long double points[5] = {-outer, -inner, 0, inner, outer};
  long double weights[5] = {light, heavy, 128 / 225.0L, heavy, light};
  long double sum = 0, turn = k * std::numbers::pi_v<long double> / 2;
  for (int i = 0; i < 100; ++i)
    for (int j = 0; j < 5; ++j) {
      long double t = (i + (1 + points[j]) / 2) / 100;
      sum += weights[j] * std::pow(t, static_cast<long double>(k)) * std::cos(x * t + turn);
    }
  return sum / 200;
}

}  // namespace

TEST_CASE("bessel_basis: value") {
  std::vector<double> r = grid(0.05, 6, 40);
  std::vector<double> basis = values(bessel_basis(lengths(r), r_max, 8));
  REQUIRE(basis.size() == 40 * 8);
  for (size_t e = 0; e < r.size(); ++e)
    for (int n = 1; n <= 8; ++n) {
      long double w = n * std::numbers::pi_v<long double> / r_max;
      long double expected = std::sqrt(2 / r_max) * std::sin(w * r[e]) / r[e];
      CHECK(std::abs(basis[e * 8 + n - 1] - expected) < 1e-14 * w);
    }
}

TEST_CASE("bessel_basis: derivatives of any order, near zero too") {
  std::vector<double> r = {0,   1e-300, 1e-12, 1e-6, 1e-3, 0.01, 0.1,  0.3,
                           0.5, 0.8,    1,     1.4,  2,    3.3,  4.99, 5};
  for (int order = 0; order <= 8; ++order) {
    std::vector<double> basis = values(bessel_basis(lengths(r), r_max, 10, order));
    for (size_t e = 0; e < r.size(); ++e)
      for (int n : {1, 2, 3, 5, 8, 10}) {
        long double w = n * std::numbers::pi_v<long double> / r_max;
        // |k-th derivative of sin(x) / x| <= 1 / (k + 1)
        long double unit = std::sqrt(2 / r_max) * std::pow(w, order + 1),
                    scale = unit / (order + 1);
        long double expected = unit * sinc_integral(w * r[e], order);
        CHECK_MESSAGE(std::abs(basis[e * 10 + n - 1] - expected) < 1e-13 * scale,
                      "order " << order << ", n " << n << ", r " << r[e]);
      }
  }
}

TEST_CASE("polynomial_cutoff: value") {
  for (int p : {1, 2, 5, 6}) {
    std::vector<double> r = {0, 0.5, 1, 2.5, 4, 4.9, 5, 5.1, 100};
    std::vector<double> f = values(polynomial_cutoff(lengths(r), r_max, p));
    for (size_t e = 0; e < r.size(); ++e) {
      double u = r[e] / r_max, sum = 0;
      // (1 - u)^3 times the first p terms of the series of 1 / (1 - u)^3.
      for (int j = 0; j < p; ++j) sum += (j + 1) * (j + 2) / 2 * std::pow(u, j);
      double expected = u < 1 ? std::pow(1 - u, 3) * sum : 0;
      CHECK(std::abs(f[e] - expected) < 1e-13);
    }
    CHECK(f[0] == 1);
    for (size_t e = 6; e < r.size(); ++e) CHECK(f[e] == 0);
  }
}

TEST_CASE("polynomial_cutoff: two continuous derivatives at r_max") {
  for (int p : {2, 5, 6}) {
    double step = 1e-5;  // the third derivative is -p (p + 1) (p + 2) / r_max^3 there
    for (int order = 0; order <= 4; ++order) {
      std::vector<double> f =
          values(polynomial_cutoff(lengths({r_max - step, r_max, r_max + step}), r_max, p, order));
      CHECK(f[1] == 0);
      CHECK(f[2] == 0);
      double third = -p * (p + 1) * (p + 2) / std::pow(r_max, 3);
      double expected[3] = {-third * step * step * step / 6, third * step * step / 2,
                            -third * step};
      if (order <= 2)
        CHECK(std::abs(f[0] - expected[order]) < 1e-4 * std::abs(expected[order]) + 1e-13);
      if (order == 3) CHECK(f[0] == doctest::Approx(third).epsilon(1e-3));
    }
  }
}

TEST_CASE("radial: each order is the derivative of the one before") {
  double step = 1e-4;
  std::vector<double> r = grid(0.2, 4.9, 25), plus = r, minus = r;
  for (size_t i = 0; i < r.size(); ++i) plus[i] += step, minus[i] -= step;
  for (int order = 0; order < 5; ++order) {
    auto compare = [&](auto f, double scale) {
      std::vector<double> exact = values(f(r, order + 1)), a = values(f(plus, order)),
                          b = values(f(minus, order));
      for (size_t i = 0; i < exact.size(); ++i)
        CHECK(std::abs((a[i] - b[i]) / (2 * step) - exact[i]) < scale);
    };
    auto bessel = [](auto& r, int k) { return bessel_basis(lengths(r), r_max, 4, k); };
    auto cutoff = [](auto& r, int k) { return polynomial_cutoff(lengths(r), r_max, 6, k); };
    compare(bessel, 1e-7 * std::pow(2.6, order));
    compare(cutoff, 1e-7 * std::pow(3, order));
  }
}

TEST_CASE("radial: gradients of order 1 to 3 against differences") {
  Tensor r = lengths({0.3, 0.9, 1.7, 2.5, 3.8, 4.7, 5.5});
  for (int order : {0, 1}) {
    auto bessel = [&](const Tensors& x) { return Tensors{bessel_basis(x[0], r_max, 4, order)}; };
    CHECK(gradcheck(bessel, {r}, {.order = 3}) < 1e-8);
    auto cutoff = [&](const Tensors& x) {
      return Tensors{polynomial_cutoff(x[0], r_max, 6, order)};
    };
    CHECK(gradcheck(cutoff, {r}, {.order = 3}) < 1e-8);
  }
}

TEST_CASE("radial: at length 0 all derivatives are finite") {
  Tape tape;
  Tensor r = tape.watch(lengths({0, 1})), f = bessel_basis(r, r_max, 2),
         c = polynomial_cutoff(r, r_max, 6);
  // sqrt(2 / r_max) w sinc(w r) = sqrt(2 / r_max) (w - w^3 r^2 / 6 + w^5 r^4 / 120 ..)
  double w1 = std::numbers::pi / r_max, w2 = 2 * w1, scale = std::sqrt(2 / r_max);
  std::vector<double> expected = {scale * (w1 + w2), 0, -scale * (w1 * w1 * w1 + w2 * w2 * w2) / 3,
                                  0};
  for (int order = 0; order < 4; ++order) {
    CHECK(values(order == 0 ? sum(f, {1}) : f)[0] == doctest::Approx(expected[order]));
    CHECK(values(c)[0] == (order == 0 ? 1 : 0));
    f = tape.grad({sum(f)}, {r}, {}, {.create_graph = true})[0];
    c = tape.grad({sum(c)}, {r}, {}, {.create_graph = true})[0];
  }
}

TEST_CASE("radial: f32 against f64") {
  std::vector<double> r = grid(0, 5.5, 200);
  Tensor wide = lengths(r), narrow = wide.array().cast(DType::f32);
  for (int order = 0; order <= 2; ++order) {
    auto compare = [&](const Tensor& a, const Tensor& b, double scale) {
      std::vector<double> x = values(a), y = values(b.array().cast(DType::f64));
      for (size_t i = 0; i < x.size(); ++i) CHECK(std::abs(x[i] - y[i]) < 3e-7 * scale);
    };
    // Rounding r to f32 moves sin(w r) by w r 6e-8.
    compare(bessel_basis(wide, r_max, 8, order), bessel_basis(narrow, r_max, 8, order),
            5 * std::pow(5.03, order + 1));
    compare(polynomial_cutoff(wide, r_max, 5, order), polynomial_cutoff(narrow, r_max, 5, order),
            10);
  }
}

TEST_CASE("radial: same bits for any number of threads") {
  Random random(random_key(1, "radial"));
  std::vector<double> r(3001);
  for (double& value : r) value = random.uniform(0, 6);
  auto both = [&](int threads) {
    set_num_threads(threads);
    std::vector<double> all = values(bessel_basis(lengths(r), r_max, 8, 1));
    std::vector<double> cutoff = values(polynomial_cutoff(lengths(r), r_max, 6, 1));
    all.insert(all.end(), cutoff.begin(), cutoff.end());
    return all;
  };
  std::vector<double> one = both(1);
  CHECK(both(2) == one);
  CHECK(both(4) == one);
  set_num_threads(0);
}

TEST_CASE("radial: empty and wrong inputs") {
  CHECK(bessel_basis(lengths({}), r_max, 8).shape() == Shape{0, 8});
  CHECK(polynomial_cutoff(lengths({}), r_max, 6).shape() == Shape{0});
  Tensor two = Tensor::zeros({3, 1}, DType::f32), good = lengths({1});
  CHECK_THROWS_WITH_AS(bessel_basis(two, r_max, 8),
                       "bessel_basis: expected lengths [edges], found [3, 1]", ShapeError);
  CHECK_THROWS_WITH_AS(bessel_basis(good, 0, 8), "bessel_basis: expected r_max > 0, found 0",
                       ShapeError);
  CHECK_THROWS_WITH_AS(bessel_basis(good, r_max, 0), "bessel_basis: expected count > 0, found 0",
                       ShapeError);
  CHECK_THROWS_WITH_AS(polynomial_cutoff(two, r_max, 6),
                       "polynomial_cutoff: expected lengths [edges], found [3, 1]", ShapeError);
  CHECK_THROWS_WITH_AS(polynomial_cutoff(good, r_max, 0),
                       "polynomial_cutoff: expected p > 0, found 0", ShapeError);
  CHECK_THROWS_WITH_AS(polynomial_cutoff(good, r_max, 6, -1),
                       "polynomial_cutoff: expected order >= 0, found -1", ShapeError);
  CHECK_THROWS_WITH_AS(bessel_basis(Array({2}, DType::i32), r_max, 8),
                       "bessel_basis: expected f32 or f64, found i32", ShapeError);
}
