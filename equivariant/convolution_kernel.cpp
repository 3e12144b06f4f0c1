#include "equivariant/convolution_kernel.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <span>
#include <utility>

#include "core/parallel.h"
#include "equivariant/convolution_paths.h"

namespace casimir {
namespace {

using namespace convolution_paths;

// Pairs in chunks: the weights of a pair are read once for both of its edges. A chunk sums x_bar in
// rows of its own, one for each of its senders, so that no two threads write to one row; a sender's
// rows are then added in order.
struct PairChunks {
  int64_t size;                    // pairs in a chunk
  std::vector<int32_t> first_row;  // of every chunk, and the number of all
  std::vector<int32_t> row;        // of every edge
  Segments sender;                 // of every row

  explicit PairChunks(const EdgeIndex& index) : row(index.pair.size()) {
    const int64_t pairs = index.pair.targets();
    size = std::clamp<int64_t>((pairs + 15) / 16, 1, 512);
    const auto order = index.pair.order(), offsets = index.pair.offsets();
    std::vector<int32_t> senders, last(index.sender.targets(), -1);  // the newest row of a sender
    for (int64_t begin = 0; begin < pairs; begin += size) {
      first_row.push_back(static_cast<int32_t>(senders.size()));
      for (int32_t k = offsets[begin]; k < offsets[std::min(begin + size, pairs)]; ++k) {
        const int32_t s = index.sender[order[k]];
        if (last[s] < first_row.back()) {
          last[s] = static_cast<int32_t>(senders.size());
          senders.push_back(s);
        }
        row[order[k]] = last[s];
      }
    }
    first_row.push_back(static_cast<int32_t>(senders.size()));
    sender = Segments(std::move(senders), index.sender.targets());
  }
  int64_t count() const { return static_cast<int64_t>(first_row.size()) - 1; }
};

// Couplings in lists, one for each target.
template <class T>
struct CouplingLists {
  struct Item {
    int32_t from;
    T value;
  };
  std::vector<Item> items;
  std::vector<int32_t> offsets;

