#include "equivariant/layers.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "equivariant/symmetric_basis.h"
#include "equivariant/wigner.h"

namespace casimir {

namespace {

// The input blocks of output block o.
std::vector<int> sources_of(int o, const Irreps& in, const Irreps& out,
                            const std::vector<std::array<int, 2>>& instructions) {
  std::vector<int> sources;
  for (int i = 0; i < static_cast<int>(in.size()) && instructions.empty(); ++i)
    if (in[i].ir == out[o].ir) sources.push_back(i);
  for (const auto& [i, to] : instructions)
    if (to == o) sources.push_back(i);
  return sources;
}

void check_instructions(const Irreps& in, const Irreps& out,
                        const std::vector<std::array<int, 2>>& instructions) {
  for (const auto& [i, o] : instructions) {
    check(i >= 0 && i < static_cast<int>(in.size()) && o >= 0 && o < static_cast<int>(out.size()),
          "Linear: no blocks ", i, " -> ", o, " in ", in.text(), " -> ", out.text());
    check(in[i].ir == out[o].ir, "Linear: ", in[i].ir.text(), " does not go to ", out[o].ir.text());
  }
}

// "0e"; "0e_3" for block 3 after another block of 0e.
std::string block_name(const Irreps& irreps, int block) {
  const Irrep ir = irreps[block].ir;
  for (int b = 0; b < block; ++b)
    if (irreps[b].ir == ir) return ir.text() + "_" + std::to_string(block);
  return ir.text();
}

}  // namespace

Linear::Linear(Parameters::Scope p, const Irreps& in, const Irreps& out, Options options)
    : groups(options.groups) {
  check_instructions(in, out, options.instructions);
  plan.width_in = in.dim();
  plan.width_out = out.dim();
  const std::vector<int64_t> in_offsets = in.offsets(), out_offsets = out.offsets();
  for (int o = 0; o < static_cast<int>(out.size()); ++o) {
    const std::string name = block_name(out, o);
    const std::vector<int> sources = sources_of(o, in, out, options.instructions);
    int64_t fan_in = 0;
    for (int i : sources) fan_in += in[i].mul;
    for (int i : sources) {
      const bool by_path = options.path_normalization == PathNormalization::path;
      const int64_t elements = by_path ? in[i].mul * std::ssize(sources) : fan_in;
      const double factor =
          options.factor / std::sqrt(static_cast<double>(std::max<int64_t>(elements * groups, 1)));
      plan.instructions.push_back({in_offsets[i], in[i].mul, out_offsets[o], out[o].mul,
                                   out[o].ir.dim(), plan.weight_size, factor});
      plan.weight_size += in[i].mul * out[o].mul;
    }
    if (options.biases && out[o].ir.is_scalar()) {
      biases.push_back(p.get("bias_" + name, {out[o].mul}, init::zeros()));
      bias_at.push_back(out_offsets[o]);
    }
    if (fan_in == 0) continue;
    Shape shape = groups > 1 ? Shape{groups, fan_in, out[o].mul} : Shape{fan_in, out[o].mul};
    weights.push_back(p.get("weight_" + name, shape, init::normal(), options.decay));
  }
  // mix() joins neighbouring instructions into one output block; backwards it joins none, as it
  // must not where the inputs of two output blocks overlap in part.
  if (!options.instructions.empty())
    std::reverse(plan.instructions.begin(), plan.instructions.end());
}

Tensor Linear::flat_weights() const {
  Tensors flat;
  for (const Tensor& w : weights) flat.push_back(reshape(w, {groups, w.size() / groups}));
  return flat.size() == 1 ? flat[0] : concat(flat, 1);
}

Tensor Linear::operator()(const Tensor& x, const Segments& species) const {
  check(x.defined() && x.rank() == 2 && x.dim(1) == plan.width_in, "Linear: expected rows of ",
        plan.width_in, ", found ", x.shape());
  Tensor out = weights.empty() ? Tensor::zeros({x.dim(0), plan.width_out}, x.dtype(), x.device())
                               : mix(plan, x, flat_weights(), species);
  for (size_t b = 0; b < biases.size(); ++b) {
    const int64_t mul = biases[b].dim(0);
    out = out + pad(biases[b], 0, bias_at[b], plan.width_out - bias_at[b] - mul);
  }
  return out;
}

RadialMlp::RadialMlp(Parameters::Scope p, const std::vector<int64_t>& sizes, double gain,
                     const Init& init)
    : gain(gain) {
  for (size_t k = 0; k + 1 < sizes.size(); ++k)
    weights.push_back(
        (p / ("layer_" + std::to_string(k))).get("weight", {sizes[k], sizes[k + 1]}, init));
}

Tensor RadialMlp::operator()(const Tensor& x, const Tensor& mixing) const {
  Tensor h = x;
  for (size_t k = 0; k < weights.size(); ++k) {
    // The weights carry the normalisations: they are smaller than the activations.
    double factor = (k ? gain : 1) / std::sqrt(static_cast<double>(weights[k].dim(0)));
    if (k + 1 == weights.size() && mixing.defined()) h = matmul(mixing, h);
    h = matmul(h, weights[k] * factor);
    if (k + 1 < weights.size()) h = silu(h);
  }
  return h;
}

Convolution::Convolution(const Irreps& features, const Irreps& harmonics, const Irreps& targets) {
  struct Path {
    size_t in, edge;
    Irrep out;
  };
  std::vector<Path> paths;
  std::vector<MulIrrep> blocks;
  for (size_t i = 0; i < features.size(); ++i)
    for (size_t j = 0; j < harmonics.size(); ++j)
      for (const Irrep& ir : features[i].ir* harmonics[j].ir)
        if (targets.count(ir) > 0) {
          paths.push_back({i, j, ir});
          blocks.push_back({features[i].mul, ir});
        }
  auto sorted = Irreps(blocks).sort();
  irreps_out = sorted.irreps.simplify();
  num_paths = static_cast<int64_t>(paths.size());

  const std::vector<int64_t> in_at = features.offsets(), edge_at = harmonics.offsets(),
                             out_at = irreps_out.offsets();
  std::map<Irrep, int64_t> used;  // channels of each output irrep already given to paths
  ConvolutionPaths sum;
  sum.width_x = features.dim();
  sum.width_y = harmonics.dim();
  sum.width_out = irreps_out.dim();
  for (int index : sorted.inv) {
    const Path& path = paths[index];
    const MulIrrep& in = features[path.in];
    size_t block = 0;
    while (irreps_out[block].ir != path.out) ++block;
    ConvolutionPaths::Path p;
    p.x = in_at[path.in];
    p.x_step = p.channels = in.mul;
    p.out = out_at[block] + used[path.out];
    p.out_step = irreps_out[block].mul;
    p.w = sum.width_w;
    p.d_in = in.ir.dim();
    p.d_out = path.out.dim();
    sum.add(p, wigner_3j(in.ir.l, harmonics[path.edge].ir.l, path.out.l), edge_at[path.edge],
            std::sqrt(2.0 * path.out.l + 1));
    used[path.out] += in.mul;
    sum.width_w += in.mul;
  }
  weight_numel = sum.width_w;
  op = ConvolutionOp(std::move(sum));
}

int64_t Convolution::num_unrolled() const {
  const std::vector<ConvolutionPaths::Path>& paths = op.paths().paths;
  return std::count_if(paths.begin(), paths.end(), [](const auto& p) { return p.unrolled(); });
}

Tensor Convolution::operator()(const Tensor& x, const Tensor& y, const Tensor& w,
                               const Segments& sender, const Segments& receiver,
                               const Segments& pair) const {
  return op(x, y, w, {sender, receiver, pair});
}

SymmetricContraction::SymmetricContraction(Parameters::Scope p, int l_max, int64_t channels,
                                           const Irreps& out, int correlation, int64_t elements)
    : elements(elements) {
  SymmetricPolynomials sum;
  sum.components = (l_max + 1) * (l_max + 1);
  sum.channels = channels;
  for (int nu = correlation; nu >= 1; --nu) {
    int32_t first_output = 0;
    for (const MulIrrep& block : out) {
      const SymmetricBasis& basis = symmetric_basis(l_max, nu, block.ir.l);
      const SymmetricBasis::Entry* last = nullptr;
      for (const SymmetricBasis::Entry& entry : basis.entries) {
        if (!last || last->component != entry.component || last->monomial != entry.monomial)
          sum.entries.push_back({basis.monomials[entry.monomial],
                                 first_output + static_cast<int32_t>(entry.component),
                                 {}});
        sum.entries.back().shares.push_back(
            {static_cast<int32_t>(sum.paths) + entry.path, entry.value});
        last = &entry;
      }
      first_output += block.ir.dim();
      sum.paths += basis.paths;
      weights.push_back(p.get(
          "weight_" + block.ir.text() + "_" + std::to_string(nu), {elements, basis.paths, channels},
          init::normal(1.0 / static_cast<double>(std::max<int64_t>(basis.paths, 1))), true));
    }
    sum.outputs = first_output;
  }
  op = SymmetricProductOp(std::move(sum), p.dtype(), p.device());
}

Tensor SymmetricContraction::operator()(const Tensor& x, const Segments& species) const {
  const Tensor all = weights.size() == 1 ? weights[0] : concat(weights, 1);
  return op(x, reshape(all, {elements, all.size() / elements}), species);
}

namespace {

// The parity of the gates of a gated block, whose first gate is `first`.
int gate_parity(const Irreps& gates, int64_t first, const MulIrrep& block) {
  int64_t begin = 0;
  for (const MulIrrep& gate : gates) {
    if (first < begin + gate.mul) {
      check(first + block.mul <= begin + gate.mul, "Gate: ", block.mul, "x", block.ir.text(),
            " has gates of several irreps: ", gates.text());
      return gate.ir.p;
    }
    begin += gate.mul;
  }
  fail<ShapeError>("Gate: too few gates: ", gates.text());
}

Tensor activate(const Tensor& x, const Irreps& irreps) {
  Tensors parts;
  int64_t at = 0;
  for (const MulIrrep& block : irreps) {
    check(block.ir.l == 0, "Gate: expected scalars, found ", irreps.text());
    Tensor part = irreps.size() == 1 ? x : slice(x, 1, at, at + block.mul);
    parts.push_back(block.ir.p > 0 ? silu(part) * silu_normalization
                                   : tanh(part) * tanh_normalization);
    at += block.mul;
  }
  return parts.size() == 1 ? parts[0] : concat(parts, 1);
}

}  // namespace

Irreps Gate::irreps_in() const {
  std::vector<MulIrrep> blocks(scalars.begin(), scalars.end());
  blocks.insert(blocks.end(), gates.begin(), gates.end());
  blocks.insert(blocks.end(), gated.begin(), gated.end());
  return Irreps(std::move(blocks));
}
Irreps Gate::irreps_out() const {
  std::vector<MulIrrep> blocks(scalars.begin(), scalars.end());
  int64_t gate = 0;
  for (const MulIrrep& block : gated) {
    blocks.push_back({block.mul, {block.ir.l, block.ir.p * gate_parity(gates, gate, block)}});
    gate += block.mul;
  }
  return Irreps(std::move(blocks));
}

Tensor Gate::operator()(const Tensor& x) const {
  check(gates.dim() == gated.num_irreps(), "Gate: ", gates.dim(), " gates for ", gated.num_irreps(),
        " irreps");
  check(x.rank() == 2 && x.dim(1) == irreps_in().dim(), "Gate: expected rows of ",
        irreps_in().dim(), ", found ", x.shape());
  const int64_t rows = x.dim(0), s = scalars.dim(), g = gates.dim();
  Tensors parts;
  if (s) parts.push_back(activate(slice(x, 1, 0, s), scalars));
  if (g) {
    Tensor open = activate(slice(x, 1, s, s + g), gates);
    int64_t at = s + g, gate = 0;
    for (const MulIrrep& block : gated) {
      Tensor values = reshape(slice(x, 1, at, at + block.dim()), {rows, block.ir.dim(), block.mul});
      Tensor factor = reshape(slice(open, 1, gate, gate + block.mul), {rows, 1, block.mul});
      parts.push_back(reshape(values * factor, {rows, block.dim()}));
      at += block.dim();
      gate += block.mul;
    }
  }
  return parts.size() == 1 ? parts[0] : concat(parts, 1);
}

}  // namespace casimir
