// The inner loops of the convolution's CPU kernels, for one path: edges and channels run inside,
// components are unrolled up to unrolled_degree. Included by convolution_kernel.cpp alone.
#pragma once

#include <algorithm>

#include "core/simd.h"
#include "equivariant/convolution.h"

namespace casimir::convolution_paths {

using Path = ConvolutionPaths::Path;
constexpr int max_components = 23;  // degree 11
constexpr int edge_batch = 16;      // edges whose matrices are made at a time, side by side

// Vectors of channels; the last few channels of a path go one by one.
template <class T>
struct Wide {
  using V = typename Simd<T>::type;
  static constexpr int width = Simd<T>::width;
  static V sums(V* v) { return lane_sums<T>(v); }
};
template <class T>
struct Single {
  using V = T;
  static constexpr int width = 1;
  static V sums(V* v) { return *v; }
};
// Components of a path, known to the compiler where they are few, and the index of an entry.
template <int In, int Out, bool Diagonal>
struct Components {
  static constexpr int most_in = In ? In : max_components, most_out = Out ? Out : max_components;
  static constexpr int most_entries = Diagonal ? 1 : most_in * most_out;
  int in, out;
  explicit Components(const Path& path) : in(In ? In : path.d_in), out(Out ? Out : path.d_out) {}
  int entries() const { return Diagonal ? 1 : in * out; }
  template <class F>
  void each_input(F&& f) const {
#pragma GCC unroll 8
    for (int i = 0; i < (In ? In : in); ++i) f(i);
  }
  template <class F>
  void each_output(F&& f) const {
#pragma GCC unroll 8
    for (int k = 0; k < (Out ? Out : out); ++k) f(k);
  }
  // f(i, entry) for the inputs i that output k meets, f(k, entry) for the outputs of input i.
  template <class F>
  void inputs_of(int k, F&& f) const {
    if constexpr (Diagonal)
      f(k, 0);
    else
      each_input([&](int i) { f(i, i * (Out ? Out : out) + k); });
  }
  template <class F>
  void outputs_of(int i, F&& f) const {
    if constexpr (Diagonal)
      f(i, 0);
    else
      each_output([&](int k) { f(k, i * (Out ? Out : out) + k); });
  }
};

// The rows of one edge; *_bar are written. Entries of its matrices are edge_batch numbers apart.
template <class T>
struct EdgeRow {
  const T *x, *w, *g, *m;
  const T *x_dot, *w_dot, *m_dot;
  T *x_bar, *w_bar, *m_bar;
  bool add_w;  // to what another edge of the pair left there
};

// out[k] += (without `add`: =) sum over i of M[i, k] w x[i] over `Count` edges, for all full
// vectors of channels from `first` on. Channels run inside: rows are then read from end to end,
// where strides of a component would fall into few sets of the cache. Returns the first channel not
// done.
template <class T, class Lanes, class C, bool Tangent, int Count>
int64_t forward_edges(const Path& path, const EdgeRow<T>* edges, int64_t first, bool add, T* out) {
  using V = typename Lanes::V;
  const C c(path);
  // Copies of everything: a store might change the originals, for all the compiler knows.
  const int64_t channels = path.channels, x_step = path.x_step, out_step = path.out_step;
  const T *x[Count], *w[Count], *m[Count], *x_dot[Count], *w_dot[Count], *m_dot[Count];
  for (int e = 0; e < Count; ++e) {
    x[e] = edges[e].x + path.x, w[e] = edges[e].w + path.w,
    m[e] = edges[e].m + path.entry * edge_batch;
    if constexpr (Tangent) {
      x_dot[e] = edges[e].x_dot + path.x, w_dot[e] = edges[e].w_dot + path.w;
      m_dot[e] = edges[e].m_dot + path.entry * edge_batch;
    }
  }
  out += path.out;
  int64_t u = first;
  for (; u + Lanes::width <= channels; u += Lanes::width) {
    V wx[Count][C::most_in], wx_dot[Count][Tangent ? C::most_in : 1];
    for (int e = 0; e < Count; ++e) {
      const V w_u = simd_load<V>(w[e] + u);
      c.each_input([&](int i) { wx[e][i] = w_u * simd_load<V>(x[e] + i * x_step + u); });
      if constexpr (Tangent) {
        const V w_dot_u = simd_load<V>(w_dot[e] + u);
        c.each_input([&](int i) {
          wx_dot[e][i] = w_u * simd_load<V>(x_dot[e] + i * x_step + u);
          wx_dot[e][i] += w_dot_u * simd_load<V>(x[e] + i * x_step + u);
        });
      }
    }
    c.each_output([&](int k) {
      V sum{};
      if (add) sum = simd_load<V>(out + k * out_step + u);
      for (int e = 0; e < Count; ++e)
        c.inputs_of(k, [&](int i, int at) {
          if constexpr (Tangent) {
            sum += m[e][at * edge_batch] * wx_dot[e][i];
            sum += m_dot[e][at * edge_batch] * wx[e][i];
          } else {
            sum += m[e][at * edge_batch] * wx[e][i];
          }
        });
      simd_store(out + k * out_step + u, sum);
    });
  }
  return u;
}

// The same for any number of edges.
template <class T, class Lanes, class C, bool Tangent>
int64_t forward_path(const Path& path, const EdgeRow<T>* edges, int count, int64_t first, bool add,
                     T* out) {
  int64_t u = first;
  int e = 0;
  for (; e + 2 <= count; e += 2)
    u = forward_edges<T, Lanes, C, Tangent, 2>(path, edges + e, first, add || e > 0, out);
  if (e < count)
    u = forward_edges<T, Lanes, C, Tangent, 1>(path, edges + e, first, add || e > 0, out);
  return u;
}

// One edge, all full vectors of channels from `first` on. With r[i] = sum over k of M[i, k] g[k]:
// x_bar[i] += w r[i], w_bar = sum over i of x[i] r[i], m_bar[i, k] = sum over channels of
// w x[i] g[k], or their derivatives; single channels add to m_bar. Returns the first channel not
// done.
template <class T, class Lanes, class C, bool Tangent, bool WithY>
int64_t backward_path(const Path& path, const EdgeRow<T>& edge, int64_t first) {
  using V = typename Lanes::V;
  const C c(path);
  const int64_t channels = path.channels, x_step = path.x_step, out_step = path.out_step;
  const bool add_w = edge.add_w;
  const T *x_row = edge.x + path.x, *w_row = edge.w + path.w, *g_row = edge.g + path.out;
  const T* m = edge.m + path.entry * edge_batch;
  T *x_bar_row = edge.x_bar + path.x, *w_bar_row = edge.w_bar + path.w;
  const T *x_dot_row = nullptr, *w_dot_row = nullptr, *m_dot = nullptr;
  if constexpr (Tangent) {
    x_dot_row = edge.x_dot + path.x, w_dot_row = edge.w_dot + path.w;
    m_dot = edge.m_dot + path.entry * edge_batch;
  }
  constexpr int lanes = Lanes::width, most = (C::most_entries + lanes - 1) / lanes * lanes;
  V sums[WithY ? most : 1];
  if constexpr (WithY)
    for (int k = 0; k < (c.entries() + lanes - 1) / lanes * lanes; ++k) sums[k] = V{};
  int64_t u = first;
  for (; u + Lanes::width <= channels; u += Lanes::width) {
    const T *x = x_row + u, *x_dot = x_dot_row + (Tangent ? u : 0);
    T* x_bar = x_bar_row + u;
    const V w = simd_load<V>(w_row + u);
    V g[C::most_out], w_sum{};
    c.each_output([&](int k) { g[k] = simd_load<V>(g_row + u + k * out_step); });
    if (add_w) w_sum = simd_load<V>(w_bar_row + u);
    if constexpr (!Tangent) {
      c.each_input([&](int i) {
        const V x_i = simd_load<V>(x + i * x_step), wx = w * x_i;
        V r{};
        c.outputs_of(i, [&](int k, int at) {
          r += m[at * edge_batch] * g[k];
          if constexpr (WithY) sums[at] += wx * g[k];
        });
        w_sum += x_i * r;
        simd_store(x_bar + i * x_step, simd_load<V>(x_bar + i * x_step) + w * r);
      });
    } else {
      const V w_dot = simd_load<V>(w_dot_row + u);
      c.each_input([&](int i) {
        const V x_i = simd_load<V>(x + i * x_step), x_dot_i = simd_load<V>(x_dot + i * x_step);
        V wx_dot = w * x_dot_i;
        wx_dot += w_dot * x_i;
        V r{}, r_dot{};
        c.outputs_of(i, [&](int k, int at) {
          r += m[at * edge_batch] * g[k];
          r_dot += m_dot[at * edge_batch] * g[k];
          if constexpr (WithY) sums[at] += wx_dot * g[k];
        });
        w_sum += x_i * r_dot;
        w_sum += x_dot_i * r;
        V sum = simd_load<V>(x_bar + i * x_step);
        sum += w * r_dot;
        sum += w_dot * r;
        simd_store(x_bar + i * x_step, sum);
      });
    }
    simd_store(w_bar_row + u, w_sum);
  }
  if constexpr (WithY) {
    T* m_bar = edge.m_bar + path.entry * edge_batch;
    for (int first_entry = 0; first_entry < c.entries(); first_entry += lanes) {
      const V totals = Lanes::sums(sums + first_entry);
      for (int k = first_entry; k < std::min(first_entry + lanes, c.entries()); ++k) {
        if constexpr (lanes > 1)
          m_bar[k * edge_batch] = totals[k - first_entry];
        else
          m_bar[k * edge_batch] += totals;
      }
    }
  }
  return u;
}

// f called with the Components of the path.
template <class F>
auto with_components(const Path& path, F&& f) {
  auto with_out = [&]<int In>() {
    switch (path.d_out) {
      case 1:
        return f.template operator()<Components<In, 1, false>>();
      case 3:
        return f.template operator()<Components<In, 3, false>>();
      case 5:
        return f.template operator()<Components<In, 5, false>>();
      default:
        return f.template operator()<Components<In, 7, false>>();
    }
  };
  static_assert(ConvolutionPaths::unrolled_degree == 3);
  const int d = path.d_in;
  if (!path.unrolled())
    return path.diagonal ? f.template operator()<Components<0, 0, true>>()
                         : f.template operator()<Components<0, 0, false>>();
  if (path.diagonal) {
    if (d == 1) return f.template operator()<Components<1, 1, true>>();
    if (d == 3) return f.template operator()<Components<3, 3, true>>();
    if (d == 5) return f.template operator()<Components<5, 5, true>>();
    return f.template operator()<Components<7, 7, true>>();
  }
  if (d == 1) return with_out.template operator()<1>();
  if (d == 3) return with_out.template operator()<3>();
  if (d == 5) return with_out.template operator()<5>();
  return with_out.template operator()<7>();
}

}  // namespace casimir::convolution_paths
