#include "equivariant/symmetric_product_kernel.h"

#include <algorithm>

#include "core/parallel.h"

namespace casimir {
namespace {

// A block of rows of one species that one task works on, for one cache line of channels.
struct Task {
  int64_t species, begin, end;  // rows in the order of the species
  int64_t channel;
};

template <class T>
class SymmetricKernel {
 public:
  SymmetricKernel(const SymmetricProgram& program, const SymmetricOperands& in,
                  SymmetricWanted wanted)
      : p_(program.polynomials),
        cubics_(program.cubics),
        tree_(program.tree),
        shares_(shares_of(program)),
        in_(in),
        wanted_(wanted) {}

  SymmetricGradients run() {
    SymmetricGradients out;
    const int64_t rows = in_.species.size(), channels = p_.channels;
    if (wanted_.x) out.x = Array(Shape{rows, p_.components * channels}, dtype_of<T>());
    if (wanted_.g) out.g = Array(Shape{rows, p_.outputs * channels}, dtype_of<T>());
    if (wanted_.w) out.w = Array(Shape{in_.species.targets(), p_.paths * channels}, dtype_of<T>());
    const std::vector<Task> tasks = make_tasks();
    parallel_for(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
      Workspace work(*this);
      for (int64_t t = begin; t < end; ++t) run_task(work, tasks[t], out);
    });
    return out;
  }

 private:
  using V = typename Simd<T>::type;
  static constexpr int width = Simd<T>::width, nodes = Tile<T>::nodes;
  static constexpr int64_t line = 64 / sizeof(T);
  static constexpr int parts = std::max<int>(1, line / width);  // registers in a cache line

  const SymmetricPolynomials& p_;
  const std::vector<CubicForm>& cubics_;
  const MonomialTree& tree_;
  const SymmetricShares<T>& shares_;
  const SymmetricOperands& in_;
  SymmetricWanted wanted_;

  struct Workspace {
    std::vector<Tile<T>> x, x_dot, g;           // by component, by output
    std::vector<Tile<T>> x_bar, g_bar;          // the same, results
    std::vector<Tile<T>> product, product_dot;  // by parent; on the way down their adjoints
    std::vector<V> coefficients[parts], coefficients_bar[parts];  // in the order of their use
    std::vector<V> w, w_bar;
    explicit Workspace(const SymmetricKernel& k)
        : x(k.p_.components),
          x_dot(k.in_.x_dot.defined() ? x.size() : 0),
          g(k.p_.outputs),
          x_bar(x.size()),
          g_bar(g.size()),
          product(k.tree_.parents.size()),
          product_dot(x_dot.empty() ? 0 : product.size()),
          w(k.p_.paths),
          w_bar(w.size()) {
      for (auto* all : {&coefficients, &coefficients_bar})
        for (auto& part : *all) part.resize(k.shares_.offsets.size() - 1);
    }
  };

  static const SymmetricShares<T>& shares_of(const SymmetricProgram& program) {
    if constexpr (sizeof(T) == 4)
      return program.shares_f32;
    else
      return program.shares_f64;
  }

  // The gradient of the weights is a sum over all rows of a species, in one task.
  std::vector<Task> make_tasks() const {
    const auto offsets = in_.species.offsets();
    std::vector<Task> tasks;
    for (int64_t s = 0; s < in_.species.targets(); ++s) {
      const int64_t first = offsets[s], last = offsets[s + 1];
      const int64_t chunk = wanted_.w ? std::max<int64_t>(1, last - first) : 64;
      int64_t begin = first;
      do {  // a species without rows still has a gradient, zero
        if (begin == last && !wanted_.w) break;
        for (int64_t channel = 0; channel < p_.channels; channel += line)
          tasks.push_back({s, begin, std::min(last, begin + chunk), channel});
        begin += chunk;
      } while (begin < last);
    }
    return tasks;
  }

