#include "equivariant/models/nequip.h"

#include <cmath>
#include <numbers>

#include "equivariant/layers.h"
#include "equivariant/radial.h"
#include "equivariant/radial_table.h"
#include "equivariant/spherical_harmonics.h"

namespace casimir {
namespace {

// The presets of nequip 0.19.1 (model/nequip_models.py).
void apply_preset(NequipOptions& options) {
  struct Preset {
    const char* name;
    int64_t num_layers, l_max;
    std::vector<int64_t> num_features;
  };
  static const std::vector<Preset> presets{{"S", 2, 1, {128, 64}},
                                           {"M", 4, 2, {128, 64, 32}},
                                           {"L", 6, 3, {128, 64, 32, 32}},
                                           {"XL", 6, 4, {320, 96, 64, 32, 32}}};
  for (const Preset& preset : presets) {
    if (options.preset != preset.name) continue;
    options.num_layers = preset.num_layers;
    options.l_max = preset.l_max;
    options.num_features = preset.num_features;
    options.parity = false;
    options.type_embed_num_features = 32;
    options.radial_mlp = {128};
  }
}

void reject_sizes_below_one(Fields& f, const char* key, const std::vector<int64_t>& sizes) {
  for (int64_t size : sizes)
    if (size < 1) f.reject(key, "expected positive sizes, found " + std::to_string(size));
}

void reject_values_not_positive(Fields& f, const char* key,
                                const std::map<std::string, double>& values) {
  for (const auto& [symbol, value] : values)
    if (!(value > 0))
      f.reject(key, concat_text("expected positive numbers, found ", value, " for ", symbol));
}

}  // namespace

void NequipOptions::fields(Fields& f) {
  f("preset", preset, "size of the network, nequip's S, M, L or XL; keys given are stronger",
    one_of({"none", "S", "M", "L", "XL"}));
  if (f.reading()) apply_preset(*this);
  f("r_max", r_max, "cutoff radius, A", positive());
  f("num_layers", num_layers, "interaction layers", between(1, 16));
  f("l_max", l_max, "highest degree of features and spherical harmonics", between(0, 11));
  f("parity", parity, "features of both parities of each degree");
  f("num_features", num_features, "channels of each degree from 0 to l_max; one number: of all");
  f("type_embed_num_features", type_embed_num_features,
    "channels of the elements' embedding; absent: num_features of degree 0", between(1, 65536));
  f("self_connection", self_connection, "element-dependent skip in all layers but the first");
  f("radial_mlp", radial_mlp, "hidden layer sizes of the radial network");
  f("radial", radial, "weights of a length: of the network, or of a spline through its values",
    one_of({"network", "table"}));
  f("radial_knots", radial_knots, "radial table: values from 0 to r_max", between(16, 2048));
  f("readout_mlp", readout_mlp, "hidden layer sizes of the readout; none: a linear map");
  f("num_bessel", num_bessel, "radial basis functions", between(1, 64));
  f("bessel_trainable", bessel_trainable, "train the frequencies of the radial basis");
  f("num_polynomial_cutoff", num_polynomial_cutoff, "p of the polynomial cutoff", between(2, 32));
  f("per_type_energy_scales", per_type_energy_scales,
    "multiplies the energies of an element: {H: 0.5}; absent: 1");
  f("per_type_avg_num_neighbors", per_type_avg_num_neighbors,
    "neighbours of each element, instead of avg_num_neighbors: {H: 12.5, O: 14.0}");
  if (!f.reading()) return;
  if (num_features.size() != 1 && static_cast<int64_t>(num_features.size()) != l_max + 1)
    f.reject("num_features", "expected 1 or " + std::to_string(l_max + 1) + " numbers, found " +
                                 std::to_string(num_features.size()));
  reject_sizes_below_one(f, "num_features", num_features);
  reject_sizes_below_one(f, "radial_mlp", radial_mlp);
  reject_sizes_below_one(f, "readout_mlp", readout_mlp);
  reject_values_not_positive(f, "per_type_avg_num_neighbors", per_type_avg_num_neighbors);
}

Irreps NequipOptions::hidden_irreps() const {
  std::vector<MulIrrep> blocks;
  for (int l = 0; l <= static_cast<int>(l_max); ++l) {
    const int natural = l % 2 ? -1 : 1;
    const int64_t mul = num_features[num_features.size() == 1 ? 0 : l];
    // Scalars even last, so that the even gates stand next to them: one block for linear_2.
    const int first = l == 0 ? -1 : 1;
    for (int p : {first, -first})
      if (parity || p == natural) blocks.push_back({mul, {l, p}});
  }
  return Irreps(std::move(blocks));
}

namespace {

// nequip's ScalarLinearLayer starts uniform, with variance 1.
void unit_uniform(Array& values, Random& random) {
  const double bound = std::sqrt(3.0);
  visit_float("unit_uniform", values.dtype(), [&]<class T>(T) {
    T* out = values.data<T>();
    for (int64_t i = 0; i < values.size(); ++i)
      out[i] = static_cast<T>(random.uniform(-bound, bound));
  });
}

// nequip's ScalarMLP: the gain of relu stands in for that of silu.
RadialMlp make_mlp(Parameters::Scope p, int64_t in, const std::vector<int64_t>& hidden,
                   int64_t out) {
  std::vector<int64_t> sizes{in};
  sizes.insert(sizes.end(), hidden.begin(), hidden.end());
  sizes.push_back(out);
  return RadialMlp(p, sizes, std::numbers::sqrt2, unit_uniform);
}

Irreps scalar_irreps(int64_t mul) {
  return Irreps(std::vector<MulIrrep>{{mul, {0, 1}}});
}

// The scalars and gated features of a layer: those of `hidden` that a path from `in` reaches. Gates
// are even.
Gate make_gate(const Irreps& in, const Irreps& harmonics, const Irreps& hidden) {
  std::vector<MulIrrep> scalars, gated;
  int64_t gates = 0;
  for (const MulIrrep& block : hidden) {
    bool reached = false;
    for (const MulIrrep& x : in)
      for (const MulIrrep& y : harmonics)
        for (const Irrep& ir : x.ir* y.ir) reached = reached || ir == block.ir;
    if (!reached) continue;
    (block.ir.l == 0 ? scalars : gated).push_back(block);
    if (block.ir.l > 0) gates += block.mul;
  }
  return {Irreps(scalars), gates ? scalar_irreps(gates) : Irreps(), Irreps(gated)};
}

struct NequipLayer {
  Linear linear_1, linear_2;
  Convolution convolution;
  std::vector<RadialMlp> radial;        // one
  std::vector<Linear> self_connection;  // one or none
  Gate gate;

