#include "equivariant/radial.h"

#include <cmath>

#include "core/parallel.h"
#include "equivariant/radial_functions.h"

namespace casimir {

namespace cuda {
void bessel_basis(const Array& lengths, double r_max, int64_t count, int order, Array& out);
void polynomial_cutoff(const Array& lengths, double r_max, int64_t p, int order, Array& out);
}  // namespace cuda

namespace {

void check_lengths(const char* op, const Tensor& lengths, double r_max, int order) {
  check(lengths.defined() && lengths.rank() == 1, op, ": expected lengths [edges], found ",
        lengths.shape());
  check(r_max > 0, op, ": expected r_max > 0, found ", r_max);
  check(order >= 0, op, ": expected order >= 0, found ", order);
}

}  // namespace

Tensor bessel_basis(const Tensor& lengths, double r_max, int64_t count, int order) {
  check_lengths("bessel_basis", lengths, r_max, order);
  check(count > 0, "bessel_basis: expected count > 0, found ", count);
  int64_t edges = lengths.size();
  Array out({edges, count}, lengths.dtype(), lengths.device());
  if constexpr (cuda_built)
    if (lengths.on_cuda()) cuda::bessel_basis(lengths.array(), r_max, count, order, out);
  if (lengths.on_cpu())
    visit_float("bessel_basis", lengths.dtype(), [&]<class T>(T) {
      const T* r = lengths.array().data<T>();
      T* to = out.data<T>();
      parallel_for(edges, grain_for(32 + 16 * count), [&](int64_t begin, int64_t end) {
        for (int64_t e = begin; e < end; ++e)
          radial::bessel_row(r[e], r_max, count, order, to + e * count);
      });
    });
  auto rule = [=](const Tensors& g, const Needs&) {
    return Tensors{sum(g[0] * bessel_basis(lengths, r_max, count, order + 1), {1})};
  };
  return record("bessel_basis", {lengths}, out, rule);
}

Tensor polynomial_cutoff(const Tensor& lengths, double r_max, int64_t p, int order) {
  check_lengths("polynomial_cutoff", lengths, r_max, order);
  check(p > 0, "polynomial_cutoff: expected p > 0, found ", p);
  Array out(lengths.shape(), lengths.dtype(), lengths.device());
  if constexpr (cuda_built)
    if (lengths.on_cuda()) cuda::polynomial_cutoff(lengths.array(), r_max, p, order, out);
  double scale = std::pow(r_max, -order);
  if (lengths.on_cpu())
    visit_float("polynomial_cutoff", lengths.dtype(), [&]<class T>(T) {
      const T* r = lengths.array().data<T>();
      T* to = out.data<T>();
      parallel_for(lengths.size(), grain_for(128), [&](int64_t begin, int64_t end) {
        for (int64_t e = begin; e < end; ++e)
          to[e] = static_cast<T>(scale * radial::cutoff_derivative(r[e] / r_max, p, order));
      });
    });
  auto rule = [=](const Tensors& g, const Needs&) {
    return Tensors{g[0] * polynomial_cutoff(lengths, r_max, p, order + 1)};
  };
  return record("polynomial_cutoff", {lengths}, out, rule);
}

}  // namespace casimir