  // Rows of `from` [rows, count * channels] as tiles; nodes beyond `live` are zero.
  void pack(const Tensor& from, const int32_t* rows, int live, int64_t u,
            std::vector<Tile<T>>& to) const {
    const int64_t count = static_cast<int64_t>(to.size()), channels = p_.channels;
    const int64_t used = std::min<int64_t>(width, channels - u);
    if (live < nodes || used < width) std::fill(to.begin(), to.end(), Tile<T>{});
    for (int n = 0; n < live; ++n) {
      const T* row = from.array().template data<T>() + rows[n] * count * channels + u;
      for (int64_t i = 0; i < count; ++i) {
        if (used == width) {
          to[i].v[n] = simd_load<V>(row + i * channels);
        } else {
          for (int64_t k = 0; k < used; ++k) to[i].v[n][k] = row[i * channels + k];
        }
      }
    }
  }
  // The next tile's cache lines, asked for early: the hardware does not foresee such strides.
  void fetch(const Tensor& from, const int32_t* rows, int live, int64_t channel,
             size_t count) const {
    const T* data = from.array().template data<T>() + channel;
    for (int n = 0; n < live; ++n)
      for (size_t i = 0; i < count; ++i)
        __builtin_prefetch(data + (rows[n] * count + i) * p_.channels);
  }
  void unpack(const std::vector<Tile<T>>& from, const int32_t* rows, int live, int64_t u,
              Array& to) const {
    const int64_t count = static_cast<int64_t>(from.size()), channels = p_.channels;
    const int64_t used = std::min<int64_t>(width, channels - u);
    for (int n = 0; n < live; ++n) {
      T* row = to.data<T>() + rows[n] * count * channels + u;
      for (int64_t i = 0; i < count; ++i) {
        if (used == width) {
          simd_store(row + i * channels, from[i].v[n]);
        } else {
          for (int64_t k = 0; k < used; ++k) row[i * channels + k] = from[i].v[n][k];
        }
      }
    }
  }
  // The coefficients of one species in the order of their use, and their gradient's way back.
  void make_coefficients(const Task& task, int64_t u, std::vector<V>& w, std::vector<V>& to) const {
    const int64_t used = std::min<int64_t>(width, p_.channels - u);
    const T* from = in_.w.array().template data<T>() + task.species * p_.paths * p_.channels + u;
    for (int64_t p = 0; p < p_.paths; ++p, from += p_.channels) {
      if (used == width) {
        w[p] = simd_load<V>(from);
      } else {
        w[p] = V{};
        for (int64_t k = 0; k < used; ++k) w[p][k] = from[k];
      }
    }
    const auto* share = shares_.shares.data();
    for (size_t e = 0; e < to.size(); ++e) {
      V sum{};
      for (const auto* end = shares_.shares.data() + shares_.offsets[e + 1]; share < end; ++share)
        sum += share->value * w[share->path];
      to[e] = sum;
    }
  }
  void share_gradient(const std::vector<V>& from, const Task& task, int64_t u,
                      std::vector<V>& w_bar, Array& to) const {
    std::fill(w_bar.begin(), w_bar.end(), V{});
    const auto* share = shares_.shares.data();
    for (size_t e = 0; e < from.size(); ++e)
      for (const auto* end = shares_.shares.data() + shares_.offsets[e + 1]; share < end; ++share)
        w_bar[share->path] += share->value * from[e];
    const int64_t used = std::min<int64_t>(width, p_.channels - u);
    T* out = to.data<T>() + task.species * p_.paths * p_.channels + u;
    for (int64_t p = 0; p < p_.paths; ++p, out += p_.channels) {
      if (used == width) {
        simd_store(out, w_bar[p]);
      } else {
        for (int64_t k = 0; k < used; ++k) out[k] = w_bar[p][k];
      }
    }
  }

