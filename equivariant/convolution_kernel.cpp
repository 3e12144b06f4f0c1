#include "equivariant/convolution_kernel.h"

#include <algorithm>
#include <array>

#include "core/parallel.h"
#include "equivariant/convolution_paths.h"

namespace casimir {
namespace {

using namespace convolution_paths;

template <class T>
class ConvolutionKernel {
 public:
  ConvolutionKernel(const ConvolutionPaths& paths, const ConvolutionOperands& in,
                    const EdgeIndex& index)
      : paths_(paths), in_(in), index_(index) {
    for (const auto& c : paths.couplings)
      couplings_.push_back({c.y, c.entry, static_cast<T>(c.value)});
    zeros_.assign(std::max({paths.width_x, paths.width_w, paths.entries}), T{0});
    for (const Path& path : paths.paths) components_ += path.d_in * path.d_out * path.channels;
  }

  Array forward() {
    Array out(Shape{index_.receiver.targets(), paths_.width_out}, dtype_of<T>());
    in_.tangent() ? forward<true>(out.data<T>()) : forward<false>(out.data<T>());
    return out;
  }

  ConvolutionGradients backward(bool with_y) {
    ConvolutionGradients out;
    out.x = Array(Shape{index_.sender.targets(), paths_.width_x}, dtype_of<T>());
    out.w = Array(Shape{index_.pair.targets(), paths_.width_w}, dtype_of<T>());
    if (with_y) out.y = Array(Shape{index_.sender.size(), paths_.width_y}, dtype_of<T>());
    if (in_.tangent())
      with_y ? backward<true, true>(out) : backward<true, false>(out);
    else
      with_y ? backward<false, true>(out) : backward<false, false>(out);
    return out;
  }

 private:
  using Vector = typename Simd<T>::type;
  static constexpr int width = Simd<T>::width;
  static constexpr int batch = 16;  // edges whose matrices are kept at a time

  const ConvolutionPaths& paths_;
  const ConvolutionOperands& in_;
  const EdgeIndex& index_;
  struct Coupling {
    int32_t y, entry;
    T value;
  };
  std::vector<Coupling> couplings_;
  std::vector<T> zeros_;
  int64_t components_ = 0;

  // Nodes in one chunk: some tens of microseconds at sixteen edges each.
  int64_t grain() const {
    return std::max<int64_t>(1, (int64_t{1} << 18) / (16 * std::max<int64_t>(1, components_)));
  }

  const T* row(const Tensor& t, int64_t i, int64_t width) const {
    return t.defined() ? t.array().template data<T>() + i * width : zeros_.data();
  }
  void edge_matrix(const Tensor& y, int64_t e, T* m) const {
    std::fill_n(m, paths_.entries, T{0});
    const T* row = y.array().template data<T>() + e * paths_.width_y;
    for (const Coupling& c : couplings_) m[c.entry] += c.value * row[c.y];
  }
  EdgeRow<T> edge_row(int64_t e, T* m, T* m_dot) const {
    EdgeRow<T> edge{};
    const int64_t sender = index_.sender[e], pair = index_.pair[e];
    edge.x = row(in_.x, sender, paths_.width_x);
    edge.w = row(in_.w, pair, paths_.width_w);
    edge_matrix(in_.y, e, m);
    edge.m = m;
    if (!m_dot) return edge;
    edge.x_dot = row(in_.x_dot, sender, paths_.width_x);
    edge.w_dot = row(in_.w_dot, pair, paths_.width_w);
    edge.m_dot = zeros_.data();
    if (in_.y_dot.defined()) {
      edge_matrix(in_.y_dot, e, m_dot);
      edge.m_dot = m_dot;
    }
    return edge;
  }

  template <bool Tangent>
  void forward(T* out) const {
    using Function = int64_t (*)(const Path&, const EdgeRow<T>*, int, int64_t, T*);
    std::vector<std::array<Function, 2>> functions;  // by path: full vectors, single channels
    for (const Path& path : paths_.paths)
      functions.push_back(with_components(path, []<class C>() {
        return std::array<Function, 2>{
            forward_path<T, Wide<T>, C, Tangent>,
            forward_path<T, Single<T>, Components<0, 0, C::most_entries == 1>, Tangent>};
      }));
    const auto order = index_.receiver.order(), offsets = index_.receiver.offsets();
    parallel_for(index_.receiver.targets(), grain(), [&](int64_t begin, int64_t end) {
      std::vector<T> matrices(batch * paths_.entries), dots(Tangent ? batch * paths_.entries : 0);
      EdgeRow<T> edges[batch];
      for (int64_t node = begin; node < end; ++node) {
        T* row = out + node * paths_.width_out;
        std::fill_n(row, paths_.width_out, T{0});
        for (int64_t first = offsets[node]; first < offsets[node + 1]; first += batch) {
          const int count = static_cast<int>(std::min<int64_t>(batch, offsets[node + 1] - first));
          for (int e = 0; e < count; ++e)
            edges[e] = edge_row(order[first + e], matrices.data() + e * paths_.entries,
                                Tangent ? dots.data() + e * paths_.entries : nullptr);
          for (size_t p = 0; p < functions.size(); ++p) {
            const Path& path = paths_.paths[p];
            const int64_t u = functions[p][0](path, edges, count, 0, row);
            if (u < path.channels) functions[p][1](path, edges, count, u, row);
          }
        }
      }
    });
  }

