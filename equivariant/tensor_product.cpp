#include "equivariant/tensor_product.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "equivariant/wigner.h"

namespace casimir {
namespace {

using Rows = Operand::Rows;

struct Multiplicities {
  int64_t u, v, w;
  Multiplicities(const Instruction& p, const Irreps& in1, const Irreps& in2, const Irreps& out)
      : u(in1[p.i_in1].mul), v(in2[p.i_in2].mul), w(out[p.i_out].mul) {}
};

// Products summed in one element of the output.
int64_t elements_of(Mode mode, const Multiplicities& m) {
  if (mode == Mode::uvw) return m.u * m.v;
  if (mode == Mode::uvu) return m.v;
  if (mode == Mode::uvv || mode == Mode::uuw) return m.u;
  return 1;
}

int64_t weights_of(Mode mode, const Multiplicities& m) {
  if (mode == Mode::uvw) return m.u * m.v * m.w;
  if (mode == Mode::uuw) return m.u * m.w;
  return mode == Mode::uuu ? m.u : m.u * m.v;
}

bool contains(const std::vector<Irrep>& irreps, const Irrep& ir) {
  return std::find(irreps.begin(), irreps.end(), ir) != irreps.end();
}

Instruction path(size_t i_in1, size_t i_in2, size_t i_out, Mode mode, bool has_weight) {
  return {static_cast<int>(i_in1), static_cast<int>(i_in2), static_cast<int>(i_out), mode,
          has_weight};
}

double irrep_norm(IrrepNormalization normalization, const Irrep& a, const Irrep& b,
                  const Irrep& c) {
  if (normalization == IrrepNormalization::component) return c.dim();
  return normalization == IrrepNormalization::norm ? a.dim() * b.dim() : 1;
}

// The factor of each path (tensor_product.h).
std::vector<double> path_norms(const std::vector<Instruction>& paths, const Irreps& in1,
                               const Irreps& in2, const Irreps& out,
                               const TensorProductOptions& options) {
  std::vector<int64_t> elements, total(out.size(), 0), count(out.size(), 0);
  for (const Instruction& p : paths) {
    elements.push_back(elements_of(p.mode, {p, in1, in2, out}));
    total[p.i_out] += elements.back();
    ++count[p.i_out];
  }
  std::vector<double> norms;
  for (size_t i = 0; i < paths.size(); ++i) {
    const Instruction& p = paths[i];
    const double c =
        irrep_norm(options.irrep_normalization, in1[p.i_in1].ir, in2[p.i_in2].ir, out[p.i_out].ir);
    int64_t n = 1;
    if (options.path_normalization == PathNormalization::element) n = total[p.i_out];
    if (options.path_normalization == PathNormalization::path) n = elements[i] * count[p.i_out];
    norms.push_back(std::sqrt(p.path_weight * c / static_cast<double>(std::max<int64_t>(n, 1))));
  }
  return norms;
}

}  // namespace

// Terms of the contractions, by which operands run over channels (x1, x2, output) and whether there
// is a weight.
struct TensorProduct::Terms {
  std::map<std::array<bool, 4>, std::vector<Term>> of;

  void add(const Path& path);
  void add(const Path& path, int64_t x1, int64_t x2, int64_t z, double value);

