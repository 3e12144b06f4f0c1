#include "equivariant/models/mace.h"

#include <cmath>
#include <optional>

#include "equivariant/layers.h"
#include "equivariant/radial.h"
#include "equivariant/radial_table.h"
#include "equivariant/spherical_harmonics.h"

namespace casimir {

void MaceOptions::fields(Fields& f) {
  f("r_max", r_max, "cutoff radius, A", positive());
  f("hidden_irreps", hidden_irreps, "irreps of the node features, one multiplicity: 128x0e+128x1o");
  f("l_max", l_max, "highest degree of the spherical harmonics", between(0, 11));
  f("correlation", correlation,
    "body order minus one of each layer's products; one number for all layers");
  f("num_interactions", num_interactions, "layers", between(1, 16));
  f("num_bessel", num_bessel, "radial basis functions", between(1, 64));
  f("num_polynomial_cutoff", num_polynomial_cutoff, "p of the polynomial cutoff", between(2, 32));
  f("radial_mlp", radial_mlp, "hidden layer sizes of the radial network");
  f("radial", radial, "weights of a length: of the network, or of a spline through its values",
    one_of({"network", "table"}));
  f("radial_knots", radial_knots, "radial table: values from 0 to r_max", between(16, 2048));
  f("readout_irreps", readout_irreps, "hidden scalars of the last readout: 16x0e");
  f("interaction_first", interaction_first, "first block", one_of({"residual", "non_residual"}));
  f("interaction", interaction, "later blocks", one_of({"residual", "non_residual"}));

  try {
    Irreps hidden = Irreps::parse(hidden_irreps);
    if (hidden.uniform_mul() == 0)
      f.reject("hidden_irreps",
               "expected one multiplicity for all irreps, found '" + hidden_irreps + "'");
    for (size_t i = 0; i < hidden.size(); ++i)
      if (hidden[i].ir != Irrep{static_cast<int>(i), i % 2 ? -1 : 1})
        f.reject("hidden_irreps",
                 "expected 0e, 1o, 2e ... in this order, found '" + hidden_irreps + "'");
    if (hidden.l_max() > l_max)
      f.reject("hidden_irreps", "expected degrees up to l_max = " + std::to_string(l_max) +
                                    ", found '" + hidden_irreps + "'");
  } catch (const ConfigError& error) {
    if (std::string(error.what()).starts_with("cannot read"))
      f.reject("hidden_irreps", error.what());
    throw;
  }
  try {
    Irreps readout = Irreps::parse(readout_irreps);
    if (readout.size() != 1 || !readout[0].ir.is_scalar())
      f.reject("readout_irreps", "expected scalars, as 16x0e, found '" + readout_irreps + "'");
  } catch (const ConfigError& error) {
    if (std::string(error.what()).starts_with("cannot read"))
      f.reject("readout_irreps", error.what());
    throw;
  }
  if (correlation.size() != 1 && static_cast<int64_t>(correlation.size()) != num_interactions)
    f.reject("correlation", "expected 1 or " + std::to_string(num_interactions) +
                                " numbers, found " + std::to_string(correlation.size()));
  for (int64_t nu : correlation)
    if (nu < 1 || nu > 4)
      f.reject("correlation", "expected numbers from 1 to 4, found " + std::to_string(nu));
  for (int64_t size : radial_mlp)
    if (size < 1) f.reject("radial_mlp", "expected positive sizes, found " + std::to_string(size));
}

namespace {

// A message-passing block: RealAgnosticResidualInteractionBlock (skip from the block's input) or
// RealAgnosticInteractionBlock (species-dependent mixing of the message) of mace-torch.
struct Interaction {
  bool residual;
  Linear linear_up, linear, skip;
  Convolution convolution;
  std::optional<RadialMlp> radial;

  struct Sizes {
    Irreps in, harmonics, messages, out;
    int64_t elements, num_bessel;
    std::vector<int64_t> radial_mlp;
    double avg_num_neighbors;
  };

  Interaction(Parameters::Scope p, bool residual, const Sizes& s)
      : residual(residual),
        linear_up(p / "linear_up", s.in, s.in),
        convolution(s.in, s.harmonics, s.messages) {
    std::vector<int64_t> sizes{s.num_bessel};
    sizes.insert(sizes.end(), s.radial_mlp.begin(), s.radial_mlp.end());
    sizes.push_back(convolution.weight_numel);
    radial.emplace(p / "radial", sizes);
    linear = Linear(p / "linear", convolution.irreps_out, s.messages,
                    {.factor = 1 / s.avg_num_neighbors, .decay = true});
    skip = residual ? Linear(p / "skip", s.in, s.out, {.groups = s.elements})
                    : Linear(p / "skip", s.messages, s.messages, {.groups = s.elements});
  }