  // Edges by their place among those of their pair: first, second, ... Gradients of weights are
  // written by the first and added to by the others in order, one round after the other.
  std::vector<int32_t> rounds(int32_t& count) const {
    std::vector<int32_t> round(index_.pair.size());
    const auto order = index_.pair.order(), offsets = index_.pair.offsets();
    count = 1;
    for (int64_t pair = 0; pair < index_.pair.targets(); ++pair)
      for (int32_t k = offsets[pair]; k < offsets[pair + 1]; ++k) {
        round[order[k]] = k - offsets[pair];
        count = std::max(count, round[order[k]] + 1);
      }
    return round;
  }

  // m_bar turned back into the gradient of Y: couplings first, then the sums over lanes.
  void harmonics_gradient(const Vector* m_bar, const T* rest, Vector* sums, T* y_bar) const {
    std::fill_n(sums, paths_.width_y, Vector{});
    std::fill_n(y_bar, paths_.width_y, T{0});
    for (const Coupling& c : couplings_) {
      sums[c.y] += c.value * m_bar[c.entry];
      y_bar[c.y] += c.value * rest[c.entry];
    }
    for (int64_t y = 0; y < paths_.width_y; ++y)
      for (int lane = 0; lane < width; ++lane) y_bar[y] += sums[y][lane];
  }

  template <bool Tangent, bool WithY>
  void backward(ConvolutionGradients& out) const {
    using Many = int64_t (*)(const Path&, const EdgeRow<T>&, int64_t, Vector*);
    using One = int64_t (*)(const Path&, const EdgeRow<T>&, int64_t, T*);
    struct Functions {
      Many many;
      One one;
    };
    std::vector<Functions> functions;
    for (const Path& path : paths_.paths)
      functions.push_back(with_components(path, []<class C>() {
        return Functions{
            backward_path<T, Wide<T>, C, Tangent, WithY>,
            backward_path<T, Single<T>, Components<0, 0, C::most_entries == 1>, Tangent, WithY>};
      }));
    int32_t round_count = 0;
    const std::vector<int32_t> round_of = rounds(round_count);
    const auto order = index_.sender.order(), offsets = index_.sender.offsets();
    T *x_bar = out.x.data<T>(), *w_bar = out.w.data<T>();
    for (int32_t round = 0; round < round_count; ++round)
      parallel_for(index_.sender.targets(), grain(), [&](int64_t begin, int64_t end) {
        std::vector<T> matrix(paths_.entries), dot(paths_.entries), rest(paths_.entries, T{0});
        std::vector<Vector> m_bar(WithY ? paths_.entries : 0), sums(WithY ? paths_.width_y : 0);
        for (int64_t node = begin; node < end; ++node) {
          if (round == 0) std::fill_n(x_bar + node * paths_.width_x, paths_.width_x, T{0});
          for (int64_t k = offsets[node]; k < offsets[node + 1]; ++k) {
            const int64_t e = order[k];
            if (round_of[e] != round) continue;
            EdgeRow<T> edge = edge_row(e, matrix.data(), Tangent ? dot.data() : nullptr);
            edge.g = row(in_.g, index_.receiver[e], paths_.width_out);
            edge.x_bar = x_bar + node * paths_.width_x;
            edge.w_bar = w_bar + index_.pair[e] * paths_.width_w;
            edge.add_w = round > 0;
            for (size_t p = 0; p < functions.size(); ++p) {
              const Path& path = paths_.paths[p];
              int64_t u = functions[p].many(path, edge, 0, m_bar.data());
              if (u < path.channels) functions[p].one(path, edge, u, rest.data());
            }
            if constexpr (WithY)
              harmonics_gradient(m_bar.data(), rest.data(), sums.data(),
                                 out.y.data<T>() + e * paths_.width_y);
          }
        }
      });
    clear_unused_weights(w_bar);
  }

  // Pairs without edges have no gradient.
  void clear_unused_weights(T* w_bar) const {
    const auto offsets = index_.pair.offsets();
    for (int64_t pair = 0; pair < index_.pair.targets(); ++pair)
      if (offsets[pair] == offsets[pair + 1])
        std::fill_n(w_bar + pair * paths_.width_w, paths_.width_w, T{0});
  }
};

}  // namespace

Array convolve(const ConvolutionPaths& paths, const ConvolutionOperands& in,
               const EdgeIndex& index) {
  return visit_float("convolution", in.x.dtype(),
                     [&]<class T>(T) { return ConvolutionKernel<T>(paths, in, index).forward(); });
}

ConvolutionGradients convolve_backward(const ConvolutionPaths& paths, const ConvolutionOperands& in,
                                       const EdgeIndex& index, bool with_y) {
  return visit_float("convolution", in.x.dtype(), [&]<class T>(T) {
    return ConvolutionKernel<T>(paths, in, index).backward(with_y);
  });
}

}  // namespace casimir