  void run_task(Workspace& work, const Task& task, SymmetricGradients& out) const {
    const int live_parts =
        static_cast<int>((std::min(line, p_.channels - task.channel) + width - 1) / width);
    for (int part = 0; part < live_parts; ++part) {
      make_coefficients(task, task.channel + part * width, work.w, work.coefficients[part]);
      if (wanted_.w)
        std::fill(work.coefficients_bar[part].begin(), work.coefficients_bar[part].end(), V{});
    }
    const int32_t* order = in_.species.order().data();
    for (int64_t first = task.begin; first < task.end; first += nodes) {
      const int32_t* rows = order + first;
      const int live = static_cast<int>(std::min<int64_t>(nodes, task.end - first));
      const int next = static_cast<int>(std::min<int64_t>(nodes, task.end - first - live));
      fetch(in_.x, rows + live, next, task.channel, work.x.size());
      if (in_.x_dot.defined()) fetch(in_.x_dot, rows + live, next, task.channel, work.x.size());
      for (int part = 0; part < live_parts; ++part) {
        const int64_t u = task.channel + part * width;
        pack(in_.x, rows, live, u, work.x);
        if (in_.g.defined()) pack(in_.g, rows, live, u, work.g);
        if (in_.x_dot.defined()) {
          pack(in_.x_dot, rows, live, u, work.x_dot);
          run_tile<true>(work, part);
        } else {
          run_tile<false>(work, part);
        }
        if (wanted_.x) unpack(work.x_bar, rows, live, u, out.x);
        if (wanted_.g) unpack(work.g_bar, rows, live, u, out.g);
      }
    }
    for (int part = 0; part < live_parts && wanted_.w; ++part)
      share_gradient(work.coefficients_bar[part], task, task.channel + part * width, work.w_bar,
                     out.w);
  }

  template <bool Tangent>
  void run_tile(Workspace& work, int part) const {
    if (!cubics_.empty()) return cubics<Tangent>(work, part);
    ascend<Tangent>(work, part);
    if (wanted_.x) descend<Tangent>(work, part);
  }

  template <bool Tangent>
  void cubics(Workspace& work, int part) const {
    if (wanted_.x) std::fill(work.x_bar.begin(), work.x_bar.end(), Tile<T>());
    CubicOperands<T> of{work.x.data(),
                        work.x_dot.data(),
                        work.g.data(),
                        work.coefficients[part].data(),
                        work.g_bar.data(),
                        work.x_bar.data(),
                        work.coefficients_bar[part].data()};
    for (const CubicForm& form : cubics_) {
      cubic<Tangent>(form, of);
      ++of.g, ++of.value;
      of.c += form.numbers.size(), of.c_bar += form.numbers.size();
    }
  }
  template <bool Tangent>
  void cubic(const CubicForm& form, const CubicOperands<T>& of) const {
    if (wanted_.x)
      wanted_.w ? run_cubic<T, Tangent, true, true>(form, of)
                : run_cubic<T, Tangent, true, false>(form, of);
    else
      wanted_.w ? run_cubic<T, Tangent, false, true>(form, of)
                : run_cubic<T, Tangent, false, false>(form, of);
  }

  template <bool Tangent>
  void ascend(Workspace& work, int part) const {
    if (wanted_.g)
      wanted_.w ? ascend<Tangent, true, true>(work, part)
                : ascend<Tangent, true, false>(work, part);
    else
      wanted_.w ? ascend<Tangent, false, true>(work, part)
                : ascend<Tangent, false, false>(work, part);
  }

  // Every monomial from its parent; with it g_bar += C q and C_bar += g q (or q's derivative).
  // Pointers are taken out of their vectors because stores of V might change those, for all the
  // compiler knows.
  template <bool Tangent, bool Value, bool Coefficients>
  void ascend(Workspace& work, int part) const {
    const MonomialTree::Parent* parents = tree_.parents.data();
    const MonomialTree::Child* children = tree_.children.data();
    const int32_t* outputs = tree_.outputs.data();
    const Tile<T>* x = work.x.data();
    const Tile<T>* x_dot = work.x_dot.data();
    const Tile<T>* g = work.g.data();
    Tile<T>* products = work.product.data();
    Tile<T>* products_dot = work.product_dot.data();
    Tile<T>* g_bar = work.g_bar.data();
    const V* c = work.coefficients[part].data();
    V* c_bar = work.coefficients_bar[part].data();

    for (int n = 0; n < nodes; ++n) products[0].v[n] = V{} + T{1};
    if constexpr (Tangent) products_dot[0] = Tile<T>();
    if constexpr (Value) std::fill_n(g_bar, work.g_bar.size(), Tile<T>());
    for (size_t p = 0; p < tree_.parents.size(); ++p) {
      const Tile<T> product = products[p];
      const Tile<T> product_dot = Tangent ? products_dot[p] : Tile<T>();
      for (int32_t k = parents[p].begin; k < parents[p].end; ++k) {
        const MonomialTree::Child child = children[k];
        if (!Value && !Coefficients && child.parent < 0) continue;
        Tile<T> q = Tile<T>::product(product, x[child.factor]);
        if (child.parent >= 0) products[child.parent] = q;
        if constexpr (Tangent) {
          q = Tile<T>::product(product_dot, x[child.factor]);
          q.add_product(product, x_dot[child.factor]);
          if (child.parent >= 0) products_dot[child.parent] = q;
        }
        if constexpr (Value || Coefficients)
          for (int32_t e = child.begin; e < child.end; ++e) {
            if constexpr (Value) g_bar[outputs[e]].add_product(c[e], q);
            if constexpr (Coefficients) c_bar[e] += dot(g[outputs[e]], q);
          }
      }
    }
  }

