// The tensor product of messages as one op: features of the sender, harmonics of the edge and
// weights of the pair, summed by receiver.
//
//     out[r, k, u] = sum over edges e to r and paths p of
//                    w[pair e, p, u] sum over i of M_p(Y_e)[i, k] x[sender e, i, u]
//     M_p(Y)[i, k] = sum over j of C_p[i, j, k] Y[j]
//
// It is what contract() computes with the plan of contraction(), and the same to any order of
// differentiation; but the edge matrices M are made once per edge, all gradients come from one pass
// over the edges, and so do all second ones.
#pragma once

#include <algorithm>
#include <memory>
#include <vector>

#include "equivariant/contraction.h"

namespace casimir {

struct ConvolutionPaths {
  static constexpr int unrolled_degree = 3;  // highest one
  struct Path {
    int64_t x = 0, x_step = 0;      // first number of the block in a row; from component to next
    int64_t out = 0, out_step = 0;  // the same in an output row
    int64_t w = 0;                  // first weight
    int64_t channels = 0;
    int32_t d_in = 0, d_out = 0;  // components
    int64_t entry = 0;            // its edge matrix [d_in, d_out] among all paths'
    bool diagonal = false;        // the matrix is one number times the identity: one entry
    // Whether the loops over components have a length that is known when the program is built.
    bool unrolled() const { return std::max(d_in, d_out) <= 2 * unrolled_degree + 1; }
  };
  struct Coupling {  // M[entry] += value Y[y]
    int32_t y, entry;
    double value;
  };
  std::vector<Path> paths;
  std::vector<Coupling> couplings;
  int64_t entries = 0;
  int64_t width_x = 0, width_y = 0, width_w = 0, width_out = 0;

  // C: [d_in, width of the harmonics' block, d_out], row-major; y: its first component in a row.
  void add(Path path, const std::vector<double>& coupling, int64_t y, double factor);
  // The same sum as terms. Operands: x (index 0), Y (each edge), w (index 2), out (index 1).
  Plan contraction() const;
};

// The rows of an edge: sender and receiver among the nodes, pair among the weights.
struct EdgeIndex {
  Segments sender, receiver, pair;
};

// A compiled sum of paths; copies share it.
class ConvolutionOp {
 public:
  ConvolutionOp() = default;
  explicit ConvolutionOp(ConvolutionPaths paths);
  // x [nodes, width_x], y [edges, width_y], w [pairs, width_w] -> [nodes, width_out].
  Tensor operator()(const Tensor& x, const Tensor& y, const Tensor& w,
                    const EdgeIndex& index) const;
  // The same by contract(): the definition, and what runs on CUDA.
  Tensor composite(const Tensor& x, const Tensor& y, const Tensor& w, const EdgeIndex& index) const;
  const ConvolutionPaths& paths() const { return *paths_; }

 private:
  std::shared_ptr<const ConvolutionPaths> paths_;
  Plan plan_;
};

}  // namespace casimir