  struct Sizes {
    Irreps in, harmonics, hidden;
    int64_t embedding, num_bessel;
    std::vector<int64_t> radial_mlp;
    double factor;  // of the messages
    bool self_connection;
  };
  NequipLayer(Parameters::Scope p, const Sizes& s)
      : linear_1(p / "linear_1", s.in, s.in, {.factor = s.factor}),
        gate(make_gate(s.in, s.harmonics, s.hidden)) {
    const Irreps out = gate.irreps_in().simplify();
    convolution = Convolution(s.in, s.harmonics, out);
    radial.push_back(make_mlp(p / "radial", s.num_bessel, s.radial_mlp, convolution.weight_numel));
    linear_2 = Linear(p / "linear_2", convolution.irreps_out, out);
    // FullyConnectedTensorProduct with the embedding: a matrix per channel of the embedding.
    if (s.self_connection)
      self_connection.emplace_back(p / "self_connection", s.in, out,
                                   Linear::Options{.groups = s.embedding});
  }

  // neighbors: factor of each node's messages, [nodes, 1]; may be absent.
  Tensor operator()(const Graph& graph, const Tensor& x, const Tensor& embedding,
                    const Tensor& neighbors, const Tensor& edge_attrs,
                    const RadialInput& radial_input) const {
    Tensor sent = linear_1(x);
    if (neighbors.defined()) sent = sent * neighbors;
    Tensor weights = radial_input(radial[0]);
    Tensor out =
        linear_2(convolution(sent, edge_attrs, weights, graph.sender, graph.receiver, graph.pair));
    for (const Linear& skip : self_connection) {
      // The embedding depends on the element alone, so does the matrix it makes of the weights.
      Tensor matrices = matmul(embedding, skip.flat_weights());
      out = out + mix(skip.plan, x, matrices, graph.species);
    }
    return gate(out);
  }
};

class Nequip : public Potential {
 public:
  Nequip(Parameters::Scope p, const NequipOptions& options, const MaceConstants& constants,
         const std::vector<std::string>& symbols)
      : options_(options),
        elements_(constants.elements),
        scale_(constants.scale),
        readout_(make_layers(p, constants)) {
    scales_ = by_element(p, options.per_type_energy_scales, symbols, "per_type_energy_scales",
                         [](double scale) { return scale; });
    neighbors_ =
        by_element(p, options.per_type_avg_num_neighbors, symbols, "per_type_avg_num_neighbors",
                   [](double count) { return 1 / std::sqrt(count); });
    for (double e0 : constants.atomic_energies) reference_energies_.push_back(e0 + constants.shift);
    p.constant("atomic_energies", Array::from(constants.atomic_energies));
    p.constant("avg_num_neighbors", Array::from(std::vector<double>{constants.avg_num_neighbors}));
    p.constant("scale", Array::from(std::vector<double>{constants.scale}));
    p.constant("shift", Array::from(std::vector<double>{constants.shift}));
  }

  Tensor node_energies(const Graph& graph, const Tensor& edge_vectors) const override {
    // nequip's edges point from the receiver to the sender.
    Tensor edge_attrs = spherical_harmonics(-edge_vectors, static_cast<int>(options_.l_max));
    const RadialInput radial(table_, norm(gather(edge_vectors, graph.pair_edge), 1),
                             [&](const Tensor& r) { return radial_basis(r); });
    Tensor neighbors = neighbors_.defined() ? gather(neighbors_, graph.species) : Tensor();
    Tensor x = gather(embedding_, graph.species);
    for (size_t i = 0; i < layers_.size(); ++i) {
      Scope scope(concat_text("layers.", i));
      x = layers_[i](graph, x, embedding_, neighbors, edge_attrs, radial);
    }
    Tensor energies = readout_(x) * scale_;
    if (scales_.defined()) energies = energies * gather(scales_, graph.species);
    return reshape(energies, {graph.nodes});
  }