  // Adjoints of the monomials from their children, and x_bar (or its derivative along x_dot).
  template <bool Tangent>
  void descend(Workspace& work, int part) const {
    const MonomialTree::Parent* parents = tree_.parents.data();
    const MonomialTree::Child* children = tree_.children.data();
    const int32_t* outputs = tree_.outputs.data();
    const Tile<T>* x = work.x.data();
    const Tile<T>* x_dot = work.x_dot.data();
    const Tile<T>* g = work.g.data();
    // A parent's product is read before its adjoint takes the place; children come after parents.
    Tile<T>* adjoint = work.product.data();
    Tile<T>* adjoint_dot = work.product_dot.data();
    Tile<T>* x_bar = work.x_bar.data();
    const V* c = work.coefficients[part].data();

    std::fill_n(x_bar, work.x_bar.size(), Tile<T>());
    for (size_t p = tree_.parents.size(); p-- > 0;) {
      const Tile<T> product = adjoint[p];
      const Tile<T> product_dot = Tangent ? adjoint_dot[p] : Tile<T>();
      Tile<T> sum, sum_dot;
      for (int32_t k = parents[p].begin; k < parents[p].end; ++k) {
        const MonomialTree::Child child = children[k];
        Tile<T> s;
        for (int32_t e = child.begin; e < child.end; ++e) s.add_product(c[e], g[outputs[e]]);
        if (child.parent >= 0) s.add(adjoint[child.parent]);
        sum.add_product(s, x[child.factor]);
        if constexpr (Tangent) {
          x_bar[child.factor].add_product(s, product_dot);
          sum_dot.add_product(s, x_dot[child.factor]);
          if (child.parent >= 0) {
            x_bar[child.factor].add_product(adjoint_dot[child.parent], product);
            sum_dot.add_product(adjoint_dot[child.parent], x[child.factor]);
          }
        } else {
          x_bar[child.factor].add_product(s, product);
        }
      }
      adjoint[p] = sum;
      if constexpr (Tangent) adjoint_dot[p] = sum_dot;
    }
  }
};

}  // namespace

SymmetricProgram::SymmetricProgram(SymmetricPolynomials given)
    : polynomials(std::move(given)),
      cubics(cubic_forms(polynomials)),
      tree(cubics.empty() ? polynomials : SymmetricPolynomials()) {
  std::vector<int32_t> numbers = tree.numbers;
  for (const CubicForm& form : cubics)
    numbers.insert(numbers.end(), form.numbers.begin(), form.numbers.end());
  for (int32_t number : numbers) {
    if (number >= 0)
      for (const SymmetricPolynomials::Share& share : polynomials.entries[number].shares) {
        shares_f32.shares.push_back({share.path, static_cast<float>(share.value)});
        shares_f64.shares.push_back({share.path, share.value});
      }
    shares_f32.offsets.push_back(static_cast<int32_t>(shares_f32.shares.size()));
    shares_f64.offsets.push_back(static_cast<int32_t>(shares_f64.shares.size()));
  }
}

SymmetricGradients symmetric_gradients(const SymmetricProgram& program, const SymmetricOperands& in,
                                       SymmetricWanted wanted) {
  return visit_float("symmetric product", in.x.dtype(),
                     [&]<class T>(T) { return SymmetricKernel<T>(program, in, wanted).run(); });
}

}  // namespace casimir