  struct Output {
    Tensor message, skip;
  };
  Output operator()(const Graph& graph, const Tensor& node_feats, const Tensor& edge_attrs,
                    const RadialInput& radial_input) const {
    Tensor weights = radial_input(*radial);
    Tensor message = linear(convolution(linear_up(node_feats), edge_attrs, weights, graph.sender,
                                        graph.receiver, graph.pair));
    if (residual) return {message, skip(node_feats, graph.species)};
    return {skip(message, graph.species), Tensor()};
  }
};

struct Product {
  SymmetricContraction contraction;
  Linear linear;
  Product(Parameters::Scope p, int l_max, const Irreps& out, int correlation, int64_t elements)
      : contraction(p / "contraction", l_max, out[0].mul, out, correlation, elements),
        linear(p / "linear", out, out, {.decay = true}) {}
  Tensor operator()(const Tensor& x, const Segments& species) const {
    return linear(contraction(x, species));
  }
};

class Mace : public Potential {
 public:
  Mace(Parameters::Scope p, const MaceOptions& options, const MaceConstants& constants)
      : options_(options), elements_(constants.elements), scale_(constants.scale) {
    const Irreps hidden = Irreps::parse(options.hidden_irreps), scalars({hidden[0]});
    const Irreps harmonics = Irreps::spherical_harmonics(static_cast<int>(options.l_max));
    const int64_t channels = hidden[0].mul, elements = static_cast<int64_t>(elements_.size());
    std::vector<MulIrrep> blocks;
    for (const MulIrrep& block : harmonics) blocks.push_back({channels, block.ir});
    const Irreps messages(blocks);

    if (options.radial == "table")
      table_.emplace(options.r_max, options.radial_knots, p.dtype(), p.device());
    embedding_ = (p / "node_embedding").get("weight", {elements, channels}, init::normal());
    Irreps in = scalars;
    for (int64_t i = 0; i < options.num_interactions; ++i) {
      bool last = i + 1 == options.num_interactions;
      const Irreps out = last ? scalars : hidden;
      const std::string& kind = i == 0 ? options.interaction_first : options.interaction;
      interactions_.emplace_back(
          p / "interactions" / i, kind == "residual",
          Interaction::Sizes{in, harmonics, messages, out, elements, options.num_bessel,
                             options.radial_mlp, constants.avg_num_neighbors});
      int64_t nu =
          options.correlation.size() == 1 ? options.correlation[0] : options.correlation[i];
      products_.emplace_back(p / "products" / i, static_cast<int>(options.l_max), out,
                             static_cast<int>(nu), elements);
      Parameters::Scope readout = p / "readouts" / i;
      if (last && options.num_interactions > 1) {
        const Irreps inner = Irreps::parse(options.readout_irreps);
        readouts_.push_back({Linear(readout / "linear_1", out, inner),
                             Linear(readout / "linear_2", inner, Irreps("1x0e"))});
      } else {
        readouts_.push_back({Linear(readout / "linear", out, Irreps("1x0e"))});
      }
      in = out;
    }
    for (double e0 : constants.atomic_energies) reference_energies_.push_back(e0 + constants.shift);
    p.constant("atomic_energies", Array::from(constants.atomic_energies));
    p.constant("avg_num_neighbors", Array::from(std::vector<double>{constants.avg_num_neighbors}));
    p.constant("scale", Array::from(std::vector<double>{constants.scale}));
    p.constant("shift", Array::from(std::vector<double>{constants.shift}));
  }

  Tensor node_energies(const Graph& graph, const Tensor& edge_vectors) const override {
    Tensor lengths = norm(gather(edge_vectors, graph.pair_edge), 1);
    Tensor edge_attrs = spherical_harmonics(edge_vectors, static_cast<int>(options_.l_max));
    const RadialInput radial(table_, lengths, [&](const Tensor& r) { return radial_basis(r); });
    Tensor node_feats =
        gather(embedding_ * (1 / std::sqrt(static_cast<double>(elements_.size()))), graph.species);
    Tensor energies;
    for (size_t i = 0; i < interactions_.size(); ++i) {
      auto [message, skip] = [&] {
        Scope scope(concat_text("interactions.", i));
        return interactions_[i](graph, node_feats, edge_attrs, radial);
      }();
      Scope scope(concat_text("products.", i));
      node_feats = products_[i](message, graph.species);
      if (skip.defined()) node_feats = node_feats + skip;
      Tensor part = readouts_[i][0](node_feats);
      if (readouts_[i].size() > 1) part = readouts_[i][1](silu(part) * silu_normalization);
      energies = energies.defined() ? energies + part : part;
    }
    return reshape(energies, {graph.nodes}) * scale_;
  }

  double r_max() const override { return options_.r_max; }
  const std::vector<int>& elements() const override { return elements_; }
  const std::vector<double>& reference_energies() const override { return reference_energies_; }
  Paths convolution_paths() const override {
    Paths paths;
    for (const auto& layer : interactions_) {
      paths.all += layer.convolution.num_paths;
      paths.unrolled += layer.convolution.num_unrolled();
    }
    return paths;
  }

 private:
  // Bessel functions times the cutoff: [rows] -> [rows, num_bessel].
  Tensor radial_basis(const Tensor& lengths) const {
    Tensor cutoff = polynomial_cutoff(lengths, options_.r_max, options_.num_polynomial_cutoff);
    return bessel_basis(lengths, options_.r_max, options_.num_bessel) *
           reshape(cutoff, {lengths.dim(0), 1});
  }

  MaceOptions options_;
  std::vector<int> elements_;
  std::vector<double> reference_energies_;
  double scale_;
  std::optional<RadialTable> table_;
  Tensor embedding_;
  std::vector<Interaction> interactions_;
  std::vector<Product> products_;
  std::vector<std::vector<Linear>> readouts_;
};

}  // namespace

std::unique_ptr<Potential> make_mace(Parameters::Scope scope, const MaceOptions& options,
                                     const MaceConstants& constants) {
  return std::make_unique<Mace>(scope, options, constants);
}

}  // namespace casimir
