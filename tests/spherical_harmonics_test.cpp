#include "equivariant/spherical_harmonics.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "autograd/gradcheck.h"
#include "core/parallel.h"
#include "core/safetensors.h"
#include "equivariant/wigner.h"

using namespace casimir;

namespace {

constexpr int largest_l = 11;
int64_t width_of(int l_max) {
  return (l_max + 1) * (l_max + 1);
}

const Safetensors& reference() {
  static const Safetensors file =
      read_safetensors(CASIMIR_SOURCE_DIR "/tests/reference/e3nn.safetensors");
  return file;
}
std::vector<double> values(const Tensor& x) {
  return x.array().to_vector<double>();
}
std::vector<double> random_vectors(int rows, uint64_t seed) {
  Random random(random_key(seed, "vectors"));
  std::vector<double> x(3 * rows);
  for (double& value : x) value = 1.5 * random.normal();
  return x;
}
Tensor rows_of_three(const std::vector<double>& x) {
  return Tensor::from(x, {static_cast<int64_t>(x.size() / 3), 3});
}
double length(const double* x) {
  return std::sqrt(x[0] * x[0] + x[1] * x[1] + x[2] * x[2]);
}

}  // namespace

TEST_CASE("spherical_harmonics: equal to e3nn's") {
  std::vector<double> x = reference().at("vectors").to_vector<double>();
  auto compare = [&](const std::string& name, Normalization normalization, bool normalize) {
    std::vector<double> y =
        values(spherical_harmonics(rows_of_three(x), largest_l, normalize, normalization));
    for (int l = 0; l <= largest_l; ++l) {
      std::vector<double> block =
          reference().at(name + "/" + std::to_string(l)).to_vector<double>();
      double largest = 0;
      for (size_t e = 0; e < x.size() / 3; ++e) {
        double scale = normalize ? 1 : std::max(1.0, std::pow(length(&x[3 * e]), l));
        for (int m = 0; m < 2 * l + 1; ++m) {
          double difference = y[e * width_of(largest_l) + l * l + m] - block[e * (2 * l + 1) + m];
          largest = std::max(largest, std::abs(difference) / scale);
        }
      }
      CHECK_MESSAGE(largest < 1e-13, name << "/" << l << " differs by " << largest);
    }
  };
  compare("sh/component", Normalization::component, true);
  compare("sh/norm", Normalization::norm, true);
  compare("sh/integral", Normalization::integral, true);
  compare("sh_raw/component", Normalization::component, false);
}

TEST_CASE("spherical_harmonics: l_max only cuts") {
  Tensor x = rows_of_three(random_vectors(19, 1));
  std::vector<double> all = values(spherical_harmonics(x, largest_l));
  for (int l_max = 0; l_max < largest_l; ++l_max) {
    std::vector<double> y = values(spherical_harmonics(x, l_max));
    int64_t width = width_of(l_max);
    REQUIRE(static_cast<int64_t>(y.size()) == 19 * width);
    for (int64_t e = 0; e < 19; ++e)
      CHECK(std::equal(&y[e * width], &y[e * width] + width, &all[e * width_of(largest_l)]));
  }
}

TEST_CASE("spherical_harmonics: the blocks have their norms") {
  std::vector<double> x = random_vectors(20, 2);
  for (auto [normalization, square] : {std::pair{Normalization::component, 1.0},
                                       {Normalization::norm, 0.0},
                                       {Normalization::integral, 0.25 / std::acos(-1.0)}}) {
    std::vector<double> y =
        values(spherical_harmonics(rows_of_three(x), largest_l, true, normalization));
    for (int e = 0; e < 20; ++e)
      for (int l = 0; l <= largest_l; ++l) {
        double sum = 0, expected = square == 0 ? 1 : square * (2 * l + 1);
        for (int m = l * l; m < (l + 1) * (l + 1); ++m) sum += y[e * 144 + m] * y[e * 144 + m];
        CHECK(std::abs(sum / expected - 1) < 1e-13);
      }
  }
}

