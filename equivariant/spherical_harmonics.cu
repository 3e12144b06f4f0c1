#include "equivariant/spherical_harmonics.h"

#include "core/cuda_launch.cuh"
#include "equivariant/solid_recursion.h"

namespace casimir::cuda {
namespace {

// One thread for each vector.
template <class T>
void solid_rows(const Array& vectors, int l_max, const Recursion& recursion, Array& out) {
  const T* in = vectors.data<T>();
  T* to = out.data<T>();
  const int64_t width = out.shape()[1];
  const Recursion table = recursion;  // the kernel's own copy
  for_each("spherical_harmonics", vectors.shape()[0], [=] __device__(int64_t row) {
    const T x = in[3 * row], y = in[3 * row + 1], z = in[3 * row + 2];
    const T r2 = x * x + y * y + z * z;
    T* block = to + row * width;
    T re = 1, im = 0;  // (z + i x)^m
    for (int m = 0; m <= l_max; ++m) {
      T q = static_cast<T>(table.start[m]), previous = 0;
      for (int l = m; l <= l_max; ++l) {
        if (l > m) {
          const T a = static_cast<T>(table.a[l][m]), b = static_cast<T>(table.b[l][m]);
          const T next = a * y * q - b * r2 * previous;
          previous = q;
          q = next;
        }
        block[l * l + l + m] = q * re;
        if (m > 0) block[l * l + l - m] = q * im;
      }
      const T turned = re * z - im * x;
      im = im * z + re * x;
      re = turned;
    }
  });
}

template <class T>
void inverse_lengths(const Array& vectors, Array& out) {
  const T* in = vectors.data<T>();
  T* to = out.data<T>();
  for_each("spherical_harmonics", vectors.shape()[0], [=] __device__(int64_t e) {
    const T x = in[3 * e], y = in[3 * e + 1], z = in[3 * e + 2];
    const T r2 = x * x + y * y + z * z;
    to[e] = r2 > 0 ? 1 / std::sqrt(r2) : T(0);
  });
}

}  // namespace

void solid_harmonics(const Array& vectors, int l_max, const Recursion& recursion, Array& out) {
  visit_float("spherical_harmonics", vectors.dtype(),
              [&]<class T>(T) { solid_rows<T>(vectors, l_max, recursion, out); });
}

void inverse_length(const Array& vectors, Array& out) {
  visit_float("spherical_harmonics", vectors.dtype(),
              [&]<class T>(T) { inverse_lengths<T>(vectors, out); });
}

}  // namespace casimir::cuda
