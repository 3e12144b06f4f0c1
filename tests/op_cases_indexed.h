// The rows of the table for products, layout, and ops by index.
#pragma once

#include "tests/op_case.h"

namespace casimir::test {

// Products.

inline Naive naive_matmul(const Naive& a, const Naive& b, bool trans_a, bool trans_b) {
  const int64_t m = a.shape[trans_a ? -1 : -2], k = a.shape[trans_a ? -2 : -1];
  const int64_t n = b.shape[trans_b ? -2 : -1];
  const int64_t batch = a.shape.rank() == 3 ? a.shape[0] : b.shape.rank() == 3 ? b.shape[0] : 1;
  Naive out(Shape{batch, m, n});
  for (int64_t q = 0; q < batch; ++q)
    for (int64_t i = 0; i < m; ++i)
      for (int64_t j = 0; j < n; ++j)
        for (int64_t p = 0; p < k; ++p)
          out.at({q, i, j}) += (trans_a ? a.at({q, p, i}) : a.at({q, i, p})) *
                               (trans_b ? b.at({q, j, p}) : b.at({q, p, j}));
  return a.shape.rank() == 2 && b.shape.rank() == 2 ? reshaped(out, {m, n}) : out;
}

inline void add_matmul(std::vector<OpCase>& table) {
  for (int ranks = 0; ranks < 4; ++ranks)
    for (int flags = 0; flags < 4; ++flags) {
      const bool batch_a = ranks & 1, batch_b = ranks & 2, trans_a = flags & 1, trans_b = flags & 2;
      auto shape = [](int64_t batch, bool batched, bool trans, int64_t m, int64_t n) {
        if (trans) std::swap(m, n);
        return batched ? Shape{batch, m, n} : Shape{m, n};
      };
      std::vector<std::vector<int>> free{{trans_a ? -1 : -2}, {trans_b ? -2 : -1}};
      if (batch_a && !batch_b) free[0].push_back(0);
      if (batch_b && !batch_a) free[1].push_back(0);
      table.push_back({"matmul",
                       batch_a || batch_b ? "batched" : "two matrices",
                       [=](Setup& s) {
                         const int64_t batch = std::min<int64_t>(s.rows, 6);
                         return Problem{{s.normal(shape(batch, batch_a, trans_a, s.rows, 6)),
                                         s.normal(shape(batch, batch_b, trans_b, 6, 9))},
                                        [=](const Tensors& x) {
                                          return Tensors{matmul(x[0], x[1], {trans_a, trans_b})};
                                        },
                                        [=](const Naives& x) {
                                          return Naives{naive_matmul(x[0], x[1], trans_a, trans_b)};
                                        }};
                       },
                       {.accepts = ranks == 0 ? "rank" : "", .free = free}});
    }
}

// Layout.

inline OpCase layout(const char* op, const char* what, Shape tail,
                     std::function<Tensor(const Tensor&)> f,
                     std::function<Naive(const Naive&)> reference, CaseOptions options) {
  options.order = options.order == 0 ? 0 : 2;
  return {op, what,
          [=](Setup& s) {
            std::vector<int64_t> sizes{s.rows};
            sizes.insert(sizes.end(), tail.sizes().begin(), tail.sizes().end());
            return Problem{{s.normal(Shape(std::span<const int64_t>(sizes)))},
                           [=](const Tensors& x) { return Tensors{f(x[0])}; },
                           [=](const Naives& x) { return Naives{reference(x[0])}; }};
          },
          options};
}

inline void add_layout(std::vector<OpCase>& table) {
  table.push_back(layout(
      "reshape", "", {3, 4},
      [](const Tensor& x) {
        return reshape(x, {3, x.size() / 12, 4});
      },
      [](const Naive& x) {
        return reshaped(x, {3, x.shape[0], 4});
      },
      {.accepts = "type rank", .free = {{0}}}));
  for (std::vector<int> axes : std::vector<std::vector<int>>{{0, 1, 2, 3},
                                                             {1, 0, 2, 3},
                                                             {0, 2, 1, 3},
                                                             {3, 0, 1, 2},
                                                             {0, 1, -1, 2},
                                                             {3, 2, 1, 0},
                                                             {2, 3, 0, 1}})
    table.push_back(layout(
        "permute", "", {3, 4, 5}, [axes](const Tensor& x) { return permute(x, axes); },
        [axes](const Naive& x) {
          std::vector<int64_t> sizes, from(4);
          for (int axis : axes) sizes.push_back(x.shape[axis]);
          Naive out{Shape(std::span<const int64_t>(sizes))};
          each(out.shape, [&](const auto& i) {
            for (int a = 0; a < 4; ++a) from[(axes[a] + 4) % 4] = i[a];
            out.at(i) = x.at(from);
          });
          return out;
        },
        {.accepts = "type size"}));
  for (int axis : {1, 2, -1})
    table.push_back(layout(
        "slice", "", {4, 5}, [axis](const Tensor& x) { return slice(x, axis, 1, 3); },
        [axis](const Naive& x) {
          Naive out(x.shape.with(axis, 2));
          each(out.shape, [&](auto i) {
            const double& value = out.at(i);
            i[(axis + 3) % 3] += 1;
            const_cast<double&>(value) = x.at(i);
          });
          return out;
        },
        {.accepts = "type rank size"}));
  table.push_back(layout(
      "slice", "rows", {3}, [](const Tensor& x) { return slice(x, 0, x.dim(0) / 3, x.dim(0)); },
      [](const Naive& x) {
        const int64_t begin = x.shape[0] / 3;
        Naive out(x.shape.with(0, x.shape[0] - begin));
        std::copy(x.v.begin() + 3 * begin, x.v.end(), out.v.begin());
        return out;
      },
      {.accepts = "type rank size"}));
  for (int axis : {0, 1, 2})
    table.push_back(layout(
        "pad", "", {4, 5}, [axis](const Tensor& x) { return pad(x, axis, 2, 1); },
        [axis](const Naive& x) {
          Naive out(x.shape.with(axis, x.shape[axis] + 3));
          each(x.shape, [&](auto i) {
            const double value = x.at(i);
            i[axis] += 2;
            out.at(i) = value;
          });
          return out;
        },
        {.accepts = "type rank size"}));
  for (int axis : {0, 1, -1})
    table.push_back({"concat",
                     "",
                     [axis](Setup& s) {
                       Shape shape{s.rows, 2, 3};
                       auto reference = [axis](const Naives& x) {
                         int64_t total = 0;
                         for (const Naive& one : x) total += one.shape[axis];
                         Naive out(x[0].shape.with(axis, total));
                         int64_t start = 0;
                         for (const Naive& one : x) {
                           each(one.shape, [&](auto i) {
                             const double value = one.at(i);
                             i[(axis + 3) % 3] += start;
                             out.at(i) = value;
                           });
                           start += one.shape[axis];
                         }
                         return Naives{out};
                       };
                       return Problem{{s.normal(shape), s.normal(shape.with(axis, 4)),
                                       s.normal(shape.with(axis, axis == 0 ? s.rows : 1))},
                                      [axis](const Tensors& x) { return Tensors{concat(x, axis)}; },
                                      reference};
                     },
                     {.free = {{axis}, {axis}, {axis}}}});
}

// By index.

// out[t, ...] over the rows of target t, folded from `start`.
inline Naive naive_segments(const Naive& x, const Segments& index, double start,
                            const std::function<double(double, double)>& fold) {
  Naive out(x.shape.with(0, index.targets()), start);
  each(x.shape, [&](auto i) {
    const double value = x.at(i);
    i[0] = index[i[0]];
    out.at(i) = fold(out.at(i), value);
  });
  return out;
}
inline Naive naive_gather(const Naive& x, const Segments& index) {
  Naive out(x.shape.with(0, index.size()));
  each(out.shape, [&](auto i) {
    double& value = out.at(i);
    i[0] = index[i[0]];
    value = x.at(i);
  });
  return out;
}

inline void add_indexed(std::vector<OpCase>& table) {
  auto plus = [](double a, double b) { return a + b; };
  for (int64_t width : {1, 3, 16})
    for (int64_t targets : {3, 40}) {  // 3: long segments, cut in blocks when rows are many
      auto by_index = [&](
                          const char* op, std::function<Tensor(const Tensor&, const Segments&)> f,
                          std::function<Naive(const Naive&, const Segments&)> reference,
                          bool input_by_target, CaseOptions options,
                          std::function<Tensor(Setup&, Shape)> draw = [](Setup& s, Shape shape) {
                            return s.distinct(shape);
                          }) {
        auto make = [=](Setup& s) {
          Segments index = s.segments(s.rows, targets);
          Shape shape{input_by_target ? targets : s.rows, width, 2};
          return Problem{{draw(s, shape)},
                         [=](const Tensors& x) { return Tensors{f(x[0], index)}; },
                         [=](const Naives& x) { return Naives{reference(x[0], index)}; }};
        };
        options.free = {{1, 2}};
        table.push_back({op, targets == 3 ? "few targets" : "many targets", make, options});
      };
      by_index("gather", gather, naive_gather, true, {.accepts = "type"});
      by_index(
          "segment_sum", segment_sum,
          [=](const Naive& x, const Segments& index) { return naive_segments(x, index, 0, plus); },
          false, {});
      by_index("segment_max", segment_max,
               [](const Naive& x, const Segments& index) {
                 return naive_segments(x, index, -INFINITY,
                                       [](double a, double b) { return std::max(a, b); });
               },
               false, {.order = 0, .finite = ""});  // -inf for targets without rows
      by_index(
          "segment_softmax", segment_softmax,
          [=](const Naive& x, const Segments& index) {
            Naive e = naive_map(x, [](double a) { return std::exp(a); });
            return naive_zip(e, naive_gather(naive_segments(e, index, 0, plus), index),
                             [](double a, double b) { return a / b; });
          },
          false, {.order = 3}, [](Setup& s, Shape shape) { return s.normal(shape); });
    }
}

// Rows times the matrix of their group.

inline void add_grouped(std::vector<OpCase>& table) {
  for (bool sorted : {false, true}) {
    const char* what = sorted ? "sorted" : "any order";
    for (bool trans_w : {false, true})
      table.push_back(
          {"grouped_matmul",
           what,
           [=](Setup& s) {
             Segments index = s.segments(s.rows, 4, sorted);
             auto reference = [=](const Naives& x) {
               const int64_t n = x[1].shape[trans_w ? 1 : 2];
               Naive out(x[0].shape.with(2, n));
               each(out.shape, [&](const auto& i) {
                 const int64_t t = index[i[0]];
                 for (int64_t p = 0; p < 5; ++p)
                   out.at(i) += x[0].at({i[0], i[1], p}) *
                                (trans_w ? x[1].at({t, i[2], p}) : x[1].at({t, p, i[2]}));
               });
               return Naives{out};
             };
             return Problem{
                 {s.normal({s.rows, 3, 5}), s.normal(trans_w ? Shape{4, 7, 5} : Shape{4, 5, 7})},
                 [=](const Tensors& x) {
                   return Tensors{grouped_matmul(x[0], x[1], index, trans_w)};
                 },
                 reference};
           },
           {.free = {{1}, {trans_w ? 1 : 2}}}});
    table.push_back(
        {"grouped_outer",
         what,
         [=](Setup& s) {
           Segments index = s.segments(s.rows, 4, sorted);
           auto reference = [=](const Naives& x) {
             Naive out(Shape{4, 5, 7});
             each({x[0].shape[0], 3, 5}, [&](const auto& i) {
               for (int64_t j = 0; j < 7; ++j)
                 out.at({index[i[0]], i[2], j}) += x[0].at(i) * x[1].at({i[0], i[1], j});
             });
             return Naives{out};
           };
           return Problem{
               {s.normal({s.rows, 3, 5}), s.normal({s.rows, 3, 7})},
               [=](const Tensors& x) { return Tensors{grouped_outer(x[0], x[1], index)}; },
               reference};
         },
         {.free = {{2}, {2}}}});
  }
}

}  // namespace casimir::test