TEST_CASE("spherical_harmonics: rotations, inversion and lengths") {
  Random random(random_key(3, "rotation"));
  std::vector<double> x = random_vectors(10, 3), turned(x.size()), inverted = x, longer = x;
  Matrix3 r = random_rotation(random);
  for (size_t e = 0; e < 10; ++e)
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) turned[3 * e + i] += r[3 * i + j] * x[3 * e + j];
  for (double& value : inverted) value = -value;
  for (double& value : longer) value *= 2;
  auto harmonics = [](const std::vector<double>& v, bool normalize) {
    return values(spherical_harmonics(rows_of_three(v), largest_l, normalize));
  };
  std::vector<double> y = harmonics(x, true), y_turned = harmonics(turned, true);
  std::vector<double> y_inverted = harmonics(inverted, true), y_longer = harmonics(longer, true);
  std::vector<double> solid = harmonics(x, false);
  for (int l = 0; l <= largest_l; ++l) {
    std::vector<double> d = wigner_d(l, r);
    int n = 2 * l + 1;
    double scale = std::sqrt(n);
    for (size_t e = 0; e < 10; ++e)
      for (int a = 0; a < n; ++a) {
        size_t at = e * 144 + l * l + a;
        double expected = 0;
        for (int b = 0; b < n; ++b) expected += d[a * n + b] * y[e * 144 + l * l + b];
        CHECK(std::abs(y_turned[at] - expected) < 1e-13 * scale);
        CHECK(y_inverted[at] == (l % 2 ? -1 : 1) * y[at]);
        CHECK(y_longer[at] == y[at]);
        double power = std::pow(length(&x[3 * e]), l);
        CHECK(std::abs(solid[at] - power * y[at]) < 1e-13 * scale * power);
      }
  }
}

TEST_CASE("spherical_harmonics: products couple with wigner_3j") {
  // Sum of C Y_l1 Y_l2 is a multiple of Y_l3, positive for e3nn's signs; 0 for odd l1 + l2 + l3.
  std::vector<double> y = values(spherical_harmonics(rows_of_three(random_vectors(6, 4)), 8));
  for (int l1 = 0; l1 <= 8; ++l1)
    for (int l2 = 0; l2 <= l1; ++l2)
      for (int l3 = l1 - l2; l3 <= std::min(8, l1 + l2); ++l3) {
        const std::vector<double>& c = wigner_3j(l1, l2, l3);
        double factor = std::sqrt((2 * l1 + 1) * (2 * l2 + 1)) * c[c.size() / 2];
        for (int e = 0; e < 6; ++e)
          for (int k = 0; k < 2 * l3 + 1; ++k) {
            double sum = 0;
            for (int i = 0; i < 2 * l1 + 1; ++i)
              for (int j = 0; j < 2 * l2 + 1; ++j)
                sum += c[(i * (2 * l2 + 1) + j) * (2 * l3 + 1) + k] * y[e * 81 + l1 * l1 + i] *
                       y[e * 81 + l2 * l2 + j];
            // At the pole Y_l is sqrt(2 l + 1) for m = 0 alone: that gives the multiple.
            double expected = factor / std::sqrt(2 * l3 + 1) * y[e * 81 + l3 * l3 + k];
            CHECK(std::abs(sum - expected) < 1e-13);
          }
      }
}

TEST_CASE("spherical_harmonics: f32 against f64") {
  std::vector<double> x = random_vectors(100, 5);
  for (double& value : x) value = static_cast<float>(value);
  for (bool normalize : {true, false}) {
    std::vector<double> wide = values(spherical_harmonics(rows_of_three(x), 4, normalize));
    Tensor narrow = rows_of_three(x).array().cast(DType::f32);
    std::vector<double> y =
        values(spherical_harmonics(narrow, 4, normalize).array().cast(DType::f64));
    for (size_t i = 0; i < y.size(); ++i) {
      double scale = normalize ? 1 : std::max(1.0, std::pow(length(&x[i / 25 * 3]), 4));
      CHECK(std::abs(y[i] - wide[i]) < 2e-6 * scale);
    }
  }
}

TEST_CASE("spherical_harmonics: a row has the same bits anywhere, with any number of threads") {
  constexpr int rows = 5003;
  std::vector<double> x = random_vectors(rows, 6), reversed(x.size());
  for (int e = 0; e < rows; ++e) std::copy_n(&x[3 * e], 3, &reversed[3 * (rows - 1 - e)]);
  auto harmonics = [](const std::vector<double>& v, int threads) {
    set_num_threads(threads);
    return values(spherical_harmonics(rows_of_three(v), 3));
  };
  std::vector<double> one = harmonics(x, 1), other = harmonics(reversed, 2);
  CHECK(harmonics(x, 2) == one);
  CHECK(harmonics(x, 4) == one);
  set_num_threads(0);
  bool same = true;
  for (int e = 0; e < rows; ++e)
    same &= std::equal(&one[16 * e], &one[16 * e] + 16, &other[16 * (rows - 1 - e)]);
  CHECK(same);
}

