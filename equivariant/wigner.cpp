#include "equivariant/wigner.h"

#include <algorithm>
#include <cmath>
#include <complex>
#include <map>
#include <mutex>

#include "core/error.h"

namespace casimir {
namespace {

using Real = long double;
using Complex = std::complex<Real>;

constexpr int largest_l = 20;  // integers below stay under 2^60

Real factorial(int n) {
  Real product = 1;
  for (int i = 2; i <= n; ++i) product *= i;
  return product;
}

int64_t binomial(int n, int k) {
  if (k < 0 || k > n) return 0;
  int64_t value = 1;
  for (int i = 1; i <= k; ++i) value = value * (n - k + i) / i;
  return value;
}

// <l1 m1 l2 m2 | l3 m1+m2> / sqrt(2 l3 + 1), so that all of them have norm 1 together. Racah's
// formula, with the sum in binomials: an exact integer, so zeros are exact and nothing cancels.
Real complex_coefficient(int l1, int m1, int l2, int m2, int l3) {
  int m3 = m1 + m2;
  if (std::abs(m3) > l3) return 0;
  int a = l1 + l2 - l3, b = l1 - l2 + l3, c = -l1 + l2 + l3;
  int64_t sum = 0;
  for (int k = 0; k <= a; ++k) {
    int64_t term = binomial(a, k) * binomial(b, l1 - m1 - k) * binomial(c, l2 + m2 - k);
    sum += k % 2 ? -term : term;
  }
  // In pairs, so that (-m1, -m2) gives the same bits: real coefficients that vanish are exactly 0.
  Real above = (factorial(l1 + m1) * factorial(l1 - m1)) *
               (factorial(l2 + m2) * factorial(l2 - m2)) *
               (factorial(l3 + m3) * factorial(l3 - m3));
  Real below = factorial(l1 + l2 + l3 + 1) * factorial(a) * factorial(b) * factorial(c);
  return sum * std::sqrt(above / below);
}

// A real component m as a sum of complex ones: weight[i] times component n[i]. Condon-Shortley
// phases, times (-i)^l, which makes all coupling coefficients real: e3nn's basis.
struct Mixture {
  int n[2];
  Complex weight[2];
  int count;
};
Mixture real_component(int l, int m) {
  static const Complex powers[4] = {{1, 0}, {0, -1}, {-1, 0}, {0, 1}};
  Complex phase = powers[l % 4];
  if (m == 0) return {{0, 0}, {phase, 0}, 1};
  Complex half = std::sqrt(Real(0.5)) * (m > 0 ? phase : phase * Complex(0, -1));
  Real sign = (m % 2 ? -1 : 1) * (m > 0 ? 1 : -1);
  return {{std::abs(m), -std::abs(m)}, {sign * half, half}, 2};
}

// Real coefficients, up to a sign, for l1 <= l2 <= l3.
std::vector<double> real_coefficients(int l1, int l2, int l3) {
  std::vector<double> out;
  out.reserve((2 * l1 + 1) * (2 * l2 + 1) * (2 * l3 + 1));
  for (int m1 = -l1; m1 <= l1; ++m1)
    for (int m2 = -l2; m2 <= l2; ++m2)
      for (int m3 = -l3; m3 <= l3; ++m3) {
        Mixture a = real_component(l1, m1), b = real_component(l2, m2), c = real_component(l3, m3);
        Complex sum = 0;
        for (int i = 0; i < a.count; ++i)
          for (int j = 0; j < b.count; ++j)
            for (int k = 0; k < c.count; ++k)
              if (a.n[i] + b.n[j] == c.n[k])
                sum += a.weight[i] * b.weight[j] * std::conj(c.weight[k]) *
                       complex_coefficient(l1, a.n[i], l2, b.n[j], l3);
        out.push_back(static_cast<double>(sum.real()));
      }
  return out;
}

// e3nn 0.4.4's sign: the middle coefficient is positive or, if it is 0, the first one that is not.
void fix_sign(std::vector<double>& c) {
  double leading = c[c.size() / 2];
  for (size_t i = 0; leading == 0; ++i) leading = c[i];
  if (leading > 0) return;
  for (double& value : c)
    if (value != 0) value = -value;
}

// Other orders are permutations of l1 <= l2 <= l3, odd ones with the sign (-1)^(l1 + l2 + l3).
std::vector<double> permuted_coefficients(const std::array<int, 3>& l) {
  std::array<int, 3> order{0, 1, 2};
  bool odd = false;
  for (auto [i, j] : {std::pair{0, 1}, {1, 2}, {0, 1}})
    if (l[order[i]] > l[order[j]]) std::swap(order[i], order[j]), odd = !odd;
  std::vector<double> sorted = real_coefficients(l[order[0]], l[order[1]], l[order[2]]);
  fix_sign(sorted);
  double sign = odd && (l[0] + l[1] + l[2]) % 2 ? -1 : 1;

  std::array<int, 3> stride{(2 * l[1] + 1) * (2 * l[2] + 1), 2 * l[2] + 1, 1};
  std::vector<double> out(sorted.size());
  const double* next = sorted.data();
  for (int i = 0; i <= 2 * l[order[0]]; ++i)
    for (int j = 0; j <= 2 * l[order[1]]; ++j)
      for (int k = 0; k <= 2 * l[order[2]]; ++k)
        out[i * stride[order[0]] + j * stride[order[1]] + k * stride[order[2]]] = sign * *next++;
  return out;
}

double determinant(const Matrix3& r) {
  return r[0] * (r[4] * r[8] - r[5] * r[7]) - r[1] * (r[3] * r[8] - r[5] * r[6]) +
         r[2] * (r[3] * r[7] - r[4] * r[6]);
}

void check_orthogonal(const Matrix3& r) {
  double deviation = 0;
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j) {
      double dot = r[i] * r[j] + r[3 + i] * r[3 + j] + r[6 + i] * r[6 + j];
      deviation = std::max(deviation, std::abs(dot - (i == j)));
    }
  check<Error>(deviation < 1e-5,
               "wigner_d: the matrix R is not orthogonal: R^T R differs from 1 by ", deviation);
}

// D^l from D^(l-1), the rows and columns of D^1 (x) D^(l-1) that belong to l:
//   D^l[a, b] = (2l + 1) sum of C[i, j, a] R[i, i'] D^(l-1)[j, j'] C[i', j', b]
// with C = wigner_3j(1, l - 1, l). A projection: rounding errors add up, they do not grow.
std::vector<double> next_wigner_d(int l, const Matrix3& r, const std::vector<double>& previous) {
  const std::vector<double>& c = wigner_3j(1, l - 1, l);
  int n = 2 * l - 1, width = 2 * l + 1;
  std::vector<double> rotated(c.size());  // R C, then D^(l-1) R C
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < n; ++j)
      for (int i2 = 0; i2 < 3; ++i2)
        for (int j2 = 0; j2 < n; ++j2) {
          double weight = r[3 * i + i2] * previous[n * j + j2];
          for (int b = 0; b < width; ++b)
            rotated[(i * n + j) * width + b] += weight * c[(i2 * n + j2) * width + b];
        }
  std::vector<double> d(width * width);
  for (int ij = 0; ij < 3 * n; ++ij)
    for (int a = 0; a < width; ++a)
      for (int b = 0; b < width; ++b)
        d[a * width + b] += width * c[ij * width + a] * rotated[ij * width + b];
  return d;
}

}  // namespace

