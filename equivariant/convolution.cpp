#include "equivariant/convolution.h"

#include <cmath>

#include "equivariant/convolution_kernel.h"

namespace casimir {

void ConvolutionPaths::add(Path path, const std::vector<double>& coupling, int64_t y,
                           double factor) {
  const int64_t d_y = static_cast<int64_t>(coupling.size()) / (path.d_in * path.d_out);
  auto c = [&](int64_t i, int64_t j, int64_t k) {
    return factor * coupling[(i * d_y + j) * path.d_out + k];
  };
  path.diagonal = d_y == 1 && path.d_in == path.d_out;
  for (int64_t i = 0; i < path.d_in && path.diagonal; ++i)
    for (int64_t k = 0; k < path.d_out; ++k)
      if (std::abs(c(i, 0, k) - (i == k ? c(0, 0, 0) : 0)) > 1e-14) path.diagonal = false;
  path.entry = entries;
  for (int64_t j = 0; j < d_y; ++j)
    for (int64_t i = 0; i < (path.diagonal ? 1 : path.d_in); ++i)
      for (int64_t k = 0; k < (path.diagonal ? 1 : path.d_out); ++k)
        if (std::abs(c(i, j, k)) > 1e-14)
          couplings.push_back({static_cast<int32_t>(y + j),
                               static_cast<int32_t>(entries + i * path.d_out + k), c(i, j, k)});
  entries += path.diagonal ? 1 : path.d_in * path.d_out;
  paths.push_back(path);
}

Plan ConvolutionPaths::contraction() const {
  std::vector<Term> terms;
  for (const Path& path : paths) {
    const int64_t last = path.entry + (path.diagonal ? 1 : path.d_in * path.d_out);
    for (const Coupling& coupling : couplings) {
      if (coupling.entry < path.entry || coupling.entry >= last) continue;
      const int64_t at = coupling.entry - path.entry;
      for (int64_t m = 0; m < (path.diagonal ? path.d_in : 1); ++m) {
        const int64_t i = path.diagonal ? m : at / path.d_out;
        const int64_t k = path.diagonal ? m : at % path.d_out;
        terms.push_back(
            {{static_cast<int32_t>(path.x + i * path.x_step), coupling.y,
              static_cast<int32_t>(path.w), static_cast<int32_t>(path.out + k * path.out_step)},
             coupling.value,
             static_cast<int32_t>(path.channels)});
      }
    }
  }
  using Rows = Operand::Rows;
  return Plan({{width_x, true, Rows::indexed, 0},
               {width_y, false, Rows::each, -1},
               {width_w, true, Rows::indexed, 2},
               {width_out, true, Rows::indexed, 1}},
              std::move(terms));
}

namespace {

// What every order of derivative shares.
struct Context {
  std::shared_ptr<const ConvolutionPaths> paths;
  Plan plan;
  EdgeIndex index;