  double r_max() const override { return options_.r_max; }
  const std::vector<int>& elements() const override { return elements_; }
  const std::vector<double>& reference_energies() const override { return reference_energies_; }
  Paths convolution_paths() const override {
    Paths paths;
    for (const auto& layer : layers_) {
      paths.all += layer.convolution.num_paths;
      paths.unrolled += layer.convolution.num_unrolled();
    }
    return paths;
  }

 private:
  // Embedding and layers; gives the readout.
  RadialMlp make_layers(Parameters::Scope p, const MaceConstants& constants) {
    const Irreps hidden = options_.hidden_irreps();
    const int64_t scalars = hidden.count({0, 1});
    const Irreps last = scalar_irreps(scalars);
    const Irreps harmonics = Irreps::spherical_harmonics(static_cast<int>(options_.l_max));
    const int64_t channels = options_.type_embed_num_features.value_or(scalars);
    const bool by_type = !options_.per_type_avg_num_neighbors.empty();
    const double factor = by_type ? 1 : 1 / std::sqrt(constants.avg_num_neighbors);

    embedding_ =
        (p / "type_embedding")
            .get("weight", {static_cast<int64_t>(elements_.size()), channels}, init::normal());
    if (options_.radial == "table")
      table_.emplace(options_.r_max, options_.radial_knots, p.dtype(), p.device());
    if (options_.bessel_trainable)
      roots_ = (p / "bessel").get("roots", {1, options_.num_bessel}, count_up);
    Irreps in = scalar_irreps(channels);
    for (int64_t i = 0; i < options_.num_layers; ++i) {
      layers_.emplace_back(
          p / "layers" / i,
          NequipLayer::Sizes{in, harmonics, i + 1 < options_.num_layers ? hidden : last, channels,
                             options_.num_bessel, options_.radial_mlp, factor,
                             i > 0 && options_.self_connection});
      in = layers_.back().gate.irreps_out();
    }
    return make_mlp(p / "readout", scalars, options_.readout_mlp, 1);
  }

  static void count_up(Array& values, Random&) {
    visit_float("count_up", values.dtype(), [&]<class T>(T) {
      for (int64_t i = 0; i < values.size(); ++i) values.data<T>()[i] = static_cast<T>(i + 1);
    });
  }

  // [elements, 1], or nothing where the option gives nothing.
  template <class F>
  static Tensor by_element(Parameters::Scope p, const std::map<std::string, double>& values,
                           const std::vector<std::string>& symbols, const char* key, F f) {
    if (values.empty()) return {};
    std::vector<double> numbers;
    for (const std::string& symbol : symbols) {
      auto at = values.find(symbol);
      check<ConfigError>(at != values.end(), "model.", key, ": expected a number for each of ",
                         symbols.size(), " elements, found none for ", symbol);
      numbers.push_back(f(at->second));
    }
    Array array = Array::from(numbers).reshaped({static_cast<int64_t>(numbers.size()), 1});
    return Tensor(array.cast(p.dtype()).to(p.device()));
  }

  // 2 / r_max sin(w pi r / r_max) / r times the cutoff, w = 1 .. num_bessel or trained:
  // [edges, num_bessel].
  Tensor radial_basis(const Tensor& lengths) const {
    const double r_max = options_.r_max;
    const Shape column{lengths.size(), 1};
    Tensor cutoff = polynomial_cutoff(lengths, r_max, options_.num_polynomial_cutoff);
    if (!roots_.defined())
      return bessel_basis(lengths, r_max, options_.num_bessel) *
             reshape(cutoff * std::sqrt(2 / r_max), column);
    Tensor ones = Tensor::ones(lengths.shape(), lengths.dtype(), lengths.device());
    Tensor safe = where(greater(lengths, ones * 0.0), lengths, ones);  // padding has length 0
    return sin(reshape(lengths * (std::numbers::pi / r_max), column) * roots_) *
           reshape(cutoff * reciprocal(safe) * (2 / r_max), column);
  }

  NequipOptions options_;
  std::vector<int> elements_;
  std::vector<double> reference_energies_;
  double scale_;
  Tensor embedding_;           // [elements, channels]
  Tensor roots_;               // [1, num_bessel]; absent: 1, 2, ...
  Tensor scales_, neighbors_;  // [elements, 1]; may be absent
  std::optional<RadialTable> table_;
  std::vector<NequipLayer> layers_;
  RadialMlp readout_;
};

}  // namespace

std::unique_ptr<Potential> make_nequip(Parameters::Scope scope, const NequipOptions& options,
                                       const MaceConstants& constants,
                                       const std::vector<std::string>& symbols) {
  return std::make_unique<Nequip>(scope, options, constants, symbols);
}

}  // namespace casimir
