#include "autograd/kernels.h"
#include "core/gemm.h"

namespace casimir {
namespace {

// [m, k] with m rows of all matrices of the batch together.
Tensor flatten(const Tensor& x) {
  return x.rank() == 2 ? x : reshape(x, {x.dim(0) * x.dim(1), x.dim(2)});
}

Shape output_shape(const Tensor& a, const Tensor& b, const MatmulOptions& o) {
  check_same("matmul", a, b);
  check_real("matmul", a);
  for (const Tensor* x : {&a, &b})
    check(x->rank() == 2 || x->rank() == 3, "matmul: expected 2 or 3 axes, found ", x->shape());
  const int64_t m = a.dim(o.trans_a ? -1 : -2), k = a.dim(o.trans_a ? -2 : -1);
  const int64_t inner = b.dim(o.trans_b ? -1 : -2), n = b.dim(o.trans_b ? -2 : -1);
  check(k == inner, "matmul: inner sizes differ: ", a.shape(), o.trans_a ? "^T" : "", " @ ",
        b.shape(), o.trans_b ? "^T" : "");
  if (a.rank() == 3 && b.rank() == 3)
    check(a.dim(0) == b.dim(0), "matmul: batch sizes differ: ", a.shape(), " @ ", b.shape());
  if (a.rank() == 2 && b.rank() == 2) return {m, n};
  return {a.rank() == 3 ? a.dim(0) : b.dim(0), m, n};
}

Tensor to_a(const Tensor& g, const Tensor& b, const MatmulOptions& o) {
  if (o.trans_a) return matmul(b, g, {o.trans_b, true});
  return matmul(g, b, {false, !o.trans_b});
}

// With a shared b, the sum over the batch is the inner axis of one tall product.
Tensor to_b(const Tensor& g, const Tensor& a, bool shared, const MatmulOptions& o) {
  const bool tall = shared && !o.trans_a;
  const Tensor& left = tall ? flatten(a) : a;
  const Tensor& right = tall ? flatten(g) : g;
  if (o.trans_b) return matmul(right, left, {true, o.trans_a});
  return matmul(left, right, {!o.trans_a, false});
}

}  // namespace

Tensor matmul(const Tensor& a, const Tensor& b, MatmulOptions options) {
  Array out = empty_like(a, output_shape(a, b, options));
  batched_gemm(a.array(), b.array(), options.trans_a, options.trans_b, out);
  return record("matmul", {a, b}, std::move(out),
                [a, b, options](const Tensors& g, const Needs& needs) {
                  const bool shared = b.rank() == 2;
                  return Tensors{needs[0] ? to_a(g[0], b, options) : Tensor(),
                                 needs[1] ? to_b(g[0], a, shared, options) : Tensor()};
                });
}

}  // namespace casimir