  Tensor contract(int output, Tensors inputs) const {
    Plan exchanged = output == 3 ? plan : plan.with_output(output);
    return casimir::contract(exchanged, inputs, {index.sender, index.receiver, index.pair},
                             index.sender.size());
  }
};

// Derivatives of S(x, y, w, g) = g . conv(x, y, w) with respect to operand `a`, where operand `b`
// is replaced; every operand is one of four.
Tensor derivative(const Context& context, Tensors operands, int a) {
  if (a == 3) return context.contract(3, {operands[0], operands[1], operands[2]});
  Tensor g = operands[3];
  operands.pop_back();
  operands[a] = g;
  return context.contract(a, operands);
}

// The gradients of S with respect to x, y, w that are needed, by the kernel.
std::vector<Array> run_backward(const Context& context, const ConvolutionOperands& operands,
                                const Needs& needs) {
  ConvolutionGradients gradients =
      convolve_backward(*context.paths, operands, context.index, needs[1]);
  std::vector<Array> out;
  if (needs[0]) out.push_back(gradients.x);
  if (needs[1]) out.push_back(gradients.y);
  if (needs[2]) out.push_back(gradients.w);
  return out;
}

// The gradients of <d, gradients of S with respect to x, y, w> with respect to x, y, w, g: the
// derivative of all gradients along d. in: x, y, w, g, then the directions that are present.
Tensors second_derivative(const Context& context, const Tensors& in, const Needs& directions,
                          const Needs& needs) {
  Kernel kernel = [=](const Tensors& t) {
    ConvolutionOperands operands{t[0], t[1], t[2], t[3], {}, {}, {}};
    Tensor* dot[3] = {&operands.x_dot, &operands.y_dot, &operands.w_dot};
    for (size_t a = 0, k = 4; a < 3; ++a)
      if (directions[a]) *dot[a] = t[k++];
    std::vector<Array> out;
    if (needs[0] || needs[1] || needs[2]) out = run_backward(context, operands, needs);
    if (needs[3]) out.push_back(convolve(*context.paths, operands, context.index));
    return out;
  };
  Composite composite = [=](const Tensors& t) {
    Tensors out;
    for (int a = 0; a < 4; ++a) {
      if (!needs[a]) continue;
      Tensor sum;
      for (size_t b = 0, k = 4; b < 3; ++b) {
        if (!directions[b]) continue;
        const Tensor& dot = t[k++];
        if (static_cast<int>(b) == a) continue;
        Tensors operands{t[0], t[1], t[2], t[3]};
        operands[b] = dot;
        Tensor part = derivative(context, operands, a);
        sum = sum.defined() ? sum + part : part;
      }
      out.push_back(sum.defined() ? sum : t[a] * 0);
    }
    return out;
  };
  return spread(fused("convolution_second", kernel, composite, in), needs);
}

// Gradients of S with respect to x, y, w. in: x, y, w, g.
Tensors gradients_of(const Context& context, const Tensors& in, const Needs& needs) {
  Kernel kernel = [=](const Tensors& t) {
    return run_backward(context, {t[0], t[1], t[2], t[3], {}, {}, {}}, needs);
  };
  Composite composite = [=](const Tensors& t) {
    Tensors out;
    for (int a = 0; a < 3; ++a)
      if (needs[a]) out.push_back(derivative(context, t, a));
    return out;
  };
  Vjp rule = [=](const Tensors& cotangents, const Needs& wanted) {
    Tensors dots = spread(cotangents, needs), all = in;
    Needs directions(3);
    for (size_t a = 0; a < 3; ++a) {
      directions[a] = dots[a].defined();
      if (directions[a]) all.push_back(dots[a]);
    }
    return second_derivative(context, all, directions, wanted);
  };
  return spread(fused("convolution_backward", kernel, composite, in, rule), needs);
}

}  // namespace

ConvolutionOp::ConvolutionOp(ConvolutionPaths paths)
    : paths_(std::make_shared<ConvolutionPaths>(std::move(paths))), plan_(paths_->contraction()) {}

Tensor ConvolutionOp::composite(const Tensor& x, const Tensor& y, const Tensor& w,
                                const EdgeIndex& index) const {
  return Context{paths_, plan_, index}.contract(3, {x, y, w});
}

Tensor ConvolutionOp::operator()(const Tensor& x, const Tensor& y, const Tensor& w,
                                 const EdgeIndex& index) const {
  if (x.device() != Device::cpu) return composite(x, y, w, index);
  const ConvolutionPaths& paths = *paths_;
  const int64_t edges = index.sender.size();
  auto check_rows = [&](const char* name, const Tensor& t, int64_t rows, int64_t width) {
    check(t.rank() == 2 && t.dim(0) == rows && t.dim(1) == width, "convolution: ", name,
          ": expected shape ", Shape{rows, width}, ", found ", t.shape());
    check(t.dtype() == x.dtype() && t.device() == x.device(), "convolution: ", name, " is ",
          t.dtype(), " on ", t.device(), ", x ", x.dtype(), " on ", x.device());
  };
  check(index.receiver.size() == edges && index.pair.size() == edges, "convolution: ", edges,
        " senders, ", index.receiver.size(), " receivers, ", index.pair.size(), " pairs");
  check_rows("x", x, index.sender.targets(), paths.width_x);
  check_rows("y", y, edges, paths.width_y);
  check_rows("w", w, index.pair.targets(), paths.width_w);
  Context context{paths_, plan_, index};
  Kernel kernel = [=](const Tensors& t) {
    return std::vector<Array>{
        convolve(*context.paths, {t[0], t[1], t[2], {}, {}, {}, {}}, context.index)};
  };
  Composite definition = [context](const Tensors& t) {
    return Tensors{context.contract(3, {t[0], t[1], t[2]})};
  };
  Vjp rule = [=](const Tensors& g, const Needs& needs) {
    return gradients_of(context, {x, y, w, g[0]}, needs);
  };
  return fused("convolution", kernel, definition, {x, y, w}, rule)[0];
}

}  // namespace casimir