  template <class From, class To>
  CouplingLists(const std::vector<ConvolutionPaths::Coupling>& couplings, int64_t targets,
                From from, To to)
      : offsets(targets + 1, 0) {
    for (const auto& c : couplings) ++offsets[to(c) + 1];
    std::partial_sum(offsets.begin(), offsets.end(), offsets.begin());
    items.resize(couplings.size());
    std::vector<int32_t> next(offsets.begin(), offsets.end() - 1);
    for (const auto& c : couplings) items[next[to(c)]++] = {from(c), static_cast<T>(c.value)};
  }
  std::span<const Item> of(int64_t target) const {
    return std::span(items).subspan(offsets[target], offsets[target + 1] - offsets[target]);
  }
};

template <class T>
class ConvolutionKernel {
 public:
  ConvolutionKernel(const ConvolutionPaths& paths, const ConvolutionOperands& in,
                    const EdgeIndex& index)
      : paths_(paths),
        in_(in),
        index_(index),
        to_entries_(
            paths.couplings, paths.entries, [](const auto& c) { return c.y; },
            [](const auto& c) { return c.entry; }),
        to_harmonics_(
            paths.couplings, paths.width_y, [](const auto& c) { return c.entry; },
            [](const auto& c) { return c.y; }) {
    zeros_.assign(std::max({paths.width_x, paths.width_w, paths.entries * edge_batch}), T{0});
    std::vector<int> writers(paths.width_out, 0);
    for (const Path& path : paths.paths) {
      components_ += path.d_in * path.d_out * path.channels;
      for (int64_t k = 0; k < path.d_out; ++k)
        for (int64_t u = 0; u < path.channels; ++u) ++writers[path.out + k * path.out_step + u];
    }
    own_blocks_ = std::all_of(writers.begin(), writers.end(), [](int n) { return n == 1; });
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
  static constexpr int batch = edge_batch, registers = batch / width;
  static_assert(registers * width == batch);

  const ConvolutionPaths& paths_;
  const ConvolutionOperands& in_;
  const EdgeIndex& index_;
  CouplingLists<T> to_entries_, to_harmonics_;
  std::vector<T> zeros_;
  int64_t components_ = 0;
  bool own_blocks_;  // every number of an output row is written by one path: none begins as zero

  // Nodes in one chunk: some tens of microseconds at sixteen edges each.
  int64_t grain() const {
    return std::max<int64_t>(1, (int64_t{1} << 18) / (16 * std::max<int64_t>(1, components_)));
  }

  const T* row(const Tensor& t, int64_t i, int64_t width) const {
    return t.defined() ? t.array().template data<T>() + i * width : zeros_.data();
  }

  // Up to a batch of edges with their matrices.
  struct Edges {
    int count = 0;
    int32_t number[batch];
    EdgeRow<T> row[batch];
    std::vector<T> y, m, m_dot, m_bar;  // [width_y, batch], [entries, batch]
    explicit Edges(const ConvolutionKernel& k)
        : y(k.paths_.width_y * batch),
          m(k.paths_.entries * batch),
          m_dot(k.in_.y_dot.defined() ? m.size() : 0),
          m_bar(m.size()) {}
  };

  // The matrices of all edges at once, an edge in each lane; `used` registers have edges.
  template <int used = registers>
  void make_matrices(const Tensor& harmonics, Edges& edges, std::vector<T>& m) const {
    if constexpr (used > 1)
      if (edges.count <= width) return make_matrices<1>(harmonics, edges, m);
    for (int e = 0; e < edges.count; ++e) {
      const T* row = harmonics.array().template data<T>() + edges.number[e] * paths_.width_y;
      for (int64_t y = 0; y < paths_.width_y; ++y) edges.y[y * batch + e] = row[y];
    }
    for (int64_t entry = 0; entry < paths_.entries; ++entry) {
      Vector sums[used] = {};
      for (const auto& c : to_entries_.of(entry))
        for (int r = 0; r < used; ++r)
          sums[r] += c.value * simd_load<Vector>(edges.y.data() + c.from * batch + r * width);
      for (int r = 0; r < used; ++r) simd_store(m.data() + entry * batch + r * width, sums[r]);
    }
  }
  template <bool Tangent>
  void load(Edges& edges) const {
    make_matrices(in_.y, edges, edges.m);
    if (Tangent && in_.y_dot.defined()) make_matrices(in_.y_dot, edges, edges.m_dot);
    for (int e = 0; e < edges.count; ++e) {
      const int64_t sender = index_.sender[edges.number[e]], pair = index_.pair[edges.number[e]];
      EdgeRow<T>& row = edges.row[e] = {};
      row.x = this->row(in_.x, sender, paths_.width_x);
      row.w = this->row(in_.w, pair, paths_.width_w);
      row.m = edges.m.data() + e;
      if constexpr (!Tangent) continue;
      row.x_dot = this->row(in_.x_dot, sender, paths_.width_x);
      row.w_dot = this->row(in_.w_dot, pair, paths_.width_w);
      row.m_dot = in_.y_dot.defined() ? edges.m_dot.data() + e : zeros_.data();
    }
  }

  template <bool Tangent>
  void forward(T* out) const {
    using Function = int64_t (*)(const Path&, const EdgeRow<T>*, int, int64_t, bool, T*);
    std::vector<std::array<Function, 2>> functions;  // by path: full vectors, single channels
    for (const Path& path : paths_.paths)
      functions.push_back(with_components(path, []<class C>() {
        return std::array<Function, 2>{
            forward_path<T, Wide<T>, C, Tangent>,
            forward_path<T, Single<T>, Components<0, 0, C::most_entries == 1>, Tangent>};
      }));
    const auto order = index_.receiver.order(), offsets = index_.receiver.offsets();
    parallel_for(index_.receiver.targets(), grain(), [&](int64_t begin, int64_t end) {
      Edges edges(*this);
      for (int64_t node = begin; node < end; ++node) {
        T* row = out + node * paths_.width_out;
        if (!own_blocks_ || offsets[node] == offsets[node + 1])
          std::fill_n(row, paths_.width_out, T{0});
        for (int64_t first = offsets[node]; first < offsets[node + 1]; first += batch) {
          edges.count = static_cast<int>(std::min<int64_t>(batch, offsets[node + 1] - first));
          std::copy_n(order.data() + first, edges.count, edges.number);
          load<Tangent>(edges);
          const bool add = !own_blocks_ || first > offsets[node];
          for (size_t p = 0; p < functions.size(); ++p) {
            const Path& path = paths_.paths[p];
            const int64_t u = functions[p][0](path, edges.row, edges.count, 0, add, row);
            if (u < path.channels) functions[p][1](path, edges.row, edges.count, u, add, row);
          }
        }
      }
    });
  }

  // m_bar turned back into the gradient of Y, of all edges at once.
  void harmonics_gradient(Edges& edges, T* y_bar) const {
    for (int64_t y = 0; y < paths_.width_y; ++y) {
      Vector sums[registers] = {};
      for (const auto& c : to_harmonics_.of(y))
        for (int r = 0; r < registers; ++r)
          sums[r] += c.value * simd_load<Vector>(edges.m_bar.data() + c.from * batch + r * width);
      for (int r = 0; r < registers; ++r)
        simd_store(edges.y.data() + y * batch + r * width, sums[r]);
    }
    for (int e = 0; e < edges.count; ++e) {
      T* row = y_bar + edges.number[e] * paths_.width_y;
      for (int64_t y = 0; y < paths_.width_y; ++y) row[y] = edges.y[y * batch + e];
    }
  }

  template <bool Tangent, bool WithY>
  void backward(ConvolutionGradients& out) const {
    using Function = int64_t (*)(const Path&, const EdgeRow<T>&, int64_t);
    std::vector<std::array<Function, 2>> functions;  // by path: full vectors, single channels
    for (const Path& path : paths_.paths)
      functions.push_back(with_components(path, []<class C>() {
        return std::array<Function, 2>{
            backward_path<T, Wide<T>, C, Tangent, WithY>,
            backward_path<T, Single<T>, Components<0, 0, C::most_entries == 1>, Tangent, WithY>};
      }));
    const PairChunks chunks(index_);
    Array partial(Shape{chunks.sender.size(), paths_.width_x}, dtype_of<T>());
    const auto order = index_.pair.order(), offsets = index_.pair.offsets();
    T *x_bar = partial.data<T>(), *w_bar = out.w.data<T>();
    parallel_for(chunks.count(), 1, [&](int64_t begin, int64_t end) {
      Edges edges(*this);
      std::fill(x_bar + chunks.first_row[begin] * paths_.width_x,
                x_bar + chunks.first_row[end] * paths_.width_x, T{0});
      const int32_t last = offsets[std::min(end * chunks.size, index_.pair.targets())];
      int64_t pair_before = -1;
      for (int32_t first = offsets[begin * chunks.size]; first < last; first += batch) {
        edges.count = std::min(batch, last - first);
        std::copy_n(order.data() + first, edges.count, edges.number);
        load<Tangent>(edges);
        for (int e = 0; e < edges.count; ++e) {
          const int64_t number = edges.number[e], pair = index_.pair[number];
          EdgeRow<T>& edge = edges.row[e];
          edge.g = row(in_.g, index_.receiver[number], paths_.width_out);
          edge.x_bar = x_bar + chunks.row[number] * paths_.width_x;
          edge.w_bar = w_bar + pair * paths_.width_w;
          edge.m_bar = edges.m_bar.data() + e;
          edge.add_w = pair == std::exchange(pair_before, pair);
          for (size_t p = 0; p < functions.size(); ++p) {
            const Path& path = paths_.paths[p];
            const int64_t u = functions[p][0](path, edge, 0);
            if (u < path.channels) functions[p][1](path, edge, u);
          }
        }
        if constexpr (WithY) harmonics_gradient(edges, out.y.data<T>());
      }
    });
    add_rows(partial, chunks.sender, out.x);
    clear_unused_weights(w_bar);
  }

  void add_rows(const Array& partial, const Segments& target, Array& sums) const {
    const int64_t width_x = paths_.width_x;
    parallel_for(target.targets(), grain_for(8 * width_x), [&](int64_t begin, int64_t end) {
      for (int64_t t = begin; t < end; ++t) {
        T* sum = sums.data<T>() + t * width_x;
        std::fill_n(sum, width_x, T{0});
        for (int32_t k = target.offsets()[t]; k < target.offsets()[t + 1]; ++k) {
          const T* row = partial.data<T>() + target.order()[k] * width_x;
          for (int64_t i = 0; i < width_x; ++i) sum[i] += row[i];
        }
      }
    });
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
