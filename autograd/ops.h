// The vocabulary: every op's signature, formula and shapes, on one page.
//
// All tensors are contiguous, row-major, on one device and, unless said otherwise, of one real type
// (f32 or f64). Each op differentiates to any order. Errors are ShapeErrors that start with the
// op's name.
#pragma once

#include "autograd/tape.h"
#include "autograd/tensor.h"
#include "core/segments.h"

namespace casimir {

// ---- element-wise, with NumPy broadcasting (elementwise.cpp) -----------------------------------
Tensor add(const Tensor& a, const Tensor& b);                     // a + b
Tensor sub(const Tensor& a, const Tensor& b);                     // a - b
Tensor mul(const Tensor& a, const Tensor& b, double factor = 1);  // factor a b
Tensor div(const Tensor& a, const Tensor& b);                     // a / b
Tensor maximum(const Tensor& a, const Tensor& b);  // max(a, b); the gradient is halved where equal
Tensor minimum(const Tensor& a, const Tensor& b);  // min(a, b); likewise
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);  // u8 ? a : b

// Comparisons give u8 and have no gradient.
Tensor less(const Tensor& a, const Tensor& b);
Tensor less_equal(const Tensor& a, const Tensor& b);
Tensor greater(const Tensor& a, const Tensor& b);
Tensor greater_equal(const Tensor& a, const Tensor& b);
Tensor equal(const Tensor& a, const Tensor& b);

// ---- element-wise, one input -------------------------------------------------------------------
Tensor neg(const Tensor& x);
Tensor scale(const Tensor& x, double factor);  // factor x
Tensor shift(const Tensor& x, double term);    // x + term
Tensor pow(const Tensor& x, double exponent);  // x^exponent; exponents 0, 1, 2 are exact at x = 0
Tensor square(const Tensor& x);                // x^2
Tensor sqrt(const Tensor& x);        // derivative 0 at x = 0, so that padding stays finite
Tensor reciprocal(const Tensor& x);  // 1 / x
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tanh(const Tensor& x);
Tensor abs(const Tensor& x);   // derivative sign(x), 0 at 0
Tensor sign(const Tensor& x);  // -1, 0, 1; derivative 0
Tensor relu(const Tensor& x);  // max(x, 0)
// The k-th derivative of the function; the gradient of order k is order k + 1 (functors.h).
Tensor sigmoid(const Tensor& x, int order = 0);  // 1 / (1 + e^-x)
Tensor silu(const Tensor& x, int order = 0);     // x sigmoid(x)
Tensor softplus(const Tensor& x);                // log(1 + e^x)
Tensor cast(const Tensor& x, DType dtype);       // any type to any type; gradient between real ones
Tensor alias(const Tensor& x);                   // x itself as a new variable of the tape
Tensor detach(const Tensor& x);                  // x as a constant

// ---- reductions (reduce.cpp) -------------------------------------------------------------------
// Over the axes given (negative ones count from the end; none: all axes), which are removed unless
// keep. Fixed chunks: the same bits for any number of threads.
Tensor sum(const Tensor& x, std::vector<int> axes = {}, bool keep = false);
Tensor mean(const Tensor& x, std::vector<int> axes = {}, bool keep = false);
Tensor max(const Tensor& x, std::vector<int> axes = {},
           bool keep = false);  // gradient shared equally
Tensor logsumexp(const Tensor& x, int axis, bool keep = false);
Tensor norm(const Tensor& x, int axis, bool keep = false);  // sqrt(sum x^2); derivative 0 at 0
Tensor softmax(const Tensor& x, int axis);
// Transposes of each other: expand repeats x along broadcast axes, sum_to adds them up.
Tensor expand(const Tensor& x, const Shape& shape);
Tensor sum_to(const Tensor& x, const Shape& shape);

// ---- products (matmul.cpp) ---------------------------------------------------------------------
struct MatmulOptions {
  bool trans_a = false, trans_b = false;  // use the transposed last two axes
};
// a [m, k] or [batch, m, k], b [k, n] or [batch, k, n] -> [m, n] or [batch, m, n]. A matrix without
// batch is shared by all; a [batch, m, k] with shared b is one product of batch m rows.
Tensor matmul(const Tensor& a, const Tensor& b, MatmulOptions options = {});

// ---- layout (layout.cpp) -----------------------------------------------------------------------
Tensor reshape(const Tensor& x, const Shape& shape);  // shares the buffer
Tensor permute(const Tensor& x, const std::vector<int>& axes);
Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end);   // transpose: pad
Tensor pad(const Tensor& x, int axis, int64_t before, int64_t after);  // zeros; transpose: slice
Tensor concat(const Tensors& xs, int axis);

// ---- rows by index (gather.cpp) ----------------------------------------------------------------
// out[e, :] = x[index[e], :]          x: [targets, ...]                     transpose: segment_sum
Tensor gather(const Tensor& x, const Segments& index);
// out[t, :] = sum over e with index[e] = t of x[e, :]    x: [size, ...]     transpose: gather
Tensor segment_sum(const Tensor& x, const Segments& index);
// out[t, :] = max over e with index[e] = t; -inf for none. No gradient: for shifting exponents.
Tensor segment_max(const Tensor& x, const Segments& index);
// Softmax over the rows of one target, for each column.
Tensor segment_softmax(const Tensor& x, const Segments& index);

// ---- rows times the matrix of their group (grouped.cpp) ----------------------------------------
// out[e, m, :] = x[e, m, :] @ w[index[e]] (or its transpose)
//   x: [size, rows, k], w: [targets, k, n] -> [size, rows, n]. Each group is one matrix product.
Tensor grouped_matmul(const Tensor& x, const Tensor& w, const Segments& index,
                      bool trans_w = false);
// out[t] = sum over e with index[e] = t, and rows m, of x[e, m, :]^T g[e, m, :]   -> [targets, k,
// n]
Tensor grouped_outer(const Tensor& x, const Tensor& g, const Segments& index);

}  // namespace casimir
