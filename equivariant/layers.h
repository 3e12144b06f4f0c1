// Equivariant layers, all built on contract() and mix(). Features are rows stored ir_mul
// (irreps.h); weights are e3nn's (unit variance), the normalisation by fan-in is part of the call.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "equivariant/contraction.h"
#include "equivariant/convolution.h"
#include "equivariant/irreps.h"
#include "equivariant/mixing.h"
#include "equivariant/symmetric_product.h"
#include "equivariant/tensor_product.h"
#include "nn/parameters.h"

namespace casimir {

// e3nn's normalize2mom constants, E[f(z)^2]^(-1/2) for normal z, with the digits of e3nn 0.4.4 to
// 0.6.0 (its estimate from a million samples), so that weights carry over.
inline constexpr double silu_normalization = 1.6791767923989418;
inline constexpr double tanh_normalization = 1.5937334472592695;

// e3nn's o3.Linear: every output irrep mixes the inputs of the same irrep; weight_IR [inputs,
// outputs], scaled by 1/sqrt(inputs); a second output block of one irrep is weight_IR_BLOCK. With
// `groups` the matrix depends on the row's group: FullyConnectedTensorProduct with a one-hot second
// input, scaled by 1/sqrt(inputs * groups), weight_IR [groups, inputs, outputs].
struct Linear {
  MixPlan plan;
  Tensors weights;  // one per output block that has inputs
  Tensors biases;   // one per block of even scalars: bias_IR [mul]
  std::vector<int64_t> bias_at;
  int64_t groups = 1;

  Linear() = default;
  struct Options {
    int64_t groups = 1;
    double factor = 1;   // multiplies the result
    bool decay = false;  // weight decay applies
    // (input block, output block); none: all pairs of one irrep.
    std::vector<std::array<int, 2>> instructions = {};
    // path: scaled by 1/sqrt(inputs of the block * blocks) instead
    PathNormalization path_normalization = PathNormalization::element;
    bool biases = false;  // of even scalars
  };
  Linear(Parameters::Scope p, const Irreps& in, const Irreps& out, Options options);
  Linear(Parameters::Scope p, const Irreps& in, const Irreps& out)
      : Linear(p, in, out, Options{}) {}
  // x [rows, in.dim()] -> [rows, out.dim()]; species: rows -> groups.
  Tensor operator()(const Tensor& x, const Segments& species = {}) const;
  Tensor flat_weights() const;  // [groups, plan.weight_size]
};

// e3nn's FullyConnectedNet: hidden layers silu, times `gain`: normalised to unit second moment;
// x @ W / sqrt(in); no bias.
struct RadialMlp {
  Tensors weights;  // layer_K.weight [in, out]
  double gain;
  RadialMlp(Parameters::Scope p, const std::vector<int64_t>& sizes,
            double gain = silu_normalization, const Init& init = init::normal());
  // x [rows, sizes.front()] -> [rows, sizes.back()]. With `mixing` [m, rows], which mixes the rows
  // of the result, and before the last layer costs less: -> [m, sizes.back()].
  Tensor operator()(const Tensor& x, const Tensor& mixing = {}) const;
};

// The tensor product of a message: features of the sender, harmonics and radial weights of the
// edge, summed by receiver (uvu paths; MACE eq. 8, NequIP eq. 7). Output irreps: for each degree
// the paths side by side, sorted.
struct Convolution {
  Irreps irreps_out;  // sorted and simplified: P_l * mul of each irrep
  int64_t num_paths = 0;
  int64_t weight_numel = 0;
  ConvolutionOp op;
  int64_t num_unrolled() const;  // paths

  Convolution() = default;
  Convolution(const Irreps& features, const Irreps& harmonics, const Irreps& targets);
  // x [nodes, features.dim()], y [edges, harmonics.dim()], w [pairs, weight_numel], with the pair
  // of each edge -> [nodes, irreps_out.dim()]
  Tensor operator()(const Tensor& x, const Tensor& y, const Tensor& w, const Segments& sender,
                    const Segments& receiver, const Segments& pair) const;
};

// MACE's symmetric contraction (eq. 10): products of up to `correlation` copies of x, coupled to
// each output irrep, with a weight per element, path and channel: contraction.weight_IR_NU
// [elements, paths, channels].
struct SymmetricContraction {
  Tensors weights;  // by order, highest first, then by output irrep
  SymmetricProductOp op;
  int64_t elements = 0;

  SymmetricContraction(Parameters::Scope p, int l_max, int64_t channels, const Irreps& out,
                       int correlation, int64_t elements);
  // x [nodes, (l_max + 1)^2 channels] -> [nodes, out.dim()]
  Tensor operator()(const Tensor& x, const Segments& species) const;
};

// e3nn's Gate: the scalars activated, and the gated irreps each times its own activated gate, a
// scalar. Even scalars and gates: silu; odd ones: tanh, which is odd, so that they keep their
// parity; both normalised to unit second moment. Input irreps: scalars, gates, gated, in this
// order.
struct Gate {
  Irreps scalars, gates, gated;
  Irreps irreps_in() const;
  Irreps irreps_out() const;
  Tensor operator()(const Tensor& x) const;
};

}  // namespace casimir
