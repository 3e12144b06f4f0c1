#include "equivariant/mixing.h"

#include <algorithm>
#include <set>

#include "core/gemm.h"
#include "core/parallel.h"

namespace casimir {

namespace cuda {
void mix(const MixPlan& plan, const Array& x, const Array& weight, const Segments& species,
         Array& out);
void mix_outer(const MixPlan& plan, const Array& x, const Array& g, const Segments& species,
               Array& out);
}  // namespace cuda

namespace {

// Instructions with one output block whose matrices follow one another: a single product with the
// inputs side by side.
struct Bundle {
  std::vector<int64_t> in;  // offsets of the input blocks
  int64_t mul_in, out, mul_out, components, weight;
  double factor;
  int64_t inner() const { return mul_in * static_cast<int64_t>(in.size()); }
};

std::vector<Bundle> bundles_of(const MixPlan& plan) {
  std::vector<Bundle> bundles;
  for (const MixInstruction& i : plan.instructions) {
    if (!bundles.empty()) {
      Bundle& b = bundles.back();
      if (b.out == i.out && b.mul_out == i.mul_out && b.mul_in == i.mul_in &&
          b.components == i.components && b.factor == i.factor &&
          i.weight == b.weight + b.inner() * b.mul_out) {
        b.in.push_back(i.in);
        continue;
      }
    }
    bundles.push_back({{i.in}, i.mul_in, i.out, i.mul_out, i.components, i.weight, i.factor});
  }
  return bundles;
}

// The nodes of one group: a range of the species' order, or all rows.
struct NodeRange {
  int64_t group, begin, end;
  const int32_t* order;  // nullptr: rows as they are
  int64_t node(int64_t i) const { return order ? order[i] : i; }
  int64_t size() const { return end - begin; }
};

std::vector<NodeRange> ranges_of(int64_t rows, const Segments& species, int64_t chunk) {
  std::vector<NodeRange> ranges;
  int64_t groups = species.defined() ? species.targets() : 1;
  for (int64_t group = 0; group < groups; ++group) {
    int64_t begin = species.defined() ? species.offsets()[group] : 0;
    int64_t end = species.defined() ? species.offsets()[group + 1] : rows;
    const int32_t* order =
        species.defined() && !species.sorted() ? species.order().data() : nullptr;
    const int64_t chunks = (end - begin + chunk - 1) / chunk;
    for (int64_t c = 0; c < chunks; ++c)
      ranges.push_back({group, begin + (end - begin) * c / chunks,
                        begin + (end - begin) * (c + 1) / chunks, order});
  }
  return ranges;
}

// The first `used` of `mul` channels of the blocks at `offsets`, for every node and component, side
// by side in rows of `packed`; and whole blocks back.
template <class T>
void pack(const NodeRange& nodes, const T* x, int64_t width, const std::vector<int64_t>& offsets,
          int64_t used, int64_t mul, int64_t components, T* packed) {
  for (int64_t i = nodes.begin; i < nodes.end; ++i) {
    const T* row = x + nodes.node(i) * width;
    for (int64_t m = 0; m < components; ++m)
      for (int64_t offset : offsets) packed = std::copy_n(row + offset + m * mul, used, packed);
  }
}
// `add`: to what is there.
template <class T>
void unpack(const NodeRange& nodes, const T* packed, int64_t width,
            const std::vector<int64_t>& offsets, int64_t mul, int64_t components, bool add,
            T* out) {
  for (int64_t i = nodes.begin; i < nodes.end; ++i) {
    T* row = out + nodes.node(i) * width;
    for (int64_t m = 0; m < components; ++m)
      for (int64_t offset : offsets) {
        T* block = row + offset + m * mul;
        if (add)
          for (int64_t u = 0; u < mul; ++u) block[u] += packed[u];
        else
          std::copy_n(packed, mul, block);
        packed += mul;
      }
  }
}

// From these many rows on, products read and write the rows in place, component by component;
// fewer, or scattered ones, are gathered for one product of all components.
constexpr int64_t direct_rows = 32;
bool direct(const NodeRange& nodes) {
  return !nodes.order && nodes.size() >= direct_rows;
}

template <class T>
void mix_bundle_direct(const Bundle& b, const MixPlan& plan, const NodeRange& nodes, const T* x,
                       const T* weight, bool add, T* out) {
  const int64_t from = plan.transposed ? plan.width_out : plan.width_in;
  const int64_t to = plan.transposed ? plan.width_in : plan.width_out;
  Gemm<T> g{.trans_b = plan.transposed,
            .m = nodes.size(),
            .n = plan.transposed ? b.mul_in : b.mul_out,
            .k = plan.transposed ? b.mul_out : b.mul_in,
            .alpha = static_cast<T>(b.factor),
            .lda = from,
            .ldb = b.mul_out,
            .ldc = to};
  for (int64_t m = 0; m < b.components; ++m)
    for (size_t i = 0; i < b.in.size(); ++i) {
      const int64_t in = b.in[i] + m * b.mul_in, at = b.out + m * b.mul_out;
      g.a = x + nodes.begin * from + (plan.transposed ? at : in);
      g.c = out + nodes.begin * to + (plan.transposed ? in : at);
      g.b = weight + b.weight + static_cast<int64_t>(i) * b.mul_in * b.mul_out;
      g.beta = add || (i > 0 && !plan.transposed) ? T{1} : T{0};
      gemm_serial(g);
    }
}

template <class T>
void mix_bundle(const Bundle& b, const MixPlan& plan, const NodeRange& nodes, const T* x,
                const T* weight, bool add, T* out) {
  if (direct(nodes)) return mix_bundle_direct(b, plan, nodes, x, weight, add, out);
  const int64_t rows = nodes.size() * b.components, inner = b.inner();
  const std::vector<int64_t> out_block{b.out};
  const auto& sources = plan.transposed ? out_block : b.in;
  const auto& targets = plan.transposed ? b.in : out_block;
  const int64_t mul_from = plan.transposed ? b.mul_out : b.mul_in,
                mul_to = plan.transposed ? b.mul_in : b.mul_out;
  const int64_t width_from = plan.transposed ? plan.width_out : plan.width_in;
  const int64_t width_to = plan.transposed ? plan.width_in : plan.width_out;
  const int64_t k = plan.transposed ? b.mul_out : inner, n = plan.transposed ? inner : b.mul_out;
  Array from(Shape{rows, k}, dtype_of<T>()), to(Shape{rows, n}, dtype_of<T>());
  pack(nodes, x, width_from, sources, mul_from, mul_from, b.components, from.data<T>());
  gemm_serial(Gemm<T>{.trans_b = plan.transposed,
                      .m = rows,
                      .n = n,
                      .k = k,
                      .alpha = static_cast<T>(b.factor),
                      .a = from.data<T>(),
                      .lda = k,
                      .b = weight + b.weight,
                      .ldb = b.mul_out,
                      .c = to.data<T>(),
                      .ldc = n});
  unpack(nodes, to.data<T>(), width_to, targets, mul_to, b.components, add, out);
}

// Bundles that write to common blocks, which are one task's: the first stores and the others add
// where all write the same blocks; else the blocks begin as zeros.
struct Targets {
  std::vector<Bundle> bundles;
  std::set<int64_t> offsets;
  bool alike = true;
};

std::vector<Targets> targets_of(const MixPlan& plan) {
  std::vector<Targets> all;
  for (const Bundle& b : bundles_of(plan)) {
    Targets joined{{b}, {b.out}, true};
    if (plan.transposed) joined.offsets = {b.in.begin(), b.in.end()};
    for (size_t t = 0; t < all.size();) {
      const bool common =
          std::any_of(joined.offsets.begin(), joined.offsets.end(),
                      [&](int64_t offset) { return all[t].offsets.count(offset) > 0; });
      if (!common) {
        ++t;
        continue;
      }
      joined.alike = joined.alike && all[t].alike && joined.offsets == all[t].offsets;
      joined.offsets.insert(all[t].offsets.begin(), all[t].offsets.end());
      joined.bundles.insert(joined.bundles.begin(), all[t].bundles.begin(), all[t].bundles.end());
      all.erase(all.begin() + static_cast<std::ptrdiff_t>(t));
    }
    all.push_back(std::move(joined));
  }
  return all;
}

template <class T>
void mix_cpu(const MixPlan& plan, const Array& x, const Array& weight, const Segments& species,
             Array& out) {
  const std::vector<Targets> targets = targets_of(plan);
  struct Task {
    const Targets* targets;
    NodeRange nodes;
  };
  std::vector<Task> tasks;
  int64_t stored = 0;  // numbers of a row that are stored to
  for (const Targets& t : targets) {
    const Bundle& b = t.bundles[0];
    if (t.alike) stored += b.components * (plan.transposed ? b.inner() : b.mul_out);
    const bool scattered = species.defined() && !species.sorted();
    const int64_t chunk = scattered || x.shape()[0] < direct_rows
                              ? std::clamp<int64_t>(96 / b.components, 8, 64)
                              : 96;
    for (const NodeRange& range : ranges_of(x.shape()[0], species, chunk))
      tasks.push_back({&t, range});
  }
  if (stored < out.shape().row_size()) out.fill(0);
  parallel_for(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      bool add = !tasks[i].targets->alike;
      for (const Bundle& b : tasks[i].targets->bundles) {
        mix_bundle(b, plan, tasks[i].nodes, x.data<T>(),
                   weight.data<T>() + tasks[i].nodes.group * plan.weight_size, add, out.data<T>());
        add = true;
      }
    }
  });
}

