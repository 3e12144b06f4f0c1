// Rows of the table of ops: the convolution and the symmetric contraction, as layers, as fused ops
// and by their definitions.
#pragma once

#include "tests/op_cases_layers.h"

namespace casimir::test {

// Convolution and SymmetricContraction.

inline void add_convolution(std::vector<OpCase>& table) {
  const Irreps features("2x0e+2x1o"), harmonics("1x0e+1x1o"), targets("0e+1o+1e");
  // The paths, sorted by output irrep, each with its own channels of the output and weights.
  const ProductCase paths{"",
                          features,
                          harmonics,
                          "2x0e+2x0e+2x1o+2x1o+2x1e",
                          {{0, 0, 0}, {1, 1, 1}, {0, 1, 2}, {1, 0, 3}, {1, 1, 4}}};
  using Door = std::function<Tensor(const Convolution&, const Tensors&, const EdgeIndex&)>;
  auto problem = [=](Setup& s, const Door& door) {
    const Convolution layer(features, harmonics, targets);
    const Segments sender = s.segments(s.rows, 4), receiver = s.segments(s.rows, 4),
                   pair = s.segments(s.rows, 3);
    auto f = [=](const Tensors& x) { return Tensors{door(layer, x, {sender, receiver, pair})}; };
    auto reference = [=](const Naives& x) {
      const Naive separate =
          naive_product(paths, {naive_gather(x[0], sender), x[1], naive_gather(x[2], pair)});
      // Blocks of one irrep side by side.
      Naive joined(Shape{separate.shape[0], layer.irreps_out.dim()});
      std::map<Irrep, int64_t> used;
      for (size_t b = 0; b < paths.out.size(); ++b) {
        size_t block = 0;
        while (layer.irreps_out[block].ir != paths.out[b].ir) ++block;
        each({separate.shape[0], paths.out[b].ir.dim(), 2}, [&](const auto& k) {
          joined.at(place(layer.irreps_out, k[0], block, k[1], used[paths.out[b].ir] + k[2])) =
              separate.at(place(paths.out, k[0], b, k[1], k[2]));
        });
        used[paths.out[b].ir] += 2;
      }
      return Naives{naive_segments(joined, receiver, 0, std::plus<double>())};
    };
    return Problem{{s.normal({4, features.dim()}), s.normal({s.rows, harmonics.dim()}),
                    s.normal({3, layer.weight_numel})},
                   f,
                   reference};
  };
  auto row = [&](const char* op, const char* speaks, const Door& door) {
    table.push_back({op,
                     "",
                     [=](Setup& s) { return problem(s, door); },
                     {.order = 3, .finite = "zero equal", .speaks = speaks}});
  };
  row("Convolution",
      "convolution:", [](const Convolution& layer, const Tensors& x, const EdgeIndex& i) {
        return layer(x[0], x[1], x[2], i.sender, i.receiver, i.pair);
      });
  row("ConvolutionOp",
      "convolution:", [](const Convolution& layer, const Tensors& x, const EdgeIndex& i) {
        return layer.op(x[0], x[1], x[2], i);
      });
  row("ConvolutionOp::composite",
      "contract:", [](const Convolution& layer, const Tensors& x, const EdgeIndex& i) {
        return layer.op.composite(x[0], x[1], x[2], i);
      });
}

inline void add_symmetric(std::vector<OpCase>& table) {
  const Irreps out("2x0e+2x1o");
  auto make = [=](Setup& s) {
    Parameters store(s.dtype, 1);
    const SymmetricContraction layer(store.root(), 1, 2, out, 2, 3);
    const Segments species = s.segments(s.rows, 3);
    Tensors inputs{s.normal({s.rows, 8})};
    for (const Tensor& weights : layer.weights) inputs.push_back(s.normal(weights.shape()));
    auto f = [=](const Tensors& x) {
      SymmetricContraction used = layer;
      used.weights.assign(x.begin() + 1, x.end());
      used.op = SymmetricProductOp(layer.op.polynomials(), x[0].dtype(), x[0].device());
      return Tensors{used(x[0], species)};
    };
    auto reference = [=](const Naives& x) {
      Naive sum(Shape{x[0].shape[0], out.dim()});
      auto weights = x.begin() + 1;
      for (int nu : {2, 1})
        for (size_t o = 0; o < out.size(); ++o, ++weights) {
          const SymmetricBasis& basis = symmetric_basis(1, nu, out[o].ir.l);
          for (const SymmetricBasis::Entry& entry : basis.entries)
            each({x[0].shape[0], 2}, [&](const auto& k) {
              double product = entry.value * weights->at({species[k[0]], entry.path, k[1]});
              for (int32_t i : basis.monomials[entry.monomial])
                product *= x[0].at({k[0], 2 * i + k[1]});
              sum.at(place(out, k[0], o, entry.component, k[1])) += product;
            });
        }
      return Naives{sum};
    };
    return Problem{inputs, f, reference};
  };
  table.push_back({"SymmetricContraction",
                   "",
                   make,
                   {.finite = "zero equal", .speaks = "symmetric product:", .data = 1}});
}

inline void add_symmetric_product(std::vector<OpCase>& table) {
  const int64_t channels = 2;
  SymmetricPolynomials sum;  // of two components: 1; 1, 1; 0, 0, 1 and 0, 1, into two outputs
  sum.entries = {{{1}, 0, {{0, 1}}},
                 {{1, 1}, 0, {{1, -0.5}, {0, 2}}},
                 {{0, 0, 1}, 1, {{2, 1.5}}},
                 {{0, 1}, 1, {{2, 1}, {1, 0.7}}}};
  sum.components = sum.outputs = 2, sum.paths = 3, sum.channels = channels;
  auto problem = [=](Setup& s, bool fused) {
    const Segments species = s.segments(s.rows, 3);
    auto f = [=](const Tensors& x) {
      const SymmetricProductOp op(sum, x[0].dtype(), x[0].device());
      return Tensors{fused ? op(x[0], x[1], species) : op.composite(x[0], x[1], species)};
    };
    auto reference = [=](const Naives& x) {
      Naive out(Shape{x[0].shape[0], sum.outputs * channels});
      for (const SymmetricPolynomials::Entry& entry : sum.entries)
        each({x[0].shape[0], channels}, [&](const auto& k) {
          double product = 0;
          for (const SymmetricPolynomials::Share& share : entry.shares)
            product += share.value * x[1].at({species[k[0]], share.path * channels + k[1]});
          for (int32_t i : entry.monomial) product *= x[0].at({k[0], i * channels + k[1]});
          out.at({k[0], entry.out * channels + k[1]}) += product;
        });
      return Naives{out};
    };
    return Problem{{s.normal({s.rows, 2 * channels}), s.normal({3, 3 * channels})}, f, reference};
  };
  table.push_back({"SymmetricProductOp",
                   "",
                   [=](Setup& s) { return problem(s, true); },
                   {.order = 3, .finite = "zero equal", .speaks = "symmetric product:"}});
  table.push_back({"SymmetricProductOp::composite",
                   "",
                   [=](Setup& s) { return problem(s, false); },
                   {.order = 3, .finite = "zero equal", .speaks = "symmetric product:"}});
}

}  // namespace casimir::test
