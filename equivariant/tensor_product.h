// Tensor products of irreps: e3nn's o3.TensorProduct and its kin, made of contract() and mix().
// Flat weights are e3nn's: path after path, each in the order of its mode below.
#pragma once

#include <optional>
#include <vector>

#include "equivariant/contraction.h"
#include "equivariant/irreps.h"
#include "equivariant/mixing.h"

namespace casimir {

// How a path runs over the multiplicities u, v of the inputs and w of the output, with the shape of
// its weights:
//   uvw    z_w  = sum_uv W_uvw x_u y_v    [u, v, w], never without weight
//   uvu    z_u  = sum_v  W_uv  x_u y_v    [u, v]
//   uvv    z_v  = sum_u  W_uv  x_u y_v    [u, v]
//   uuw    z_w  = sum_u  W_uw  x_u y_u    [u, w]; one w without weight
//   uuu    z_u  =        W_u   x_u y_u    [u]
//   uvuv   z_uv =        W_uv  x_u y_v    [u, v]
// where each product of irreps is coupled with wigner_3j.
enum class Mode { uvw, uvu, uvv, uuw, uuu, uvuv };

// One path of a tensor product, as e3nn's Instruction.
struct Instruction {
  int i_in1 = 0, i_in2 = 0, i_out = 0;
  Mode mode = Mode::uvu;
  bool has_weight = true;
  double path_weight = 1;
};

// The square of a path's factor is path_weight * c / n, with
//   c  component: dim(out); norm: dim(in1) dim(in2); none: 1
//   n  element: the summed elements of all paths to the output; path: the elements of this path
//      times the number of those paths; none: 1
enum class IrrepNormalization { component, norm, none };
enum class PathNormalization { element, path, none };

struct TensorProductOptions {
  bool shared_weights = true;  // false: a row of weights for each row of the inputs
  IrrepNormalization irrep_normalization = IrrepNormalization::component;
  PathNormalization path_normalization = PathNormalization::element;
};

class TensorProduct {
 public:
  TensorProduct(const Irreps& in1, const Irreps& in2, const Irreps& out,
                const std::vector<Instruction>& instructions, TensorProductOptions options = {});
  const Irreps& irreps_in1() const { return in1_; }
  const Irreps& irreps_in2() const { return in2_; }
  const Irreps& irreps_out() const { return out_; }
  int64_t weight_numel() const { return weight_numel_; }
  // x1 [rows, in1.dim()], x2 [rows, in2.dim()], weight [1 or rows, weight_numel], absent when no
  // path has any -> [rows, out.dim()]
  Tensor operator()(const Tensor& x1, const Tensor& x2, const Tensor& weight = {}) const;

 private:
  struct Block {
    int64_t at, mul;  // first element in a row, channels
  };
  // Rows times the matrices of some paths, W or W^T: mix() where all rows share the weights, a
  // contract() where each has its own.
  struct PathMix {
    MixPlan shared;
    std::optional<Plan> each;
    void add(const Block& rows, const Block& columns, int64_t components, int64_t weight);
    void finish(bool shared_weights, int64_t weight_numel);
    bool empty() const { return shared.instructions.empty(); }
    Tensor operator()(const Tensor& x, const Tensor& weight) const;
  };
  struct Product {
    Plan plan;
    bool has_weight;
  };
  // A path on its way into the plans; without weight: weight < 0.
  struct Path {
    Irrep ir1, ir2, ir3;
    Block x1, x2, z;
    Mode mode;
    int64_t weight;
    double factor;
  };
  struct Terms;

  void check_path(const Instruction& path) const;
  void mix_apart(Path& path);
  void check_inputs(const Tensor& x1, const Tensor& x2, const Tensor& weight) const;

  Irreps in1_, in2_, out_;
  bool shared_weights_;
  int64_t weight_numel_ = 0;
  // First x1 (uvv) and x2 (uvu) are mixed, then multiplied, then the products mixed (uvw, uuw): no
  // loop runs over u, v and w at once. Mixed channels lie behind those of x1 and x2, products that
  // will be mixed behind those that are outputs already, if there are any: `direct_` numbers.
  PathMix mix1_, mix2_, mix_out_;
  std::vector<Product> products_;
  int64_t direct_ = 0;
};

// Every path in1 x in2 -> out with weights (uvw), in e3nn's order.
TensorProduct fully_connected_tensor_product(const Irreps& in1, const Irreps& in2,
                                             const Irreps& out, TensorProductOptions options = {});
// All products of all irreps, without weights (uvuv); only outputs in `keep`, unless it is empty.
// Output blocks are sorted. (e3nn simplifies in1 and in2 first; here blocks stay as given.)
TensorProduct full_tensor_product(const Irreps& in1, const Irreps& in2,
                                  const std::vector<Irrep>& keep = {},
                                  TensorProductOptions options = {});
// Block i of in1 with block i of in2, channel by channel (uuu), without weights; their
// multiplicities must agree. (e3nn cuts blocks until they do.)
TensorProduct elementwise_tensor_product(const Irreps& in1, const Irreps& in2,
                                         const std::vector<Irrep>& keep = {},
                                         TensorProductOptions options = {});

}  // namespace casimir