// Rows of the matrices of some inputs of a bundle, for one group; the sum over nodes runs in order
// within the task.
struct OuterTask {
  const Bundle* bundle;
  std::vector<int64_t> in;       // offsets of those inputs
  int64_t group, weight, count;  // rows of the product; its first weight
};

template <class T>
void outer_task(const OuterTask& task, const MixPlan& plan, const std::vector<NodeRange>& ranges,
                const T* x, const T* g, T* out) {
  const Bundle& b = *task.bundle;
  const int64_t inner = task.count / static_cast<int64_t>(task.in.size());
  T beta = 0;
  for (const NodeRange& nodes : ranges) {
    if (nodes.group != task.group) continue;
    const int64_t rows = nodes.size() * b.components;
    Array from(Shape{rows, task.count}, dtype_of<T>()), to(Shape{rows, b.mul_out}, dtype_of<T>());
    pack(nodes, x, plan.width_in, task.in, inner, b.mul_in, b.components, from.data<T>());
    pack(nodes, g, plan.width_out, {b.out}, b.mul_out, b.mul_out, b.components, to.data<T>());
    gemm_serial(Gemm<T>{.trans_a = true,
                        .m = task.count,
                        .n = b.mul_out,
                        .k = rows,
                        .alpha = static_cast<T>(b.factor),
                        .a = from.data<T>(),
                        .lda = task.count,
                        .b = to.data<T>(),
                        .ldb = b.mul_out,
                        .beta = beta,
                        .c = out + task.group * plan.weight_size + task.weight,
                        .ldc = b.mul_out});
    beta = 1;
  }
}

