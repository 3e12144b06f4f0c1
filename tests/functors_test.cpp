// The polynomial functions against the C library in higher precision, in units in the last place.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>
#include <limits>

#include "autograd/functors.h"

using namespace casimir::functors;

namespace {

// |found - exact| in units in the last place of exact as a T; 0 where both round to the same.
template <class T>
double ulps(T found, long double exact) {
  const T rounded = static_cast<T>(exact);
  if (found == rounded || (std::isnan(found) && std::isnan(rounded))) return 0;
  if (!std::isfinite(found) || !std::isfinite(rounded)) return INFINITY;
  const T next = std::nextafter(std::abs(rounded), std::numeric_limits<T>::infinity());
  return static_cast<double>(std::abs(found - exact) / (next - std::abs(rounded)));
}

// The largest error over a grid of [low, high], with f the function and exact its long double.
template <class T, class F, class Exact>
double worst(F f, Exact exact, double low, double high) {
  constexpr int n = 200001;
  double largest = 0;
  for (int i = 0; i < n; ++i) {
    const T x = static_cast<T>(low + (high - low) * i / (n - 1));
    largest = std::max(largest, ulps(f(x), exact(static_cast<long double>(x))));
  }
  return largest;
}

template <class T>
constexpr T inf = std::numeric_limits<T>::infinity();

long double sigmoid_exact(long double x) {
  return 1 / (1 + std::exp(-x));
}

}  // namespace

TEST_CASE_TEMPLATE("functors: exp to 1.1 units in the last place", T, float, double) {
  auto exact = [](long double x) { return std::exp(x); };
  const double end = sizeof(T) == 4 ? 90 : 720;
  CHECK(worst<T>(Exp{}, exact, -1, 1) < 1.1);
  CHECK(worst<T>(Exp{}, exact, -end * 1.2, end) < 1.1);  // subnormal results and overflow included
  CHECK(Exp{}(T(0)) == 1);
  CHECK(Exp{}(inf<T>) == inf<T>);
  CHECK(Exp{}(-inf<T>) == 0);
  CHECK(Exp{}(std::numeric_limits<T>::max()) == inf<T>);
  CHECK(Exp{}(std::numeric_limits<T>::lowest()) == 0);
  CHECK(std::isnan(Exp{}(std::numeric_limits<T>::quiet_NaN())));
}

TEST_CASE_TEMPLATE("functors: tanh, softplus, sigmoid, silu to a few units in the last place", T,
                   float, double) {
  CHECK(worst<T>(
            Tanh{}, [](long double x) { return std::tanh(x); }, -1, 1) < 3.5);
  CHECK(worst<T>(
            Tanh{}, [](long double x) { return std::tanh(x); }, -25, 25) < 3.5);
  CHECK(worst<T>(
            Softplus{}, [](long double x) { return std::log1p(std::exp(x)); }, -40, 40) < 3);
  CHECK(worst<T>(Sigmoid{}, sigmoid_exact, -40, 40) < 3);
  CHECK(worst<T>(
            Silu{}, [](long double x) { return x * sigmoid_exact(x); }, -40, 40) < 3.5);
}

TEST_CASE_TEMPLATE("functors: small arguments keep their digits", T, float, double) {
  for (double x : {1e-3, 1e-6, 1e-12, 1e-30}) {
    const T small = static_cast<T>(x);
    CHECK(ulps(Tanh{}(small), std::tanh(static_cast<long double>(small))) < 2);
    CHECK(ulps(Silu{}(small), small * sigmoid_exact(small)) < 2);
    CHECK(Tanh{}(-small) == -Tanh{}(small));
  }
  CHECK(std::signbit(Tanh{}(T(-0.0))));
}

TEST_CASE_TEMPLATE("functors: infinities and NaN", T, float, double) {
  const T nan = std::numeric_limits<T>::quiet_NaN();
  CHECK(Tanh{}(inf<T>) == 1);
  CHECK(Tanh{}(-inf<T>) == -1);
  CHECK(Sigmoid{}(inf<T>) == 1);
  CHECK(Sigmoid{}(-inf<T>) == 0);
  CHECK(Silu{}(inf<T>) == inf<T>);
  CHECK(Silu{}(-inf<T>) == 0);
  CHECK(Softplus{}(inf<T>) == inf<T>);
  CHECK(Softplus{}(-inf<T>) == 0);
  for (int order = 1; order <= max_sigmoid_order; ++order)
    for (T x : {inf<T>, -inf<T>, T(1e30), T(-1e30)}) {
      CHECK(SigmoidDerivative(order)(x) == 0);
      CHECK(SiluDerivative(order)(x) == (order == 1 && x > 0 ? 1 : 0));
    }
  CHECK(std::isnan(Tanh{}(nan)));
  CHECK(std::isnan(Sigmoid{}(nan)));
  CHECK(std::isnan(Silu{}(nan)));
  CHECK(std::isnan(Softplus{}(nan)));
  CHECK(std::isnan(SigmoidDerivative(3)(nan)));
  CHECK(std::isnan(SiluDerivative(3)(nan)));
  CHECK(std::isnan(Maximum{}(nan, T(1))));
  CHECK(std::isnan(Maximum{}(T(1), nan)));
  CHECK(std::isnan(Minimum{}(nan, T(1))));
  CHECK(std::isnan(Minimum{}(T(1), nan)));
}

