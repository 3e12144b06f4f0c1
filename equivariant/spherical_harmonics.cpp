#include "equivariant/spherical_harmonics.h"

#include <cmath>
#include <map>
#include <mutex>

#include "core/parallel.h"
#include "equivariant/contraction.h"
#include "equivariant/spherical_harmonics_kernel.h"
#include "equivariant/wigner.h"

namespace casimir {

namespace cuda {
void solid_harmonics(const Array& vectors, int l_max, const Recursion& recursion, Array& out);
void inverse_length(const Array& vectors, Array& out);
}  // namespace cuda

namespace {

int64_t width_of(int l_max) {
  return (l_max + 1) * (l_max + 1);
}

// The cotangent of the vectors, [g, S] -> [3]. The gradient of a solid harmonic is a combination of
// those one degree lower: with C = wigner_3j(l - 1, 1, l), in component normalisation,
//   dS_lm / dx_a = (2l + 1) sqrt(l) sum over n of C[n, a, m] S_(l-1)n.
// The factor follows from the Laplacian of sum_m S_lm^2 = (2l + 1) r^2l, its sign from m = 0 and y.
Plan gradient_plan(int l_max, Normalization normalization) {
  std::vector<Term> terms;
  for (int l = 1; l <= l_max; ++l) {
    const std::vector<double>& c = wigner_3j(l - 1, 1, l);
    double factor =
        (2 * l + 1) * std::sqrt(l) * factor_of(normalization, l) / factor_of(normalization, l - 1);
    size_t next = 0;
    for (int n = 0; n < 2 * l - 1; ++n)
      for (int a = 0; a < 3; ++a)
        for (int m = 0; m < 2 * l + 1; ++m)
          if (double value = c[next++]; value != 0)
            terms.push_back({{l * l + m, (l - 1) * (l - 1) + n, a}, factor * value});
  }
  Operand harmonics{.width = width_of(l_max), .channels = false};
  return Plan({harmonics, harmonics, {.width = 3, .channels = false}}, terms);
}

struct Tables {
  Recursion recursion;
  Plan gradient;
};
const Tables& tables_of(int l_max, Normalization normalization) {
  static std::mutex mutex;
  static std::map<std::pair<int, Normalization>, Tables> known;  // its elements never move
  std::lock_guard lock(mutex);
  std::pair key{l_max, normalization};
  auto place = known.find(key);
  if (place == known.end())
    place = known.emplace(key, Tables{{l_max, normalization}, gradient_plan(l_max, normalization)})
                .first;
  return place->second;
}

// vectors [rows, 3] -> r^l Y_lm(x / r), polynomials: [rows, (l_max + 1)^2].
Tensor solid_harmonics(const Tensor& vectors, int l_max, Normalization normalization) {
  const Tables& tables = tables_of(l_max, normalization);
  int64_t rows = vectors.dim(0), width = width_of(l_max);
  Array out({rows, width}, vectors.dtype(), vectors.device());
  if constexpr (cuda_built)
    if (vectors.on_cuda()) cuda::solid_harmonics(vectors.array(), l_max, tables.recursion, out);
  if (vectors.on_cpu()) harmonics_values(vectors.array(), l_max, tables.recursion, false, out);
  auto rule = [l_max, plan = tables.gradient](const Tensors& g, const Needs&,
                                              const Tensors& outputs) {
    if (l_max == 0) return Tensors{Tensor()};
    return Tensors{contract(plan, {g[0], outputs[0]}, {}, outputs[0].dim(0))};
  };
  return record("spherical_harmonics", {vectors}, out, rule);
}

// 1 / |x|, and 0 for x = 0 with all derivatives: [rows, 3] -> [rows, 1].
// The gradient is -x / |x|^3, a contract() again.
Tensor inverse_length(const Tensor& vectors) {
  int64_t rows = vectors.dim(0);
  Array out({rows, 1}, vectors.dtype(), vectors.device());
  if constexpr (cuda_built)
    if (vectors.on_cuda()) cuda::inverse_length(vectors.array(), out);
  if (vectors.on_cpu())
    visit_float("spherical_harmonics", vectors.dtype(), [&]<class T>(T) {
      const T* x = vectors.array().data<T>();
      T* to = out.data<T>();
      parallel_for(rows, grain_for(8), [&](int64_t begin, int64_t end) {
        for (int64_t e = begin; e < end; ++e) {
          T r2 = x[3 * e] * x[3 * e] + x[3 * e + 1] * x[3 * e + 1] + x[3 * e + 2] * x[3 * e + 2];
          to[e] = r2 > 0 ? 1 / std::sqrt(r2) : T(0);
        }
      });
    });
  static const Operand number{.width = 1, .channels = false}, vector{.width = 3, .channels = false};
  static const Plan plan(
      {number, number, number, vector, number, vector},
      {{{0, 0, 0, 0, 0, 0}, -1}, {{0, 0, 0, 1, 0, 1}, -1}, {{0, 0, 0, 2, 0, 2}, -1}});
  auto rule = [vectors](const Tensors& g, const Needs&, const Tensors& outputs) {
    const Tensor& s = outputs[0];
    return Tensors{contract(plan, {s, s, s, vectors, g[0]}, {}, s.dim(0))};
  };
  return record("inverse_length", {vectors}, out, rule);
}

// v and a number s -> s v; with the number as the output: v and w -> v . w.
const Plan& scaling() {
  static const Operand number{.width = 1, .channels = false}, vector{.width = 3, .channels = false};
  static const Plan plan({vector, number, vector}, {{{0, 0, 0}}, {{1, 0, 1}}, {{2, 0, 2}}});
  return plan;
}
Tensor scaled(const Tensor& vectors, const Tensor& numbers) {
  return contract(scaling(), {vectors, numbers}, {}, vectors.dim(0));
}

void check_inputs(const Tensor& vectors, int l_max) {
  check(vectors.rank() == 2 && vectors.dim(1) == 3,
        "spherical_harmonics: expected vectors [rows, 3], found ", vectors.shape());
  check(l_max >= 0 && l_max <= largest_l, "spherical_harmonics: expected 0 <= l_max <= ", largest_l,
        ", found ", l_max);
}

// vectors x, cotangents g of the harmonics of u = x / |x| -> cotangent of x:
// (g_u - u (u . g_u)) / |x|.
Tensor backward_composite(const Tensor& vectors, const Tensor& g, int l_max,
                          Normalization normalization) {
  const int64_t rows = vectors.dim(0);
  Tensor inverse = inverse_length(vectors), u = scaled(vectors, inverse);
  Tensor harmonics = solid_harmonics(u, l_max, normalization);
  Tensor g_u = contract(tables_of(l_max, normalization).gradient, {g, harmonics}, {}, rows);
  Tensor along = contract(scaling().with_output(1), {u, g_u}, {}, rows);
  return scaled(g_u - scaled(u, along), inverse);
}

Tensor backward(const Tensor& vectors, const Tensor& g, int l_max, Normalization normalization) {
  Kernel kernel = [=](const Tensors& t) {
    Array out({t[0].dim(0), 3}, t[0].dtype());
    harmonics_gradient(t[0].array(), t[1].array(), l_max, tables_of(l_max, normalization).recursion,
                       out);
    return std::vector<Array>{out};
  };
  Composite definition = [=](const Tensors& t) {
    return Tensors{backward_composite(t[0], t[1], l_max, normalization)};
  };
  return fused("spherical_harmonics_backward", kernel, definition, {vectors, g})[0];
}

}  // namespace

Tensor spherical_harmonics_composite(const Tensor& vectors, int l_max,
                                     Normalization normalization) {
  check_inputs(vectors, l_max);
  return solid_harmonics(scaled(vectors, inverse_length(vectors)), l_max, normalization);
}

Tensor spherical_harmonics(const Tensor& vectors, int l_max, bool normalize,
                           Normalization normalization) {
  check_inputs(vectors, l_max);
  if (!normalize || l_max == 0) return solid_harmonics(vectors, l_max, normalization);
  if (!vectors.on_cpu()) return spherical_harmonics_composite(vectors, l_max, normalization);
  Kernel kernel = [=](const Tensors& t) {
    Array out({t[0].dim(0), width_of(l_max)}, t[0].dtype());
    harmonics_values(t[0].array(), l_max, tables_of(l_max, normalization).recursion, true, out);
    return std::vector<Array>{out};
  };
  Composite definition = [=](const Tensors& t) {
    return Tensors{spherical_harmonics_composite(t[0], l_max, normalization)};
  };
  Vjp rule = [=](const Tensors& g, const Needs&) {
    return Tensors{backward(vectors, g[0], l_max, normalization)};
  };
  return fused("spherical_harmonics", kernel, definition, {vectors}, rule)[0];
}

}  // namespace casimir
