// Pictures as SVG text: lines, densities and bars on axes with units. Each stands alone, with light
// colours of its own; a page gives its classes other ones (report_style.h).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "trainers/plot_axis.h"

namespace casimir {

// How many of very many points fall into each cell of a square.
struct Density {
  static constexpr int levels = 5;     // shades, by the logarithm of the count
  int bins = 96;                       // along each side
  std::vector<int64_t> counts;         // [bins, bins], row-major from the lower left; empty: none
  void add(double across, double up);  // places from 0 to 1; what is outside counts at the edge
  int64_t largest() const;             // 0: nothing in it
  int level(int64_t count, int64_t largest) const;  // from 0; count is at least 1
};
Density density_for(int64_t points);  // coarser for few points

struct Line {
  std::string name;
  std::vector<double> x, y;  // what an axis cannot show is left out
};

// The points of a line where it is drawn on `pixels` columns: in each the first, lowest, highest
// and last, in order. So the picture of many points costs as much as that of few.
Line thinned(const Line& line, const Axis& x, const Axis& y, int pixels);

struct Mark {  // a vertical line, with a word or without
  double x = 0;
  std::string text;
};

struct Plot {
  std::string title;
  Axis x, y;
  std::vector<Line> lines{};  // at most three; named in a legend when there are several
  std::optional<Density> density{};
  std::vector<Mark> marks{};
  std::vector<std::string> notes{};  // short lines in the upper left corner
  bool diagonal = false;
  int height = 270;  // of a picture 420 wide

  std::string svg() const;
};

struct Bars {
  struct Row {
    std::string name;
    double value = 0;
  };
  std::string title, unit;
  std::vector<Row> rows;

  std::string svg() const;
};

std::string escaped(std::string_view text);  // for SVG and HTML: & < > " and control characters

}  // namespace casimir
