#include "trainers/epoch_report.h"

#include <fmt/format.h>

#include <ctime>

#include "core/tensorboard.h"
#include "trainers/run_log.h"

namespace casimir {

const char* const curve_header =
    "epoch,step,lr,loss,valid_loss,energy_rmse_mev,energy_rmse_mev_per_atom,"
    "forces_rmse_mev_per_a,stress_rmse_mev_per_a3";

namespace {

// Three significant digits: 0.456, 4.56, 45.6, 456.
std::string milli(double value) {
  double x = 1000 * value;
  return fmt::format("{:.{}f}", x, x < 1 ? 3 : x < 10 ? 2 : x < 100 ? 1 : 0);
}

std::string clock_in(double seconds) {
  std::time_t then = std::time(nullptr) + static_cast<std::time_t>(seconds);
  std::tm local{};
  localtime_r(&then, &local);
  char text[32];
  std::strftime(text, sizeof text, seconds > 20 * 3600 ? "%a %H:%M" : "%H:%M", &local);
  return text;
}

std::string value_or(const ErrorSum& sum, double value, const char* otherwise) {
  return sum.count ? json_number(1000 * value) : otherwise;
}

}  // namespace

std::string EpochReport::console_line() const {
  std::string total = std::to_string(epochs);
  std::string text =
      fmt::format("epoch {:>{}}/{}  step {}  loss {:.4g}", epoch, total.size(), total, step, loss);
  if (valid_loss) {
    text += "  valid";
    if (valid.energy.count)
      text += fmt::format(" E {} meV ({} meV/atom)", milli(valid.energy.rmse()),
                          milli(valid.energy_per_atom.rmse()));
    if (valid.forces.count) text += fmt::format("  F {} meV/A", milli(valid.forces.rmse()));
    if (valid.stress.count) text += fmt::format("  S {} meV/A^3", milli(valid.stress.rmse()));
  }
  text += fmt::format("  lr {:.1e}  {}", lr, duration(seconds));
  if (remaining > 0)
    text += fmt::format("  eta {} at {}", duration(remaining), clock_in(remaining));
  return best ? text + "  *best*" : text;
}

std::vector<std::pair<std::string, std::optional<double>>> EpochReport::numbers() const {
  std::vector<std::pair<std::string, std::optional<double>>> numbers{
      {"epoch", epoch},    {"step", step}, {"stage", stage},
      {"lr", lr},          {"loss", loss}, {"gradient_norm", gradient_norm},
      {"clipped", clipped}};
  if (!valid_loss) return numbers;
  numbers.emplace_back("valid_loss", *valid_loss);
  auto add = [&](const char* key, const ErrorSum& sum, double value) {
    numbers.emplace_back(key, sum.count ? std::optional(1000 * value) : std::nullopt);
  };
  add("valid_energy_rmse_mev", valid.energy, valid.energy.rmse());
  add("valid_energy_mae_mev", valid.energy, valid.energy.mae());
  add("valid_energy_rmse_mev_per_atom", valid.energy_per_atom, valid.energy_per_atom.rmse());
  add("valid_forces_rmse_mev_per_a", valid.forces, valid.forces.rmse());
  add("valid_forces_mae_mev_per_a", valid.forces, valid.forces.mae());
  add("valid_stress_rmse_mev_per_a3", valid.stress, valid.stress.rmse());
  return numbers;
}

std::string EpochReport::metrics_json() const {
  std::string text = "{";
  for (const auto& [key, value] : numbers())
    text += fmt::format("\"{}\": {}, ", key, value ? json_number(*value) : "null");
  return text + fmt::format("\"best\": {}}}", best);
}

std::string EpochReport::event() const {
  Scalars scalars;
  for (const auto& [key, value] : numbers())
    if (value && key != "step")
      scalars.emplace_back(key.starts_with("valid_") ? "valid/" + key.substr(6) : "train/" + key,
                           *value);
  return event_record(wall_time(), step, scalars);
}

std::string EpochReport::curve_line() const {
  std::string text = fmt::format("{},{},{},{}", epoch, step, json_number(lr), json_number(loss));
  if (!valid_loss) return text + ",,,,,";
  return text + "," + json_number(*valid_loss) + "," +
         value_or(valid.energy, valid.energy.rmse(), "") + "," +
         value_or(valid.energy_per_atom, valid.energy_per_atom.rmse(), "") + "," +
         value_or(valid.forces, valid.forces.rmse(), "") + "," +
         value_or(valid.stress, valid.stress.rmse(), "");
}

std::string EpochReport::timing_json() const {
  return fmt::format("{{\"epoch\": {}, \"step\": {}, \"seconds\": {:.3f}, \"time\": {}}}", epoch,
                     step, seconds, static_cast<int64_t>(std::time(nullptr)));
}

std::string resumed_json(int64_t epoch, int64_t step) {
  return fmt::format("{{\"resumed\": true, \"epoch\": {}, \"step\": {}, \"time\": {}}}", epoch,
                     step, static_cast<int64_t>(std::time(nullptr)));
}

}  // namespace casimir