const std::vector<double>& wigner_3j(int l1, int l2, int l3) {
  check<Error>(std::min({l1, l2, l3}) >= 0 && std::max({l1, l2, l3}) <= largest_l,
               "wigner_3j: expected 0 <= l <= ", largest_l, ", found ", l1, ", ", l2, ", ", l3);
  check<Error>(std::abs(l1 - l2) <= l3 && l3 <= l1 + l2, "wigner_3j: ", l1, ", ", l2, ", ", l3,
               " do not couple: expected |l1 - l2| <= l3 <= l1 + l2");
  static std::mutex mutex;
  static std::map<std::array<int, 3>, std::vector<double>> known;  // its elements never move
  std::lock_guard lock(mutex);
  auto [place, missing] = known.try_emplace({l1, l2, l3});
  if (missing) place->second = permuted_coefficients({l1, l2, l3});
  return place->second;
}

Matrix3 rotation_from_angles(double alpha, double beta, double gamma) {
  double ca = std::cos(alpha), sa = std::sin(alpha), cb = std::cos(beta), sb = std::sin(beta);
  double cg = std::cos(gamma), sg = std::sin(gamma);
  return {ca * cg - sa * cb * sg,
          sa * sb,
          ca * sg + sa * cb * cg,  //
          sb * sg,
          cb,
          -sb * cg,  //
          -sa * cg - ca * cb * sg,
          ca * sb,
          -sa * sg + ca * cb * cg};
}

std::array<double, 3> angles_from_rotation(const Matrix3& r) {
  // R (0, 1, 0) has the polar angles beta, alpha; what is left of R is a turn about y.
  double alpha = std::atan2(r[1], r[7]);
  double beta = std::atan2(std::hypot(r[1], r[7]), r[4]);
  double ca = std::cos(alpha), sa = std::sin(alpha);
  double gamma = std::atan2(ca * r[2] - sa * r[8], ca * r[0] - sa * r[6]);
  return {alpha, beta, gamma};
}

Matrix3 random_rotation(Random& random) {
  // A unit quaternion in a uniform direction.
  std::array<double, 4> q;
  double squares = 0;
  do {
    squares = 0;
    for (double& value : q) value = random.normal(), squares += value * value;
  } while (squares < 1e-6);
  double scale = 2 / squares;
  auto [w, x, y, z] = q;
  return {1 - scale * (y * y + z * z), scale * (x * y - w * z),     scale * (x * z + w * y),
          scale * (x * y + w * z),     1 - scale * (x * x + z * z), scale * (y * z - w * x),
          scale * (x * z - w * y),     scale * (y * z + w * x),     1 - scale * (x * x + y * y)};
}

std::vector<double> wigner_d(int l, const Matrix3& rotation) {
  check<Error>(l >= 0 && l <= largest_l, "wigner_d: expected 0 <= l <= ", largest_l, ", found ", l);
  check_orthogonal(rotation);
  Matrix3 proper = rotation;
  if (determinant(rotation) < 0)
    for (double& value : proper) value = -value;
  if (l == 0) return {1};
  std::vector<double> d(proper.begin(), proper.end());  // the basis of l = 1 is x, y, z
  for (int k = 2; k <= l; ++k) d = next_wigner_d(k, proper, d);
  return d;
}

}  // namespace casimir