TEST_CASE("functors: derivatives of sigmoid and silu to order 12") {
  // mpmath 1.3: diff(f, x, k) with 60 digits.
  struct Row {
    double x;
    int order;
    double sigmoid, silu;
  };
  const Row rows[] = {
      {-20, 1, 2.0611536139418493e-9, -3.9161918660646783e-8},
      {-20, 2, 2.0611536054451409e-9, -3.7100764881019119e-8},
      {-20, 3, 2.061153588451724e-9, -3.5039610952699058e-8},
      {-20, 4, 2.0611535544648905e-9, -3.2978456735490913e-8},
      {-20, 6, 2.0611533505438919e-9, -2.8856146091930495e-8},
      {-20, 8, 2.0611525348599259e-9, -2.473382606800466e-8},
      {-20, 12, 2.0611362211841817e-9, -1.6488985361956504e-8},
      {-3, 1, 0.045176659730912133, -0.088104106015169617},
      {-3, 2, 0.040891574660943479, -0.032321404521006171},
      {-3, 3, 0.032931076224256425, 0.02388149531006116},
      {-3, 4, 0.018723437609119892, 0.075553992069666024},
      {-3, 6, -0.039904639064420659, 0.089792117493462113},
      {-3, 8, -0.080025998522225083, -0.38451497617077573},
      {-3, 12, 2.2809413294013357, 13.573585827382515},
      {-0.5, 1, 0.23500371220159449, 0.26003881269734819},
      {-0.5, 2, 0.057556794852320741, 0.44122902697702861},
      {-0.5, 3, -0.096356756289584614, 0.22084876270175453},
      {-0.5, 4, -0.10475593058033124, -0.33304905986817284},
      {-0.5, 6, 0.39031595811600201, 0.61856306009058157},
      {-0.5, 8, -2.3900171808604253, -1.1383457206901408},
      {-0.5, 12, -248.59757773821536, 407.59365486737464},
      {0.7, 1, 0.22171287329310905, 0.82338678347334244},
      {0.7, 2, -0.07457878844034181, 0.39122059467797883},
      {0.7, 3, -0.07322671581020832, -0.27499506638817125},
      {0.7, 4, 0.12384214122158327, -0.20621736438572499},
      {0.7, 6, -0.40224837323577536, 0.047544155152344551},
      {0.7, 8, 2.0016339609054573, 2.6747756182230553},
      {0.7, 12, 69.207216110942252, 724.54069101756046},
      {2.5, 1, 0.070103716545108157, 1.0994011113415268},
      {2.5, 2, -0.059467835845434068, -0.0084621565233688556},
      {2.5, 3, 0.04061653010448693, -0.076862182275084878},
      {2.5, 4, -0.0094408401535220816, 0.13886402003414252},
      {2.5, 6, 0.085454792846451519, -0.0022969486383310016},
      {2.5, 8, -0.06883032533388535, -0.90848542060505479},
      {2.5, 12, 8.622786523279929, 33.044442294247997},
      {9, 1, 0.00012337934976484891, 1.0009870195718974},
      {9, 2, -0.00012334890107974953, -0.00086338141018804793},
      {9, 3, 0.00012328801498115853, 0.00073954543159117816},
      {9, 4, -0.00012316627659323639, -0.00061534442941449339},
      {9, 6, -0.00012243645460989575, -0.00036439068415153304},
      {9, 8, -0.00011952324567054939, -0.0001039934237484865},
      {9, 12, -6.2022781193459998e-5, 0.00055240441300465708},
  };
  // The terms of the polynomial cancel at high orders: the bound is on their sizes.
  auto size = [](int order, double x) {
    const double t = 1 / (1 + std::exp(std::abs(x)));
    const SigmoidDerivative p(order);
    double sum = 0, power = t;
    for (double c : p.coefficient) sum += std::abs(c) * power, power *= t;
    return sum;
  };
  for (const Row& row : rows) {
    INFO("x ", row.x, ", order ", row.order);
    const double same = size(row.order, row.x), lower = size(row.order - 1, row.x);
    CHECK(std::abs(SigmoidDerivative(row.order)(row.x) - row.sigmoid) <= 1e-15 * same);
    CHECK(std::abs(SiluDerivative(row.order)(row.x) - row.silu) <=
          1e-15 * (std::abs(row.x) * same + row.order * (lower + 1)));
    if (row.order > 3) continue;
    CHECK(SigmoidDerivative<3>(row.order)(row.x) == SigmoidDerivative(row.order)(row.x));
    CHECK(SiluDerivative<3>(row.order)(row.x) == SiluDerivative(row.order)(row.x));
  }
}
