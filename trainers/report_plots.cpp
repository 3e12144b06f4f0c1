#include "trainers/report_plots.h"

#include <algorithm>
#include <cmath>

namespace casimir {

namespace {

constexpr size_t most_bars = 24;
constexpr size_t most_resumes = 20;
constexpr int square = 430;  // height at which both axes are equally long

bool any_number(const std::vector<double>& values) {
  return std::any_of(values.begin(), values.end(), [](double x) { return std::isfinite(x); });
}

std::vector<Mark> marks_of(const LearningCurves& curves, bool best) {
  std::vector<Mark> marks;
  if (curves.second_stage) marks.push_back({*curves.second_stage, "stage two"});
  const std::vector<double>& resumed = curves.resumed;
  if (resumed.size() <= most_resumes)
    for (const double& epoch : resumed)  // one word for all, at the last
      marks.push_back({epoch, &epoch == &resumed.back() ? "resumed" : ""});
  if (best && curves.best) marks.push_back({*curves.best, "best"});
  return marks;
}

// Adds a picture of these lines over the epochs, unless there is nothing to draw.
struct CurvePictures {
  const LearningCurves& curves;
  std::vector<Picture>& out;

  void operator()(const char* name, const char* title, const char* unit, std::vector<Line> lines,
                  bool best) const {
    std::erase_if(lines, [](const Line& line) { return !any_number(line.y); });
    if (lines.empty()) return;
    std::vector<const std::vector<double>*> values;
    for (const Line& line : lines) values.push_back(&line.y);
    Plot plot{title, axis_over("epoch", {&curves.epoch}), axis_over(unit, values, true),
              std::move(lines)};
    plot.x.whole = true;
    plot.marks = marks_of(curves, best);
    out.push_back({name, plot.svg()});
  }
};

// What is one quantity's: names, units, and the numbers that evaluate prints.
struct Quantity {
  const char *name, *title, *reference, *unit, *error_unit;
  const ErrorSum& errors;
};

void add_parity(std::vector<Picture>& out, const Quantity& quantity, const Parity& parity) {
  if (parity.count == 0) return;
  Plot plot{
      quantity.title,
      {std::string(quantity.reference) + ", " + quantity.unit, false, parity.low, parity.high},
      {std::string("predicted, ") + quantity.unit, false, parity.low, parity.high}};
  plot.density = parity.density;
  plot.diagonal = true;
  plot.height = square;
  auto note = [&](const char* what, double value) {
    plot.notes.push_back(std::string(what) + " " + number_text(1000 * value) + " " +
                         quantity.error_unit);
  };
  note("RMSE", quantity.errors.rmse());
  note("MAE", quantity.errors.mae());
  if (std::isfinite(parity.r2)) plot.notes.push_back("R² " + number_text(parity.r2, 5));
  out.push_back({std::string("parity-") + quantity.name, plot.svg()});
}

Picture force_error_picture(const ForceErrors& errors) {
  Plot plot{"Force error over force",
            {"reference force |F|, eV/Å", true, errors.low, errors.high},
            {"error |F′ − F|, eV/Å", true, errors.error_low, errors.error_high}};
  plot.density = errors.density;
  plot.lines = {{"RMS", errors.size, errors.rms}};
  plot.diagonal = true;
  plot.height = square;
  plot.notes = {"line: RMS of the error", "diagonal: error = force"};
  return {"force-errors", plot.svg()};
}

// The largest values, largest first where not all are shown.
std::string bars_svg(std::string title, std::vector<Bars::Row> rows) {
  const size_t all = rows.size();
  if (all > most_bars) {
    std::stable_sort(rows.begin(), rows.end(),
                     [](const auto& a, const auto& b) { return a.value > b.value; });
    rows.resize(most_bars);
    title += ": the " + std::to_string(most_bars) + " largest of " + std::to_string(all);
  }
  return Bars{std::move(title), "RMSE, meV/Å", std::move(rows)}.svg();
}

}  // namespace

std::vector<Picture> curve_pictures(const LearningCurves& curves) {
  std::vector<Picture> out;
  if (curves.epoch.empty()) return out;
  const CurvePictures add{curves, out};
  const std::vector<double>& x = curves.epoch;
  add("loss", "Loss", "mean over the frames",
      {{"training", x, curves.loss}, {"validation", x, curves.valid_loss}}, true);
  add("energy-rmse", "Energy", "validation RMSE, meV/atom", {{"", x, curves.energy}}, true);
  add("forces-rmse", "Forces", "validation RMSE, meV/Å", {{"", x, curves.forces}}, true);
  add("stress-rmse", "Stress", "validation RMSE, meV/Å³", {{"", x, curves.stress}}, true);
  add("learning-rate", "Learning rate", "at the end of the epoch", {{"", x, curves.lr}}, false);
  add("gradient-norm", "Gradient", "mean norm before clipping", {{"", x, curves.gradient_norm}},
      false);
  return out;
}

std::vector<Picture> error_pictures(const ReportErrors& errors) {
  std::vector<Picture> out;
  const Errors& total = errors.numbers.errors.total;
  add_parity(
      out,
      {"energy", "Energy", "reference (E − ΣE₀) / N", "eV/atom", "meV/atom", total.energy_per_atom},
      errors.energy);
  add_parity(out, {"forces", "Force components", "reference", "eV/Å", "meV/Å", total.forces},
             errors.forces);
  add_parity(out, {"stress", "Stress components", "reference", "eV/Å³", "meV/Å³", total.stress},
             errors.stress);
  if (errors.force_errors.density.largest() > 0)
    out.push_back(force_error_picture(errors.force_errors));
  return out;
}

std::vector<Picture> grouped_pictures(const ReportErrors& errors) {
  std::vector<Picture> out;
  std::vector<Bars::Row> elements, types;
  for (const auto& [number, element] : errors.elements)
    elements.push_back({symbol_of(number), 1000 * element.forces.rmse()});
  for (const auto& [name, type] : errors.numbers.errors.by_config_type)
    if (type.forces.count) types.push_back({name, 1000 * type.forces.rmse()});
  if (elements.size() > 1)
    out.push_back({"forces-by-element", bars_svg("Forces by element", std::move(elements))});
  if (types.size() > 1)
    out.push_back({"forces-by-config-type", bars_svg("Forces by config_type", std::move(types))});
  return out;
}

}  // namespace casimir
