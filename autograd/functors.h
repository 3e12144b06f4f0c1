// Scalar functions shared by the CPU loops and the CUDA kernels, f32 and f64.
//
// exp and what is built on it are branch-free polynomials, so that loops over them become vector
// code: x = n ln 2 + r with |r| <= ln 2 / 2, the Taylor series of e^r - 1 to rounding, times 2^n.
// Errors are about one unit in the last place; infinities and NaN go through as in the C library.
// C++17, for nvcc.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/kernel.h"

namespace casimir {
namespace functors {

template <class T>
struct Float;
template <>
struct Float<float> {
  using Bits = uint32_t;
  static constexpr int mantissa = 23, bias = 127;
  static constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float low = -104.0f, high = 89.0f;  // beyond: 0, infinity
};
template <>
struct Float<double> {
  using Bits = uint64_t;
  static constexpr int mantissa = 52, bias = 1023;
  static constexpr double round = 6755399441055744.0;
  static constexpr double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;
  static constexpr double low = -746.0, high = 710.0;
};

template <class To, class From>
CASIMIR_HD_INLINE To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "same size");
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

// (x < low ? low : x > high ? high : x); NaN stays NaN.
template <class T>
CASIMIR_HD_INLINE T clamp(T x, T low, T high) {
  x = x < low ? low : x;
  return x > high ? high : x;
}

// 2^n for n with n and n / 2 in the range of exponents; n comes as round + n.
template <class T>
CASIMIR_HD_INLINE T power_of_two(typename Float<T>::Bits n) {
  using F = Float<T>;
  return bits_as<T>(static_cast<typename F::Bits>((n + F::bias) << F::mantissa));
}

// The reduced argument of exp: x = n ln 2 + r.
template <class T>
struct Reduced {
  T r;
  typename Float<T>::Bits n;  // modulo 2^bits
};
template <class T>
CASIMIR_HD_INLINE Reduced<T> reduce_exp(T x) {
  using F = Float<T>;
  using Bits = typename F::Bits;
  const T shifted = x * T(1.4426950408889634) + F::round;
  const T n = shifted - F::round;
  const T r = (x - n * F::ln2_high) - n * F::ln2_low;
  return {r, static_cast<Bits>(bits_as<Bits>(shifted) - bits_as<Bits>(F::round))};
}

// e^r - 1 for |r| <= ln 2 / 2: r + r^2 (1/2! + r/3! + ...).
CASIMIR_HD_INLINE float series_expm1(float r) {
  float p = 1.0f / 5040;
  p = p * r + 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  return p * (r * r) + r;
}
CASIMIR_HD_INLINE double series_expm1(double r) {
  double p = 1.0 / 6227020800.0;
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  return p * (r * r) + r;
}

template <class T>
CASIMIR_HD_INLINE T fast_exp(T x) {
  using F = Float<T>;
  using Bits = typename F::Bits;
  const Reduced<T> s = reduce_exp(clamp(x, F::low, F::high));
  // 2^n in two factors, so that results below the normal range round once and those above become
  // infinite. The first half of n is taken with its sign.
  constexpr int top = 8 * sizeof(Bits) - 1;
  const Bits half = (s.n >> 1) | (s.n & (Bits(1) << top));
  return (T(1) + series_expm1(s.r)) * power_of_two<T>(half) * power_of_two<T>(s.n - half);
}

// e^x - 1 for x in [0, 40].
template <class T>
CASIMIR_HD_INLINE T fast_expm1_positive(T x) {
  const Reduced<T> s = reduce_exp(x);
  const T power = power_of_two<T>(s.n);
  return power * series_expm1(s.r) + (power - T(1));
}

// log(1 + y) for y in [0, 1]: 2 artanh(z), z = y / (2 + y) <= 1/3, by its series.
template <class T>
CASIMIR_HD_INLINE T fast_log1p_unit(T y) {
  constexpr int last = sizeof(T) == 4 ? 15 : 33;  // 3^-last is below half a rounding error
  const T z = y / (T(2) + y), q = z * z;
  T p = T(1.0 / last);
#if defined(__GNUC__) && !defined(__CUDACC__)
#pragma GCC unroll 16
#endif
  for (int k = last - 2; k >= 3; k -= 2) p = p * q + T(1) / T(k);
  return 2 * (z + z * (q * p));
}

// One input.

struct Neg {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return -x;
  }
};
struct Scale {
  double factor;
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return T(factor) * x;
  }
};
struct Shift {
  double term;
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return x + T(term);
  }
};
struct Pow {
  double exponent;
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    const int whole = static_cast<int>(exponent);
    if (whole != exponent || whole < -64 || whole > 64) return std::pow(x, T(exponent));
    T power = 1, base = x;  // by squaring
    for (int n = whole < 0 ? -whole : whole; n > 0; n >>= 1, base *= base)
      if (n & 1) power *= base;
    return whole < 0 ? 1 / power : power;
  }
};
struct Square {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return x * x;
  }
};
struct Sqrt {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return std::sqrt(x);
  }
};
struct Reciprocal {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return 1 / x;
  }
};
struct SafeReciprocal {  // 0 at 0
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return x == 0 ? T(0) : 1 / x;
  }
};
struct Exp {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return fast_exp(x);
  }
};
struct Log {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return std::log(x);
  }
};
struct Sin {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return std::sin(x);
  }
};
struct Cos {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return std::cos(x);
  }
};
struct Tanh {  // (e^2a - 1) / (e^2a + 1) for a = |x|
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    const T t = fast_expm1_positive(clamp(2 * std::fabs(x), T(0), T(40)));
    return std::copysign(t / (t + 2), x);
  }
};
struct Abs {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return std::fabs(x);
  }
};
struct Sign {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return T(x > 0) - T(x < 0);
  }
};
struct Relu {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return x < 0 ? T(0) : x;
  }
};
struct Softplus {  // max(x, 0) + log(1 + e^-|x|)
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    return (x < 0 ? T(0) : x) + fast_log1p_unit(fast_exp(-std::fabs(x)));
  }
};

