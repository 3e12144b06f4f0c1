// The rows of the table for radial networks: RadialMlp itself, and read from a table.
#pragma once

#include "equivariant/radial.h"
#include "equivariant/radial_table.h"
#include "tests/op_cases_equivariant.h"

namespace casimir::test {

// RadialMlp of one hidden layer, with a gain of 1.3.
inline Naive naive_mlp(const Naive& x, const Naive& w1, const Naive& w2) {
  auto product = [](const Naive& a, const Naive& w) {
    const double factor = 1 / std::sqrt(static_cast<double>(w.shape[0]));
    return naive_map(reshaped(naive_matmul(a, w, false, false), {a.shape[0], w.shape[1]}),
                     [=](double v) { return factor * v; });
  };
  const auto activation = [](double a) { return 1.3 * a * logistic(a); };
  return product(naive_map(product(x, w1), activation), w2);
}

inline RadialMlp radial_mlp_of(const Setup& s, const std::vector<int64_t>& sizes) {
  Parameters store(s.dtype, 1);
  return RadialMlp(store.root(), sizes, 1.3);
}

inline void add_radial_mlp(std::vector<OpCase>& table) {
  auto make = [](Setup& s) {
    const RadialMlp layer = radial_mlp_of(s, {4, 6, 5});
    auto f = [=](const Tensors& x) {
      RadialMlp used = layer;
      used.weights = {x[1], x[2]};
      return Tensors{used(x[0])};
    };
    auto reference = [](const Naives& x) { return Naives{naive_mlp(x[0], x[1], x[2])}; };
    return Problem{{s.normal({s.rows, 4}), s.normal({4, 6}), s.normal({6, 5})}, f, reference};
  };
  table.push_back(
      {"RadialMlp",
       "",
       make,
       {.accepts = "rank", .free = {{0}}, .finite = "zero equal", .speaks = "matmul:", .data = 1}});
}

// The cubic spline through rows f at distances h, with slopes of 0 at its ends, by its second
// derivatives m: m[k-1] + 4 m[k] + m[k+1] = 6 (f[k-1] - 2 f[k] + f[k+1]) / h^2, where f and m of a
// row beyond an end are those of its mirror image. Zero from the last knot on.
inline Naive naive_spline(const Naive& f, const Naive& lengths, double h) {
  const int64_t knots = f.shape[0], width = f.shape[1];
  auto mirrored = [=](int64_t k) { return k < 0 ? -k : k < knots ? k : 2 * (knots - 1) - k; };
  Naive m(f.shape), out(Shape{lengths.shape[0], width});
  for (int sweep = 0; sweep < 80; ++sweep)
    each(f.shape, [&](const auto& i) {
      auto sides = [&](const Naive& x) {
        return x.at({mirrored(i[0] - 1), i[1]}) + x.at({mirrored(i[0] + 1), i[1]});
      };
      m.at(i) = (6 * (sides(f) - 2 * f.at(i)) / (h * h) - sides(m)) / 4;
    });
  each(out.shape, [&](const auto& i) {
    const double r = lengths.at({i[0]});
    const auto k = static_cast<int64_t>(std::floor(r / h));
    if (k >= knots - 1) return;
    const double b = r / h - static_cast<double>(k), a = 1 - b;
    out.at(i) =
        a * f.at({k, i[1]}) + b * f.at({k + 1, i[1]}) +
        h * h / 6 * ((a * a * a - a) * m.at({k, i[1]}) + (b * b * b - b) * m.at({k + 1, i[1]}));
  });
  return out;
}

inline void add_radial_table(std::vector<OpCase>& table) {
  const double r_max = 4, step = 0.8;
  const int64_t knots = 6;
  // Differences must not cross a knot, where the third derivative jumps.
  auto lengths = [=](Setup& s) {
    return s.fill({s.rows}, [&s, step] {
      return step * (static_cast<double>(s.random.below(6)) + s.random.uniform(0.2, 0.8));
    });
  };
  auto device_of = [](const Tensors& x) { return x[0].device(); };
  auto read = [=](Setup& s) {
    const RadialMlp layer = radial_mlp_of(s, {4, 6, 5});
    auto f = [=, dtype = s.dtype](const Tensors& x) {
      RadialMlp used = layer;
      used.weights = {x[2], x[3]};
      const RadialTable spline(r_max, knots, dtype, device_of(x));
      return Tensors{spline(used, x[1], spline.place(x[0]))};
    };
    auto reference = [=](const Naives& x) {
      return Naives{naive_spline(naive_mlp(x[1], x[2], x[3]), x[0], step)};
    };
    return Problem{
        {lengths(s), s.normal({knots, 4}), s.normal({4, 6}), s.normal({6, 5})}, f, reference};
  };
  table.push_back({"RadialTable",
                   "",
                   read,
                   {.order = 3,
                    .free = {{0}},
                    .finite = "zero equal",
                    .speaks = "RadialTable: scale: matmul:",
                    .data = 2}});
  auto input = [=](Setup& s, bool tabulated) {
    const RadialMlp layer = radial_mlp_of(s, {1, 6, 5});
    auto basis = [](const Tensor& r) { return reshape(cos(r * 0.5), {r.size(), 1}); };
    auto f = [=, dtype = s.dtype](const Tensors& x) {
      RadialMlp used = layer;
      used.weights = {x[1], x[2]};
      std::optional<RadialTable> spline;
      if (tabulated) spline.emplace(r_max, knots, dtype, device_of(x));
      return Tensors{RadialInput(spline, x[0], basis)(used)};
    };
    auto reference = [=](const Naives& x) {
      Naive r = x[0];
      if (tabulated) {
        r = Naive(Shape{knots});
        for (int64_t k = 0; k < knots; ++k)
          r.at({k}) = k ? step * static_cast<double>(k) : 1e-4 * step;
      }
      const Naive features =
          reshaped(naive_map(r, [](double v) { return std::cos(0.5 * v); }), {r.shape[0], 1});
      const Naive y = naive_mlp(features, x[1], x[2]);
      return Naives{tabulated ? naive_spline(y, x[0], step) : y};
    };
    return Problem{{lengths(s), s.normal({1, 6}), s.normal({6, 5})}, f, reference};
  };
  for (bool tabulated : {false, true})
    table.push_back(
        {"RadialInput",
         tabulated ? "a table" : "the network",
         [=](Setup& s) { return input(s, tabulated); },
         {.order = 3, .free = {{0}}, .finite = "zero equal", .speaks = "RadialInput:", .data = 1}});
}

}  // namespace casimir::test
