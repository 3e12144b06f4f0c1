#include "trainers/plot_axis.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "trainers/table.h"

namespace casimir {

namespace {

// The multiples of `step` between low and high, with rounding's benefit at the ends.
std::vector<double> multiples(double low, double high, double step) {
  std::vector<double> ticks;
  const double slack = 1e-9 * (high - low);
  for (double k = std::ceil((low - slack) / step); k * step <= high + slack; ++k)
    ticks.push_back(k == 0 ? 0 : k * step);
  return ticks;
}

std::vector<double> linear_ticks(double low, double high, int count) {
  const double rough = (high - low) / std::max(1, count);
  const double power = std::pow(10, std::floor(std::log10(rough)));
  const double lead = rough / power;
  return multiples(low, high, power * (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10));
}

std::vector<double> log_ticks(double low, double high, int count) {
  const double decades = std::log10(high / low);
  std::vector<double> ticks;
  if (decades >= 2) {
    const double stride = std::max(1.0, std::ceil(decades / (count + 1)));
    for (double k : multiples(std::log10(low), std::log10(high), stride))
      ticks.push_back(std::pow(10, k));
    return ticks;
  }
  for (double k = std::floor(std::log10(low)); k <= std::log10(high); ++k)
    for (double lead : {1, 2, 5})
      if (double tick = lead * std::pow(10, k); tick >= low * 0.9999 && tick <= high * 1.0001)
        ticks.push_back(tick);
  return ticks.size() >= 3 ? ticks : linear_ticks(low, high, count);
}

// Thousands apart by a narrow space, a real minus.
std::string typeset(std::string text) {
  const std::string sign = text.starts_with('-') ? "−" : "";
  if (!sign.empty()) text.erase(0, 1);
  size_t whole = text.find('.');
  if (whole == std::string::npos) whole = text.size();
  if (whole > 3)
    for (size_t at = whole; at > 3; at -= 3) text.insert(at - 3, at == 3 ? "" : "\u202f");
  if (text.starts_with("\u202f")) text.erase(0, std::string("\u202f").size());
  return sign + text;
}

// "10⁻⁵"
std::string text_of_power(int exponent) {
  static const char* const digits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "10⁻" : "10";
  for (char digit : std::to_string(std::abs(exponent))) text += digits[digit - '0'];
  return text;
}

}  // namespace

double Axis::place(double value) const {
  return log ? std::log(value / low) / std::log(high / low) : (value - low) / (high - low);
}

bool Axis::shows(double value) const {
  return std::isfinite(value) && (!log || value > 0);
}

std::vector<double> Axis::ticks(int count) const {
  if (whole && high - low < count) return multiples(low, high, 1);
  return log ? log_ticks(low, high, count) : linear_ticks(low, high, count);
}

std::string Axis::tick_text(double tick, double step) const {
  if (tick == 0) return "0";
  const double exponent = std::floor(std::log10(std::abs(tick)) + 1e-9);
  if (log && (exponent < -3 || exponent > 4)) {
    const double lead = tick / std::pow(10, exponent);
    const std::string power = text_of_power(static_cast<int>(exponent));
    return std::abs(lead - 1) < 1e-6 ? power : number_text(lead, 2) + "×" + power;
  }
  // As many decimals as the step has; on a log scale, where steps differ, as the tick needs.
  double digits = -std::floor(std::log10(std::abs(log ? tick : step)) + 1e-9);
  digits = std::clamp(digits, 0.0, 12.0);
  auto rest = [&](double x) { return std::abs(x - std::round(x)) > 1e-6 * std::abs(x); };
  while (log && digits < 12 && rest(tick * std::pow(10, digits))) ++digits;
  return typeset(fmt::format("{:.{}f}", tick, static_cast<int>(digits)));
}

Axis axis_between(std::string title, double low, double high, bool log) {
  Axis axis{std::move(title), log, low, high};
  if (log) {
    if (!(low > 0 && high > 0 && std::isfinite(high / low))) axis.low = 0.1, axis.high = 10;
    const double room = axis.high > axis.low ? std::pow(axis.high / axis.low, 0.05) : 2;
    axis.low /= room;
    axis.high *= room;
    return axis;
  }
  if (!(std::isfinite(low) && std::isfinite(high))) axis.low = 0, axis.high = 1;
  const double size = std::max(std::abs(axis.low), std::abs(axis.high));
  double room = 0.05 * (axis.high - axis.low);
  if (!(room > 1e-9 * size)) room = size > 0 ? 0.1 * size : 1;
  axis.low -= room;
  axis.high += room;
  return axis;
}

Axis axis_over(std::string title, const std::vector<const std::vector<double>*>& values, bool log) {
  double low = std::numeric_limits<double>::infinity(), high = -low;
  const Axis scale{"", log};
  for (const std::vector<double>* row : values)
    for (double value : *row)
      if (scale.shows(value)) {
        low = std::min(low, value);
        high = std::max(high, value);
      }
  return axis_between(std::move(title), low, high, log);
}

}  // namespace casimir