// Two inputs of 128 channels at a time, so that g is packed once for both; half an input where
// there would be few tasks.
std::vector<OuterTask> outer_tasks(const std::vector<Bundle>& bundles, int64_t group, bool few) {
  std::vector<OuterTask> tasks;
  for (const Bundle& b : bundles) {
    const auto inputs = static_cast<int64_t>(b.in.size());
    const int64_t together = few ? 1 : std::max<int64_t>(1, 256 / b.mul_in);
    const int64_t slice = few ? std::min<int64_t>(64, b.mul_in) : b.mul_in;
    for (int64_t i = 0; i < inputs; i += together)
      for (int64_t first = 0; first < b.mul_in; first += slice) {
        OuterTask task{&b, {}, group, b.weight + (i * b.mul_in + first) * b.mul_out, 0};
        for (int64_t k = i; k < std::min(inputs, i + together); ++k) {
          task.in.push_back(b.in[k] + first);
          task.count += std::min(slice, b.mul_in - first);
        }
        tasks.push_back(std::move(task));
      }
  }
  return tasks;
}

template <class T>
void mix_outer_cpu(const MixPlan& plan, const Array& x, const Array& g, const Segments& species,
                   Array& out) {
  constexpr int64_t chunk = 128, enough = 16;
  const std::vector<Bundle> bundles = bundles_of(plan);
  const std::vector<NodeRange> ranges = ranges_of(x.shape()[0], species, chunk);
  std::vector<uint8_t> present(out.shape()[0], 0);
  for (const NodeRange& range : ranges) present[range.group] = 1;
  const bool few = static_cast<int64_t>(plan.instructions.size()) * out.shape()[0] < enough;
  std::vector<OuterTask> tasks;
  for (int64_t group = 0; group < out.shape()[0]; ++group)
    if (present[group])
      for (OuterTask& task : outer_tasks(bundles, group, few)) tasks.push_back(std::move(task));
  int64_t written = 0;
  for (const Bundle& b : bundles) written += b.inner() * b.mul_out;
  const bool all_present = std::count(present.begin(), present.end(), 0) == 0;
  if (!all_present || written < plan.weight_size) out.fill(0);
  parallel_for(static_cast<int64_t>(tasks.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t t = begin; t < end; ++t)
      outer_task(tasks[t], plan, ranges, x.data<T>(), g.data<T>(), out.data<T>());
  });
}