  void add(std::array<bool, 3> channels, std::vector<int64_t> at, int64_t weight,
           double coefficient, int64_t count) {
    if (weight >= 0) at.insert(at.begin() + 2, weight);
    of[{channels[0], channels[1], channels[2], weight >= 0}].push_back(
        {{at.begin(), at.end()}, coefficient, static_cast<int32_t>(count)});
  }
};

void TensorProduct::PathMix::add(const Block& rows, const Block& columns, int64_t components,
                                 int64_t weight) {
  shared.instructions.push_back(
      {rows.at, rows.mul, columns.at, columns.mul, components, weight, 1});
}

void TensorProduct::PathMix::finish(bool shared_weights, int64_t weight_numel) {
  shared.weight_size = weight_numel;
  if (shared_weights || empty()) return;
  // Channels run along the rows of W: numbers of the output for x @ W, of x for x @ W^T.
  const bool turned = shared.transposed;
  std::vector<Term> terms;
  for (const MixInstruction& i : shared.instructions)
    for (int64_t m = 0; m < i.components; ++m)
      for (int64_t u = 0; u < i.mul_in; ++u) {
        auto in = static_cast<int32_t>(i.in + m * i.mul_in + u);
        auto out = static_cast<int32_t>(i.out + m * i.mul_out);
        auto row = static_cast<int32_t>(i.weight + u * i.mul_out);
        if (turned) std::swap(in, out);
        terms.push_back({{in, row, out}, 1, static_cast<int32_t>(i.mul_out)});
      }
  each = Plan({{turned ? shared.width_out : shared.width_in, turned, Rows::each, -1},
               {weight_numel, true, Rows::each, -1},
               {turned ? shared.width_in : shared.width_out, !turned, Rows::each, -1}},
              std::move(terms));
}

Tensor TensorProduct::PathMix::operator()(const Tensor& x, const Tensor& weight) const {
  return each ? contract(*each, {x, weight}, {}, x.dim(0)) : mix(shared, x, weight);
}

void TensorProduct::check_path(const Instruction& p) const {
  auto inside = [](int i, const Irreps& irreps) {
    return i >= 0 && i < static_cast<int>(irreps.size());
  };
  check(inside(p.i_in1, in1_) && inside(p.i_in2, in2_) && inside(p.i_out, out_),
        "TensorProduct: no path ", p.i_in1, ", ", p.i_in2, " -> ", p.i_out, " in ", in1_.text(),
        " x ", in2_.text(), " -> ", out_.text());
  const Irrep a = in1_[p.i_in1].ir, b = in2_[p.i_in2].ir, c = out_[p.i_out].ir;
  check(a.p * b.p == c.p && std::abs(a.l - b.l) <= c.l && c.l <= a.l + b.l,
        "TensorProduct: ", a.text(), " x ", b.text(), " does not contain ", c.text());
  const Multiplicities m(p, in1_, in2_, out_);
  auto expect = [&](bool right, const char* what) {
    check(right, "TensorProduct: ", what, ", found u = ", m.u, ", v = ", m.v, ", w = ", m.w);
  };
  if (p.mode == Mode::uvw) expect(p.has_weight, "uvw needs weights");
  if (p.mode == Mode::uvu) expect(m.u == m.w, "uvu needs w = u");
  if (p.mode == Mode::uvv) expect(m.v == m.w, "uvv needs w = v");
  if (p.mode == Mode::uuw) expect(m.u == m.v, "uuw needs v = u");
  if (p.mode == Mode::uuw && !p.has_weight) expect(m.w == 1, "uuw without weights needs w = 1");
  if (p.mode == Mode::uuu) expect(m.u == m.v && m.v == m.w, "uuu needs u = v = w");
  if (p.mode == Mode::uvuv) expect(m.u * m.v == m.w, "uvuv needs w = u v");
}

// A weighted sum before the product (uvu, uvv) or after it (uvw, uuw) becomes a mix, and the path a
// product without weight.
void TensorProduct::mix_apart(Path& p) {
  auto grow = [](int64_t& width, int64_t components, int64_t mul) {
    const Block made{width, mul};
    width += components * mul;
    return made;
  };
  const int64_t u = p.x1.mul, v = p.x2.mul;
  if (p.mode == Mode::uvu && v > 1) {
    const Block mixed = grow(mix2_.shared.width_in, p.ir2.dim(), u);
    mix2_.add(mixed, p.x2, p.ir2.dim(), p.weight);
    p.x2 = {in2_.dim() + mixed.at, u};
    p.mode = Mode::uuu;
  } else if (p.mode == Mode::uvv && u > 1) {
    const Block mixed = grow(mix1_.shared.width_out, p.ir1.dim(), v);
    mix1_.add(p.x1, mixed, p.ir1.dim(), p.weight);
    p.x1 = {in1_.dim() + mixed.at, v};
    p.mode = Mode::uuu;
  } else if (p.mode == Mode::uvw || p.mode == Mode::uuw) {
    const bool all = p.mode == Mode::uvw;
    const Block products = grow(mix_out_.shared.width_in, p.ir3.dim(), all ? u * v : u);
    mix_out_.add(products, p.z, p.ir3.dim(), p.weight);
    p.z = products;
    p.mode = all ? Mode::uvuv : Mode::uuu;
  } else {
    return;
  }
  p.weight = -1;
}

// Terms of one entry of the coupling, from element x1, x2 to z.
void TensorProduct::Terms::add(const Path& p, int64_t x1, int64_t x2, int64_t z, double value) {
  const int64_t u = p.x1.mul, v = p.x2.mul;
  if (p.mode == Mode::uuu) {
    add({true, true, true}, {x1, x2, z}, p.weight, value, u);
  } else if (p.mode == Mode::uuw) {
    add({true, true, false}, {x1, x2, z}, p.weight, value, u);
  } else if (p.mode == Mode::uvu || (p.mode == Mode::uvuv && v == 1)) {
    for (int64_t y = 0; y < v; ++y) add({true, false, true}, {x1, x2 + y, z}, p.weight, value, u);
  } else {
    for (int64_t x = 0; x < u; ++x) {
      const int64_t first = p.mode == Mode::uvuv ? x * v : 0;
      add({false, true, true}, {x1 + x, x2, z + first}, p.weight < 0 ? -1 : p.weight + first, value,
          v);
    }
  }
}

void TensorProduct::Terms::add(const Path& p) {
  const std::vector<double>& cg = wigner_3j(p.ir1.l, p.ir2.l, p.ir3.l);
  for (int i = 0, at = 0; i < p.ir1.dim(); ++i)
    for (int j = 0; j < p.ir2.dim(); ++j)
      for (int k = 0; k < p.ir3.dim(); ++k, ++at)
        if (std::abs(cg[at]) > 1e-14)
          add(p, p.x1.at + i * p.x1.mul, p.x2.at + j * p.x2.mul, p.z.at + k * p.z.mul,
              p.factor * cg[at]);
}

TensorProduct::TensorProduct(const Irreps& in1, const Irreps& in2, const Irreps& out,
                             const std::vector<Instruction>& instructions,
                             TensorProductOptions options)
    : in1_(in1), in2_(in2), out_(out), shared_weights_(options.shared_weights) {
  for (const Instruction& i : instructions) {
    check_path(i);
    const bool mixed = i.has_weight && (i.mode == Mode::uvw || i.mode == Mode::uuw);
    if (!mixed) direct_ = out.dim();
  }
  mix1_.shared.width_in = in1.dim();
  mix2_.shared.width_out = in2.dim();
  mix2_.shared.transposed = true;
  mix_out_.shared.width_in = direct_;
  mix_out_.shared.width_out = out.dim();
  const std::vector<double> norms = path_norms(instructions, in1, in2, out, options);
  const std::vector<int64_t> at1 = in1.offsets(), at2 = in2.offsets(), at3 = out.offsets();
  Terms terms;
  for (size_t n = 0; n < instructions.size(); ++n) {
    const Instruction& i = instructions[n];
    const MulIrrep &a = in1[i.i_in1], &b = in2[i.i_in2], &c = out[i.i_out];
    Path path{.ir1 = a.ir,
              .ir2 = b.ir,
              .ir3 = c.ir,
              .x1 = {at1[i.i_in1], a.mul},
              .x2 = {at2[i.i_in2], b.mul},
              .z = {at3[i.i_out], c.mul},
              .mode = i.mode,
              .weight = i.has_weight ? weight_numel_ : -1,
              .factor = norms[n]};
    if (i.has_weight) weight_numel_ += weights_of(i.mode, {i, in1, in2, out});
    if (a.mul == 0 || b.mul == 0 || c.mul == 0) continue;
    if (i.has_weight) mix_apart(path);
    terms.add(path);
  }
  for (PathMix* mix : {&mix1_, &mix2_, &mix_out_}) mix->finish(shared_weights_, weight_numel_);
  const int64_t width1 = in1.dim() + mix1_.shared.width_out;
  const int64_t width2 = in2.dim() + mix2_.shared.width_in;
  for (auto& [channels, some] : terms.of) {
    std::vector<Operand> operands{{width1, channels[0], Rows::each, -1},
                                  {width2, channels[1], Rows::each, -1}};
    if (channels[3])
      operands.push_back({weight_numel_, true, shared_weights_ ? Rows::shared : Rows::each, -1});
    operands.push_back({mix_out_.shared.width_in, channels[2], Rows::each, -1});
    products_.push_back({Plan(std::move(operands), std::move(some)), channels[3]});
  }
}

void TensorProduct::check_inputs(const Tensor& x1, const Tensor& x2, const Tensor& weight) const {
  auto expect = [&](const char* name, const Tensor& x, int64_t rows, int64_t width) {
    check(x.defined() && x.rank() == 2 && x.dim(0) == rows && x.dim(1) == width,
          "TensorProduct: expected ", name, ' ', Shape{rows, width}, ", found ", x.shape());
    check(is_float(x.dtype()) && x.dtype() == x1.dtype() && x.device() == x1.device(),
          "TensorProduct: ", name, " is ", x.dtype(), " on ", x.device(), ", x1 ", x1.dtype(),
          " on ", x1.device());
  };
  const int64_t rows = x1.rank() > 0 ? x1.dim(0) : 0;
  expect("x1", x1, rows, in1_.dim());
  expect("x2", x2, rows, in2_.dim());
  if (weight_numel_ > 0) expect("weight", weight, shared_weights_ ? 1 : rows, weight_numel_);
}

Tensor TensorProduct::operator()(const Tensor& x1, const Tensor& x2, const Tensor& weight) const {
  check_inputs(x1, x2, weight);
  const Tensor a = mix1_.empty() ? x1 : concat({x1, mix1_(x1, weight)}, 1);
  const Tensor b = mix2_.empty() ? x2 : concat({x2, mix2_(x2, weight)}, 1);
  Tensor out;
  for (const Product& product : products_) {
    const Tensors inputs = product.has_weight ? Tensors{a, b, weight} : Tensors{a, b};
    const Tensor part = contract(product.plan, inputs, {}, x1.dim(0));
    out = out.defined() ? out + part : part;
  }
  if (!out.defined()) return Tensor::zeros({x1.dim(0), out_.dim()}, x1.dtype(), x1.device());
  if (mix_out_.empty()) return out;
  const Tensor mixed = mix_out_(out, weight);
  return direct_ > 0 ? slice(out, 1, 0, direct_) + mixed : mixed;
}

TensorProduct fully_connected_tensor_product(const Irreps& in1, const Irreps& in2,
                                             const Irreps& out, TensorProductOptions options) {
  std::vector<Instruction> paths;
  for (size_t i = 0; i < in1.size(); ++i)
    for (size_t j = 0; j < in2.size(); ++j) {
      const std::vector<Irrep> products = in1[i].ir * in2[j].ir;
      for (size_t k = 0; k < out.size(); ++k)
        if (contains(products, out[k].ir)) paths.push_back(path(i, j, k, Mode::uvw, true));
    }
  return {in1, in2, out, paths, options};
}

TensorProduct full_tensor_product(const Irreps& in1, const Irreps& in2,
                                  const std::vector<Irrep>& keep, TensorProductOptions options) {
  std::vector<MulIrrep> blocks;
  std::vector<Instruction> paths;
  for (size_t i = 0; i < in1.size(); ++i)
    for (size_t j = 0; j < in2.size(); ++j)
      for (const Irrep& ir : in1[i].ir* in2[j].ir) {
        if (!keep.empty() && !contains(keep, ir)) continue;
        paths.push_back(path(i, j, blocks.size(), Mode::uvuv, false));
        blocks.push_back({in1[i].mul * in2[j].mul, ir});
      }
  const Irreps::Sorted sorted = Irreps(blocks).sort();
  for (Instruction& p : paths) p.i_out = sorted.p[p.i_out];
  return {in1, in2, sorted.irreps, paths, options};
}

TensorProduct elementwise_tensor_product(const Irreps& in1, const Irreps& in2,
                                         const std::vector<Irrep>& keep,
                                         TensorProductOptions options) {
  check(in1.size() == in2.size(), "elementwise_tensor_product: ", in1.text(), " and ", in2.text(),
        " have different numbers of blocks");
  std::vector<MulIrrep> blocks;
  std::vector<Instruction> paths;
  for (size_t i = 0; i < in1.size(); ++i)
    for (const Irrep& ir : in1[i].ir* in2[i].ir) {
      if (!keep.empty() && !contains(keep, ir)) continue;
      paths.push_back(path(i, i, blocks.size(), Mode::uuu, false));
      blocks.push_back({in1[i].mul, ir});
    }
  return {in1, in2, Irreps(blocks), paths, options};
}

}  // namespace casimir