TEST_CASE("spherical_harmonics: gradients of order 1 to 3 against differences") {
  Random random(random_key(7, "gradcheck"));
  std::vector<double> x = random_vectors(5, 7);
  for (int e = 0; e < 5; ++e) {  // lengths between 1 and 2
    double factor = random.uniform(1, 2) / length(&x[3 * e]);
    for (int i = 0; i < 3; ++i) x[3 * e + i] *= factor;
  }
  for (Normalization normalization :
       {Normalization::component, Normalization::norm, Normalization::integral})
    for (bool normalize : {true, false})
      for (int l_max : {0, 1, 2, 3, 4, 11}) {
        auto harmonics = [&](const Tensors& in) {
          return Tensors{spherical_harmonics(in[0], l_max, normalize, normalization)};
        };
        double step = l_max == 11 ? 1e-4 : 1e-3;
        double error = gradcheck(harmonics, {rows_of_three(x)}, {.order = 3, .step = step});
        CHECK_MESSAGE(error < 1e-8, "l_max " << l_max << ", normalize " << normalize
                                             << ": the derivatives differ by " << error);
      }
}

TEST_CASE("spherical_harmonics: zero vectors have finite derivatives") {
  std::vector<double> x = {0, 0, 0, 1, -2, 0.5, 0, 0, 0};
  std::vector<double> seeds(3 * 25);
  for (size_t i = 0; i < seeds.size(); ++i) seeds[i] = 0.3 + 0.01 * static_cast<double>(i);
  std::vector<double> direction = {1, 2, -1, 0.5, 1, 2, -2, 1, 1};
  for (DType dtype : {DType::f64, DType::f32})
    for (bool normalize : {true, false}) {
      Tape tape;
      Tensor w = tape.watch(rows_of_three(x).array().cast(dtype));
      Tensor y = spherical_harmonics(w, 4, normalize);
      std::vector<double> value = values(y.array().cast(DType::f64));
      for (int i = 0; i < 25; ++i) CHECK(value[i] == (i == 0 ? 1 : 0));
      Tensor derivative = y, seed = Tensor::from(seeds, {3, 25}).array().cast(dtype);
      for (int order = 1; order <= 3; ++order) {
        derivative = tape.grad({derivative}, {w}, {seed}, {.create_graph = true})[0];
        seed = rows_of_three(direction).array().cast(dtype);
        std::vector<double> d = values(derivative.array().cast(DType::f64));
        for (int i = 0; i < 9; ++i) {
          CHECK(std::isfinite(d[i]));
          if (i / 3 == 1 || !normalize) CHECK(d[i] != 0);
          if (i / 3 != 1 && normalize) CHECK(d[i] == 0);
        }
        // The solid harmonics of degree 1 are sqrt(3) (x, y, z), and alone count at 0.
        if (order == 1 && !normalize)
          for (int i = 0; i < 3; ++i) CHECK(d[i] == doctest::Approx(std::sqrt(3) * seeds[1 + i]));
      }
    }
}

TEST_CASE("spherical_harmonics: empty and wrong inputs") {
  CHECK(spherical_harmonics(Tensor::zeros({0, 3}, DType::f64), 3).shape() == Shape{0, 16});
  Tensor x = Tensor::ones({4, 3}, DType::f64);
  CHECK_THROWS_WITH_AS(spherical_harmonics(Tensor::ones({4, 2}, DType::f64), 3),
                       "spherical_harmonics: expected vectors [rows, 3], found [4, 2]", ShapeError);
  CHECK_THROWS_WITH_AS(spherical_harmonics(x, 12),
                       "spherical_harmonics: expected 0 <= l_max <= 11, found 12", ShapeError);
  CHECK_THROWS_WITH_AS(spherical_harmonics(x, -1),
                       "spherical_harmonics: expected 0 <= l_max <= 11, found -1", ShapeError);
  CHECK_THROWS_WITH_AS(spherical_harmonics(Array({2, 3}, DType::i32), 2),
                       "spherical_harmonics: expected f32 or f64, found i32", ShapeError);
}
