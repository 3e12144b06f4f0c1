// The axis of a picture: which numbers it spans, where they stand, and which of them are written.
#pragma once

#include <string>
#include <vector>

namespace casimir {

struct Axis {
  std::string title;  // with its unit: "forces RMSE, meV/Å"
  bool log = false;
  double low = 0, high = 1;
  bool whole = false;  // ticks are whole numbers

  double place(double value) const;  // 0 at low, 1 at high; beyond them outside [0, 1]
  bool shows(double value) const;    // finite, and above 0 where the scale is logarithmic
  // Between low and high; multiples of 1, 2 or 5 times a power of ten, powers alone where the axis
  // spans several. About `count` of them, never more than twice that.
  std::vector<double> ticks(int count = 5) const;
  std::string tick_text(double tick, double step) const;  // "5 000", "−0.25", "10⁻⁵"
};

// An axis around these numbers with a margin, those that a scale cannot show left out; a single
// number, or none, gets some room.
Axis axis_over(std::string title, const std::vector<const std::vector<double>*>& values,
               bool log = false);
Axis axis_between(std::string title, double low, double high, bool log = false);

}  // namespace casimir
