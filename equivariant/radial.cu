#include "equivariant/radial.h"

#include "core/cuda_launch.cuh"
#include "equivariant/radial_functions.h"

namespace casimir::cuda {
namespace {

template <class T>
void bessel_rows(const Array& lengths, double r_max, int64_t count, int order, Array& out) {
  const T* r = lengths.data<T>();
  T* to = out.data<T>();
  for_each("bessel_basis", lengths.size(), [=] __device__(int64_t e) {
    radial::bessel_row(r[e], r_max, count, order, to + e * count);
  });
}

template <class T>
void cutoffs(const Array& lengths, double r_max, int64_t p, int order, Array& out) {
  const T* r = lengths.data<T>();
  T* to = out.data<T>();
  const double scale = std::pow(r_max, -order);
  for_each("polynomial_cutoff", lengths.size(), [=] __device__(int64_t e) {
    to[e] = static_cast<T>(scale * radial::cutoff_derivative(r[e] / r_max, p, order));
  });
}

}  // namespace

void bessel_basis(const Array& lengths, double r_max, int64_t count, int order, Array& out) {
  visit_float("bessel_basis", lengths.dtype(),
              [&]<class T>(T) { bessel_rows<T>(lengths, r_max, count, order, out); });
}

void polynomial_cutoff(const Array& lengths, double r_max, int64_t p, int order, Array& out) {
  visit_float("polynomial_cutoff", lengths.dtype(),
              [&]<class T>(T) { cutoffs<T>(lengths, r_max, p, order, out); });
}

}  // namespace casimir::cuda
