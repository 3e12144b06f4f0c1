// The CPU kernels of the convolution (convolution.h): value and gradients, and the derivatives of
// both along a direction.
#pragma once

#include "equivariant/convolution.h"

namespace casimir {

// Operands of S = sum over edges of g . conv(x, y, w). The dotted ones are a direction; absent ones
// are zero. All on the CPU.
struct ConvolutionOperands {
  Tensor x, y, w, g;
  Tensor x_dot, y_dot, w_dot;
  bool tangent() const { return x_dot.defined() || y_dot.defined() || w_dot.defined(); }
};

// dS/dg; with a direction its derivative along it.
Array convolve(const ConvolutionPaths& paths, const ConvolutionOperands& in,
               const EdgeIndex& index);

struct ConvolutionGradients {
  Array x, y, w;  // y only where it was asked for
};
// dS/dx, dS/dy, dS/dw; with a direction their derivatives along it.
ConvolutionGradients convolve_backward(const ConvolutionPaths& paths, const ConvolutionOperands& in,
                                       const EdgeIndex& index, bool with_y);

}  // namespace casimir
