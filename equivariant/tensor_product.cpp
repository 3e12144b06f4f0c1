#include <cmath>

#include "equivariant/layers.h"
#include "equivariant/wigner.h"

namespace casimir {
namespace {

using Rows = Operand::Rows;

// e3nn's fan-in of one path, for the element normalisation.
int64_t fan_in(const Instruction& i, const Irreps& in1, const Irreps& in2) {
  if (i.mode == Mode::uvw) return in1[i.i_in1].mul * in2[i.i_in2].mul;
  if (i.mode == Mode::uvu) return in2[i.i_in2].mul;
  return 1;
}

int64_t weights_of(const Instruction& i, const Irreps& in1, const Irreps& in2, const Irreps& out) {
  if (i.mode == Mode::uvw) return in1[i.i_in1].mul * in2[i.i_in2].mul * out[i.i_out].mul;
  if (i.mode == Mode::uvu) return in1[i.i_in1].mul * in2[i.i_in2].mul;
  return in1[i.i_in1].mul;
}

void check_multiplicities(const Instruction& i, const Irreps& in1, const Irreps& in2,
                          const Irreps& out) {
  int64_t u = in1[i.i_in1].mul, v = in2[i.i_in2].mul, w = out[i.i_out].mul;
  if (i.mode == Mode::uuu)
    check(u == v && v == w, "TensorProduct: uuu needs equal multiplicities, found ", u, ", ", v,
          ", ", w);
  if (i.mode == Mode::uvu)
    check(u == w, "TensorProduct: uvu needs the output's multiplicity ", w, " to be ", u);
  if (i.mode == Mode::uvw) check(i.has_weight, "TensorProduct: uvw needs weights");
}

struct Places {
  int64_t x1, x2, weight, out;  // first elements of the blocks
  int64_t mul1, mul2, mul_out;
};

// Terms of one entry (i, j, k) of the coupling, for the mode's loops over multiplicities. Operands:
// x1, x2, [weight], out.
void add_terms(std::vector<Term>& terms, const Instruction& instruction, const Places& at, int i,
               int j, int k, double coefficient) {
  auto add = [&](int64_t x1, int64_t x2, int64_t weight, int64_t out, int64_t channels) {
    Term term{{static_cast<int32_t>(x1), static_cast<int32_t>(x2)},
              coefficient,
              static_cast<int32_t>(channels)};
    if (instruction.has_weight) term.at.push_back(static_cast<int32_t>(weight));
    term.at.push_back(static_cast<int32_t>(out));
    terms.push_back(std::move(term));
  };
  int64_t x1 = at.x1 + i * at.mul1, x2 = at.x2 + j * at.mul2, out = at.out + k * at.mul_out;
  if (instruction.mode == Mode::uuu) add(x1, x2, at.weight, out, at.mul1);
  if (instruction.mode == Mode::uvu)
    for (int64_t v = 0; v < at.mul2; ++v) add(x1, x2 + v, at.weight + v * at.mul1, out, at.mul1);
  if (instruction.mode == Mode::uvw)
    for (int64_t u = 0; u < at.mul1; ++u)
      for (int64_t v = 0; v < at.mul2; ++v)
        add(x1 + u, x2 + v, at.weight + (u * at.mul2 + v) * at.mul_out, out, at.mul_out);
}

}  // namespace

TensorProduct::TensorProduct(const Irreps& in1, const Irreps& in2, const Irreps& out,
                             const std::vector<Instruction>& instructions, bool shared_weights)
    : width_(out.dim()) {
  const std::vector<int64_t> at1 = in1.offsets(), at2 = in2.offsets(), at_out = out.offsets();
  std::vector<double> total(out.size(), 0);  // fan-in of each output block
  for (const Instruction& i : instructions) {
    check_multiplicities(i, in1, in2, out);
    total[i.i_out] += static_cast<double>(fan_in(i, in1, in2));
    if (i.has_weight) weight_numel_ += weights_of(i, in1, in2, out);
  }
  std::vector<Term> terms[3][2];
  int64_t weight = 0;
  for (const Instruction& p : instructions) {
    const Irrep ir1 = in1[p.i_in1].ir, ir2 = in2[p.i_in2].ir, ir3 = out[p.i_out].ir;
    check(ir1.p * ir2.p == ir3.p && std::abs(ir1.l - ir2.l) <= ir3.l && ir3.l <= ir1.l + ir2.l,
          "TensorProduct: ", ir1.text(), " x ", ir2.text(), " does not contain ", ir3.text());
    const Places at{at1[p.i_in1],     at2[p.i_in2],     weight,          at_out[p.i_out],
                    in1[p.i_in1].mul, in2[p.i_in2].mul, out[p.i_out].mul};
    const double norm = std::sqrt(p.path_weight * ir3.dim() / total[p.i_out]);
    const std::vector<double>& cg = wigner_3j(ir1.l, ir2.l, ir3.l);
    for (int i = 0, c = 0; i < ir1.dim(); ++i)
      for (int j = 0; j < ir2.dim(); ++j)
        for (int k = 0; k < ir3.dim(); ++k, ++c)
          if (std::abs(cg[c]) > 1e-14)
            add_terms(terms[static_cast<int>(p.mode)][p.has_weight], p, at, i, j, k, norm * cg[c]);
    if (p.has_weight) weight += weights_of(p, in1, in2, out);
  }
  for (Mode mode : {Mode::uuu, Mode::uvu, Mode::uvw})
    for (bool weighted : {false, true}) {
      std::vector<Term>& some = terms[static_cast<int>(mode)][weighted];
      if (some.empty()) continue;
      std::vector<Operand> operands{{in1.dim(), mode != Mode::uvw, Rows::each, -1},
                                    {in2.dim(), mode == Mode::uuu, Rows::each, -1}};
      if (weighted)
        operands.push_back({weight_numel_, true, shared_weights ? Rows::shared : Rows::each, -1});
      operands.push_back({width_, true, Rows::each, -1});
      groups_.push_back({Plan(std::move(operands), std::move(some)), weighted});
    }
}

Tensor TensorProduct::operator()(const Tensor& x1, const Tensor& x2, const Tensor& weight) const {
  Tensor sum;
  for (const Group& group : groups_) {
    Tensors inputs = group.has_weight ? Tensors{x1, x2, weight} : Tensors{x1, x2};
    Tensor part = contract(group.plan, inputs, {}, x1.dim(0));
    sum = sum.defined() ? sum + part : part;
  }
  return sum.defined() ? sum : Tensor::zeros({x1.dim(0), width_}, x1.dtype(), x1.device());
}

}  // namespace casimir