// sigmoid(-|x|) = e / (1 + e), e = e^-|x|: at most 1/2 and accurate in the tail.
template <class T>
CASIMIR_HD_INLINE T sigmoid_tail(T x) {
  const T e = fast_exp(-std::fabs(x));
  return e / (1 + e);
}
struct Sigmoid {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    const T e = fast_exp(-std::fabs(x));
    return (x < 0 ? e : T(1)) / (1 + e);
  }
};
struct Silu {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    const T e = fast_exp(-std::fabs(x));
    const T bounded = x < T(-1000) ? T(-1000) : x;  // -inf times 0 would be NaN
    return bounded * ((x < 0 ? e : T(1)) / (1 + e));
  }
};

// The k-th derivative of sigmoid, k >= 1, is a polynomial in s = sigmoid(x):
//   P_0 = s,  P_{k+1}(s) = P_k'(s) s (1 - s).
// It is evaluated at s = sigmoid(-|x|), where it does not cancel; P_k(1 - s) = (-1)^(k+1) P_k(s).
// `most`: the highest order it has room for.
constexpr int max_sigmoid_order = 12;
template <int most = max_sigmoid_order>
struct SigmoidDerivative {
  static constexpr int terms = most + 1;
  double coefficient[terms] = {};  // of s^1, s^2, ...
  double mirrored = 1;             // the sign for x >= 0

  explicit SigmoidDerivative(int order) : mirrored(order % 2 ? 1 : -1) {
    coefficient[0] = 1;
    for (int k = 0; k < order; ++k)  // s^n -> n s^n - n s^(n+1)
      for (int n = terms; n >= 1; --n)
        coefficient[n - 1] = n * coefficient[n - 1] - (n > 1 ? (n - 1) * coefficient[n - 2] : 0);
  }
  template <class T>
  CASIMIR_HD_INLINE T at_tail(T s) const {
    T p = T(coefficient[terms - 1]);
#if defined(__GNUC__) && !defined(__CUDACC__)
#pragma GCC unroll 16
#endif
    for (int n = terms - 2; n >= 0; --n) p = p * s + T(coefficient[n]);
    return p * s;
  }
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    const T p = at_tail(sigmoid_tail(x));
    return x < 0 ? p : T(mirrored) * p;
  }
};
// silu^(k) = x sigmoid^(k) + k sigmoid^(k-1), k >= 1.
template <int most = max_sigmoid_order>
struct SiluDerivative {
  double order, constant;  // sigmoid(x) = 1 - sigmoid(-x): the constant is 1 for k = 1
  SigmoidDerivative<most> same, lower;
  explicit SiluDerivative(int k) : order(k), constant(k == 1), same(k), lower(k - 1) {}
  template <class T>
  CASIMIR_HD_INLINE T operator()(T x) const {
    const T s = sigmoid_tail(x);
    const T p = same.at_tail(s), q = lower.at_tail(s);
    const T high = x < 0 ? p : T(same.mirrored) * p;
    const T low = x < 0 ? q : T(lower.mirrored) * q + T(constant);
    return clamp(x, T(-1000), T(1000)) * high + T(order) * low;
  }
};

// Two inputs.

struct Add {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T a, T b) const {
    return a + b;
  }
};
struct Sub {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T a, T b) const {
    return a - b;
  }
};
struct Mul {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T a, T b) const {
    return a * b;
  }
};
struct ScaledMul {
  double factor;
  template <class T>
  CASIMIR_HD_INLINE T operator()(T a, T b) const {
    return T(factor) * (a * b);
  }
};
struct Div {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T a, T b) const {
    return a / b;
  }
};
struct Maximum {  // NaN if either is
  template <class T>
  CASIMIR_HD_INLINE T operator()(T a, T b) const {
    return a > b || a != a ? a : b;
  }
};
struct Minimum {
  template <class T>
  CASIMIR_HD_INLINE T operator()(T a, T b) const {
    return a < b || a != a ? a : b;
  }
};
struct Less {
  template <class T>
  CASIMIR_HD_INLINE uint8_t operator()(T a, T b) const {
    return a < b;
  }
};
struct LessEqual {
  template <class T>
  CASIMIR_HD_INLINE uint8_t operator()(T a, T b) const {
    return a <= b;
  }
};
struct Equal {
  template <class T>
  CASIMIR_HD_INLINE uint8_t operator()(T a, T b) const {
    return a == b;
  }
};

}  // namespace functors
}  // namespace casimir
