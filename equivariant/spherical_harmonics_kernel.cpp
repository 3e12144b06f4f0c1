// The solid harmonics' recursion and its reverse, for rows side by side in the lanes of a register;
// written straight out for l_max <= 3.
#include "equivariant/spherical_harmonics_kernel.h"

#include <type_traits>

#include "core/parallel.h"
#include "equivariant/row_blocks.h"

namespace casimir {
namespace {

template <int N>
using Constant = std::integral_constant<int, N>;

// f(i) for first <= i <= last; without a loop when both are compile-time numbers.
template <class First, class Last, class F>
inline void upwards(First first, Last last, F&& f) {
  if constexpr (std::is_same_v<Last, int>)
    for (int i = first; i <= last; ++i) f(i);
  else
    [&]<int... I>(std::integer_sequence<int, I...>) {
      (f(Constant<First::value + I>{}), ...);
    }
  (std::make_integer_sequence<int, Last::value - First::value + 1>{});
}
template <class First, class Last, class F>
inline void downwards(First first, Last last, F&& f) {
  if constexpr (std::is_same_v<Last, int>)
    for (int i = last; i >= first; --i) f(i);
  else
    [&]<int... I>(std::integer_sequence<int, I...>) {
      (f(Constant<Last::value - I>{}), ...);
    }
  (std::make_integer_sequence<int, Last::value - First::value + 1>{});
}

// The largest degree a Top holds: Constant<l_max> or, for any, int.
template <class Top>
constexpr int largest_of() {
  if constexpr (std::is_same_v<Top, int>)
    return largest_l;
  else
    return Top::value;
}

template <class T>
struct Table {
  T start[largest_l + 1], a[largest_l + 1][largest_l + 1], b[largest_l + 1][largest_l + 1];
  explicit Table(const Recursion& recursion) {
    for (int m = 0; m <= largest_l; ++m) {
      start[m] = static_cast<T>(recursion.start[m]);
      for (int l = 0; l <= largest_l; ++l) {
        a[l][m] = static_cast<T>(recursion.a[l][m]);
        b[l][m] = static_cast<T>(recursion.b[l][m]);
      }
    }
  }
};

// 1 / sqrt(r2), and 0 for r2 = 0.
template <class V>
inline V inverse_root(V r2) {
  V s;
  for (size_t k = 0; k < sizeof(V) / sizeof(r2[0]); ++k) s[k] = std::sqrt(r2[k]);
  return r2 > 0 ? 1 / s : V{};
}

// Vectors of the rows in the lanes.
template <class V>
struct Vectors {
  V x, y, z;
  V dot(const Vectors& other) const { return x * other.x + y * other.y + z * other.z; }
  Vectors operator*(const V& s) const { return {x * s, y * s, z * s}; }
};

// The factors of S_lm = q_lm re_m (or im_m for -m). Top: Constant<l_max> or int.
template <class T, class Top>
class Solid {
 public:
  using V = typename Simd<T>::type;

  Solid(const Table<T>& table, Top top, const Vectors<V>& v)
      : table_(table), top_(top), v_(v), r2_(v.dot(v)) {
    re_[0] = V{} + 1;
    im_[0] = V{};
    upwards(Constant<1>{}, top, [&](auto m) {
      re_[m] = re_[m - 1] * v.z - im_[m - 1] * v.x;
      im_[m] = im_[m - 1] * v.z + re_[m - 1] * v.x;
    });
    upwards(Constant<0>{}, top, [&](auto m) {
      V q = V{} + table.start[m], before{};
      q_[m][m] = q;
      upwards(m, top, [&](auto l) {
        if (l == m) return;
        // One expression for every l, so that all l_max have the same bits.
        V next = table.a[l][m] * v.y * q - table.b[l][m] * r2_ * before;
        before = q;
        q_[l][m] = q = next;
      });
    });
  }

  void values(V* out) const {
    upwards(Constant<0>{}, top_, [&](auto m) {
      upwards(m, top_, [&](auto l) {
        out[l * l + l + m] = q_[l][m] * re_[m];
        if (m > 0) out[l * l + l - m] = q_[l][m] * im_[m];
      });
    });
  }

  // The recursion backwards: cotangents of the values -> cotangent of the vector.
  Vectors<V> gradient(const V* g) const {
    Vectors<V> out{};
    V g_r2{}, g_re{}, g_im{};
    downwards(Constant<0>{}, top_, [&](auto m) {
      V below{}, below2{};  // what q_lm owes to the degrees l + 1, and q_(l-1)m to l + 1
      downwards(m, top_, [&](auto l) {
        V g_q = below + g[l * l + l + m] * re_[m];
        g_re += g[l * l + l + m] * q_[l][m];
        if (m > 0) {
          g_q += g[l * l + l - m] * im_[m];
          g_im += g[l * l + l - m] * q_[l][m];
        }
        if (l > m) {
          V a = table_.a[l][m] * g_q;
          out.y += a * q_[l - 1][m];
          below = below2 + a * v_.y;
        }
        if (l > m + 1) {
          V b = table_.b[l][m] * g_q;
          g_r2 -= b * q_[l - 2][m];
          below2 = -b * r2_;
        }
      });
      if (m > 0) {
        out.x += g_im * re_[m - 1] - g_re * im_[m - 1];
        out.z += g_re * re_[m - 1] + g_im * im_[m - 1];
        V turned = g_re * v_.z + g_im * v_.x;
        g_im = g_im * v_.z - g_re * v_.x;
        g_re = turned;
      }
    });
    V twice = g_r2 + g_r2;
    return {out.x + twice * v_.x, out.y + twice * v_.y, out.z + twice * v_.z};
  }