void check_rows(const char* op, const Tensor& x, int64_t width, const Segments& species) {
  check(x.rank() > 0 && x.shape().row_size() == width, op, ": expected rows of ", width, ", found ",
        x.shape());
  check(!species.defined() || species.size() == x.dim(0), op, ": ", species.size(), " species for ",
        x.shape());
}

MixPlan transpose(MixPlan plan) {
  plan.transposed = !plan.transposed;
  return plan;
}

}  // namespace

Tensor mix(const MixPlan& plan, const Tensor& x, const Tensor& weight, const Segments& species) {
  check_rows("mix", x, plan.transposed ? plan.width_out : plan.width_in, species);
  int64_t groups = species.defined() ? species.targets() : 1;
  check(weight.rank() == 2 && weight.dim(0) == groups && weight.dim(1) == plan.weight_size,
        "mix: expected a weight of shape ", Shape{groups, plan.weight_size}, ", found ",
        weight.shape());
  check(x.dtype() == weight.dtype() && x.device() == weight.device(), "mix: x is ", x.dtype(),
        " on ", x.device(), ", the weight ", weight.dtype(), " on ", weight.device());
  Array out(Shape{x.dim(0), plan.transposed ? plan.width_in : plan.width_out}, x.dtype(),
            x.device());
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::mix(plan, x.array(), weight.array(), species, out);
  if (x.on_cpu())
    visit_float("mix", x.dtype(),
                [&]<class T>(T) { mix_cpu<T>(plan, x.array(), weight.array(), species, out); });
  return record("mix", {x, weight}, out, [=](const Tensors& g, const Needs& needs) {
    Tensors cotangents(2);
    if (needs[0]) cotangents[0] = reshape(mix(transpose(plan), g[0], weight, species), x.shape());
    if (needs[1])
      cotangents[1] = plan.transposed ? mix_outer(transpose(plan), g[0], x, species)
                                      : mix_outer(plan, x, g[0], species);
    return cotangents;
  });
}

Tensor mix_outer(const MixPlan& plan, const Tensor& x, const Tensor& g, const Segments& species) {
  check(!plan.transposed, "mix_outer: expected a plan that is not transposed");
  check_rows("mix_outer", x, plan.width_in, species);
  check_rows("mix_outer", g, plan.width_out, species);
  check(x.dim(0) == g.dim(0), "mix_outer: rows differ: ", x.shape(), " and ", g.shape());
  check(x.dtype() == g.dtype() && x.device() == g.device(), "mix_outer: x is ", x.dtype(), " on ",
        x.device(), ", g ", g.dtype(), " on ", g.device());
  int64_t groups = species.defined() ? species.targets() : 1;
  Array out(Shape{groups, plan.weight_size}, x.dtype(), x.device());
  if constexpr (cuda_built)
    if (x.on_cuda()) cuda::mix_outer(plan, x.array(), g.array(), species, out);
  if (x.on_cpu())
    visit_float("mix_outer", x.dtype(),
                [&]<class T>(T) { mix_outer_cpu<T>(plan, x.array(), g.array(), species, out); });
  return record("mix_outer", {x, g}, out, [=](const Tensors& v, const Needs& needs) {
    Tensors cotangents(2);
    if (needs[0]) cotangents[0] = reshape(mix(transpose(plan), g, v[0], species), x.shape());
    if (needs[1]) cotangents[1] = reshape(mix(plan, x, v[0], species), g.shape());
    return cotangents;
  });
}

}  // namespace casimir
