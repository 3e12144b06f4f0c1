#include "trainers/metrics.h"

#include <fmt/format.h>

#include <cmath>

#include "core/error.h"
#include "trainers/run_log.h"

namespace casimir {

void ErrorSum::add(double difference) {
  squares += difference * difference;
  magnitudes += std::abs(difference);
  ++count;
}

void ErrorSum::add(const ErrorSum& other) {
  squares += other.squares;
  magnitudes += other.magnitudes;
  count += other.count;
}

double ErrorSum::rmse() const {
  return count ? std::sqrt(squares / static_cast<double>(count)) : 0;
}

double ErrorSum::mae() const {
  return count ? magnitudes / static_cast<double>(count) : 0;
}

void Errors::add(const Frame& label, const FramePrediction& prediction) {
  ++frames;
  atoms += static_cast<int64_t>(label.size());
  if (label.energy) {
    double difference = prediction.energy - *label.energy;
    energy.add(difference);
    energy_per_atom.add(difference / static_cast<double>(label.size()));
  }
  if (!label.forces.empty() && !prediction.forces.empty())
    for (size_t i = 0; i < label.size(); ++i)
      for (int k = 0; k < 3; ++k) forces.add(prediction.forces[i][k] - label.forces[i][k]);
  if (label.stress && prediction.stress)
    for (int k = 0; k < 9; ++k) stress.add((*prediction.stress)[k] - (*label.stress)[k]);
}

void Errors::add(const Errors& other) {
  frames += other.frames;
  atoms += other.atoms;
  energy.add(other.energy);
  energy_per_atom.add(other.energy_per_atom);
  forces.add(other.forces);
  stress.add(other.stress);
}

void ErrorTable::add(const Frame& label, const FramePrediction& prediction) {
  total.add(label, prediction);
  by_config_type[label.config_type].add(label, prediction);
}

namespace {

// In milli units; null when there was no label.
std::string json_value(const char* key, const ErrorSum& sum, double value) {
  return fmt::format(", \"{}\": {}", key, sum.count ? json_number(1000 * value) : "null");
}

std::string json_fields(const Errors& e) {
  std::string text = fmt::format("\"frames\": {}, \"atoms\": {}", e.frames, e.atoms);
  text += json_value("energy_rmse_mev", e.energy, e.energy.rmse());
  text += json_value("energy_mae_mev", e.energy, e.energy.mae());
  text += json_value("energy_rmse_mev_per_atom", e.energy_per_atom, e.energy_per_atom.rmse());
  text += json_value("energy_mae_mev_per_atom", e.energy_per_atom, e.energy_per_atom.mae());
  text += json_value("forces_rmse_mev_per_a", e.forces, e.forces.rmse());
  text += json_value("forces_mae_mev_per_a", e.forces, e.forces.mae());
  text += json_value("stress_rmse_mev_per_a3", e.stress, e.stress.rmse());
  text += json_value("stress_mae_mev_per_a3", e.stress, e.stress.mae());
  return text;
}

}  // namespace

std::string ErrorTable::json(double seconds) const {
  std::string text = "{" + json_fields(total);
  if (seconds >= 0) text += ", \"seconds\": " + json_number(seconds);
  text += ", \"by_config_type\": {";
  bool first = true;
  for (const auto& [name, errors] : by_config_type) {
    text += fmt::format("{}{}: {{{}}}", first ? "" : ", ", json_text(name), json_fields(errors));
    first = false;
  }
  return text + "}}";
}

}  // namespace casimir