 private:
  static constexpr int size = largest_of<Top>() + 1;
  const Table<T>& table_;
  Top top_;
  Vectors<V> v_;
  V r2_;
  V re_[size], im_[size], q_[size][size];
};

template <class T, class Top>
class Rows {
 public:
  using V = typename Simd<T>::type;
  static constexpr int lanes = Simd<T>::width;

  Rows(const Table<T>& table, Top top) : table_(table), top_(top) {}

  void values(bool normalize, const T* in, T* out, int64_t rows) const {
    V block[size];
    for (int64_t e = 0; e < rows; e += lanes) {
      const int count = static_cast<int>(std::min<int64_t>(lanes, rows - e));
      Vectors<V> v = vectors(in + 3 * e, count);
      if (normalize) v = v * inverse_root(v.dot(v));
      Solid<T, Top>(table_, top_, v).values(block);
      row_blocks::store_rows(numbers(block), lanes, out + width() * e, width(), count);
    }
  }

  void gradient(const T* in, const T* g, T* out, int64_t rows) const {
    V block[size];
    for (int64_t e = 0; e < rows; e += lanes) {
      const int count = static_cast<int>(std::min<int64_t>(lanes, rows - e));
      Vectors<V> v = vectors(in + 3 * e, count);
      const V s = inverse_root(v.dot(v));
      const Vectors<V> u = v * s;
      row_blocks::load_rows(g + width() * e, width(), count, numbers(block), lanes);
      const Vectors<V> g_u = Solid<T, Top>(table_, top_, u).gradient(block);
      const V along = u.dot(g_u);
      V result[3] = {(g_u.x - u.x * along) * s, (g_u.y - u.y * along) * s,
                     (g_u.z - u.z * along) * s};
      row_blocks::store_rows(numbers(result), lanes, out + 3 * e, 3, count);
    }
  }

 private:
  static constexpr int size = (largest_of<Top>() + 1) * (largest_of<Top>() + 1);
  int64_t width() const { return (top_ + 1) * (top_ + 1); }
  static T* numbers(V* block) { return reinterpret_cast<T*>(block); }
  static Vectors<V> vectors(const T* in, int count) {
    V v[3];
    row_blocks::load_rows(in, 3, count, numbers(v), lanes);
    return {v[0], v[1], v[2]};
  }

  const Table<T>& table_;
  Top top_;
};

// f(rows, begin, end) for chunks of [0, n), with l_max as a compile-time number where it is small.
template <class T, class F>
void for_rows(int64_t n, int l_max, const Recursion& recursion, F&& f) {
  const Table<T> table(recursion);
  const int64_t width = (l_max + 1) * (l_max + 1), lanes = Simd<T>::width;
  const int64_t grain = ((int64_t{1} << 16) / width + lanes - 1) / lanes * lanes;
  auto with = [&](auto top) {
    const Rows<T, decltype(top)> rows(table, top);
    parallel_for(n, grain, [&](int64_t begin, int64_t end) { f(rows, begin, end); });
  };
  switch (l_max) {
    case 1:
      return with(Constant<1>{});
    case 2:
      return with(Constant<2>{});
    case 3:
      return with(Constant<3>{});
    default:
      return with(l_max);
  }
}

}  // namespace

void harmonics_values(const Array& vectors, int l_max, const Recursion& recursion, bool normalize,
                      Array& out) {
  visit_float("spherical_harmonics", vectors.dtype(), [&]<class T>(T) {
    const T* in = vectors.data<T>();
    T* to = out.data<T>();
    const int64_t width = (l_max + 1) * (l_max + 1);
    for_rows<T>(vectors.shape()[0], l_max, recursion, [&](const auto& rows, int64_t b, int64_t e) {
      rows.values(normalize, in + 3 * b, to + width * b, e - b);
    });
  });
}

void harmonics_gradient(const Array& vectors, const Array& g, int l_max, const Recursion& recursion,
                        Array& out) {
  visit_float("spherical_harmonics", vectors.dtype(), [&]<class T>(T) {
    const T *in = vectors.data<T>(), *from = g.data<T>();
    T* to = out.data<T>();
    const int64_t width = (l_max + 1) * (l_max + 1);
    for_rows<T>(vectors.shape()[0], l_max, recursion, [&](const auto& rows, int64_t b, int64_t e) {
      rows.gradient(in + 3 * b, from + width * b, to + 3 * b, e - b);
    });
  });
}

}  // namespace casimir
