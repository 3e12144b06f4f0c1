// Small MACE and NequIP models with random weights, and labelled structures to try them on.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "core/random.h"
#include "trainers/check.h"
#include "trainers/step.h"

namespace casimir {

inline const std::vector<int> small_elements = {1, 6, 8};
inline const MaceConstants small_constants{
    small_elements, {-13.6, -1029.5, -2042.0}, 4.0, 1.3, -0.4};

inline const std::vector<std::string> mace_variants = {"6x0e", "6x0e+6x1o", "4x0e+4x1o+4x2e"};
inline const std::vector<std::string> nequip_variants = {"natural", "both parities", "all options"};

inline ModelOptions mace_options(const std::string& hidden, const std::string& dtype = "float64") {
  ModelOptions options;
  options.dtype = dtype;
  options.elements = {"H", "C", "O"};
  options.mace.hidden_irreps = hidden;
  options.mace.r_max = 4.0;
  options.mace.radial_mlp = {8, 8};
  options.mace.num_bessel = 6;
  options.mace.readout_irreps = "4x0e";
  return options;
}

inline ModelOptions nequip_options(const std::string& variant,
                                   const std::string& dtype = "float64") {
  ModelOptions options;
  options.kind = "nequip";
  options.dtype = dtype;
  options.elements = {"H", "C", "O"};
  NequipOptions& nequip = options.nequip;
  nequip.r_max = 4.0;
  nequip.radial_mlp = {8};
  nequip.num_bessel = 6;
  nequip.num_layers = 3;
  nequip.l_max = 2;
  nequip.num_features = {5, 4, 3};
  nequip.type_embed_num_features = 3;
  nequip.parity = variant != "natural";
  if (variant == "all options") {
    nequip.num_layers = 4;
    nequip.l_max = 1;
    nequip.num_features = {4};
    nequip.radial_mlp = {8, 6};
    nequip.readout_mlp = {5};
    nequip.bessel_trainable = true;
    nequip.num_polynomial_cutoff = 5;
    nequip.per_type_energy_scales = {{"H", 0.5}, {"C", 1.5}, {"O", 0.8}};
    nequip.per_type_avg_num_neighbors = {{"H", 3}, {"C", 4}, {"O", 5}};
  }
  return options;
}

// Complete enough to be saved.
inline Model random_model(const ModelOptions& options) {
  Model model = make_model(options, small_constants, 7);
  RunOptions run;
  run.model = model.options;
  model.config = to_yaml(run);
  return model;
}

inline Model mace_model(const std::string& hidden, const std::string& dtype = "float64") {
  return random_model(mace_options(hidden, dtype));
}

inline Model nequip_model(const std::string& variant, const std::string& dtype = "float64") {
  return random_model(nequip_options(variant, dtype));
}

struct NamedModel {
  std::string name;  // "nequip, both parities"
  Model model;
};

// Every variant of both.
inline std::vector<NamedModel> random_models(const std::string& dtype = "float64") {
  std::vector<NamedModel> models;
  for (const std::string& hidden : mace_variants)
    models.push_back({"mace, " + hidden, mace_model(hidden, dtype)});
  for (const std::string& variant : nequip_variants)
    models.push_back({"nequip, " + variant, nequip_model(variant, dtype)});
  return models;
}

struct Prepared {
  std::vector<Sample> samples;
  AtomsBatch batch;
};

inline Prepared prepared(const Model& model, std::vector<Frame> frames) {
  Prepared p;
  p.samples =
      prepare_samples(std::move(frames), model.potential->elements(), model.potential->r_max());
  std::vector<int64_t> which;
  for (size_t i = 0; i < p.samples.size(); ++i) which.push_back(static_cast<int64_t>(i));
  p.batch = make_batch(p.samples, which);
  return p;
}

// A rattled molecule and a strained cell with labels.
inline Prepared labelled(const Model& model) {
  std::vector<Frame> frames = check_structures(small_elements, 1, 3);
  Random random(11);
  for (Frame& frame : frames) {
    frame.energy = random.normal();
    for (size_t i = 0; i < frame.size(); ++i)
      frame.forces.push_back({random.normal(), random.normal(), random.normal()});
    double s[6];
    for (double& x : s) x = 0.01 * random.normal();
    if (frame.pbc[0])
      frame.stress = std::array<double, 9>{s[0], s[1], s[2], s[1], s[3], s[4], s[2], s[4], s[5]};
  }
  return prepared(model, std::move(frames));
}

// Infinity when one of them is not a number.
inline double largest(const std::vector<CheckResult>& results) {
  double value = 0;
  for (const CheckResult& r : results)
    value = std::isnan(r.found) ? INFINITY : std::max(value, r.found);
  return value;
}

}  // namespace casimir
