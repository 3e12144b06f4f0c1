#include "trainers/plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "trainers/table.h"

namespace casimir {

namespace {

constexpr int width = 420, left = 58, right = 20, top = 46, bottom = 42;
constexpr const char* ink = "#1c2430";
constexpr const char* grey = "#667080";
constexpr const char* rule = "#e3e7ec";
constexpr const char* series[] = {"#1f6fb4", "#c8591b", "#3c8a4d"};
constexpr double shades[Density::levels] = {0.3, 0.46, 0.62, 0.8, 1};

// "12.3", "12"
std::string place_text(double x) {
  const double rounded = std::round(10 * x) / 10;
  return rounded == std::floor(rounded) ? fmt::format("{:.0f}", rounded)
                                        : fmt::format("{:.1f}", rounded);
}

// look: head, plain or faint; "... halo" keeps it readable over lines and cells.
std::string text_at(double x, double y, const char* anchor, std::string_view look,
                    const std::string& text) {
  std::string more = look.starts_with("head") ? " font-weight=\"600\"" : "";
  if (look.ends_with("halo"))
    more += " stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\"";
  return fmt::format(
      "<text class=\"{}\" x=\"{}\" y=\"{}\" text-anchor=\"{}\" fill=\"{}\"{}>{}</text>\n", look,
      place_text(x), place_text(y), anchor, look.starts_with("faint") ? grey : ink, more,
      escaped(text));
}

std::string segment(double x, double y, double to_x, double to_y, const char* look,
                    const char* colour, const char* more = "") {
  return fmt::format("<path class=\"{}\" d=\"M{} {}L{} {}\" fill=\"none\" stroke=\"{}\"{}/>\n",
                     look, place_text(x), place_text(y), place_text(to_x), place_text(to_y), colour,
                     more);
}

std::string opened(const std::string& title, int height) {
  return fmt::format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" role=\"img\" "
             "font-family=\"system-ui, 'Segoe UI', Helvetica, Arial, sans-serif\" "
             "font-size=\"11.5\">\n"
             "<title>{}</title>\n<rect class=\"paper\" width=\"{}\" height=\"{}\" "
             "fill=\"#ffffff\"/>\n",
             width, height, escaped(title), width, height) +
         text_at(2, 15, "start", "head", title);
}

// At most `most` characters of a name, in UTF-8.
std::string shortened(const std::string& name, size_t most) {
  auto begins = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  size_t end = 0;
  for (size_t count = 0; end < name.size(); ++end)
    if (begins(name[end]) && count++ == most - 1) break;
  const auto rest = std::count_if(name.begin() + static_cast<int64_t>(end), name.end(), begins);
  return rest > 1 ? name.substr(0, end) + "…" : name;
}

// Where the numbers of a plot stand in its picture.
struct Area {
  const Plot& plot;
  double x(double value) const { return left + plot.x.place(value) * across(); }
  double y(double value) const { return top + (1 - plot.y.place(value)) * up(); }
  double across() const { return width - left - right; }
  double up() const { return plot.height - top - bottom; }
  double base() const { return plot.height - bottom; }
};

double step_of(const std::vector<double>& ticks) {
  double step = ticks.empty() ? 1 : std::abs(ticks[0]);
  for (size_t i = 1; i < ticks.size(); ++i)
    step = i == 1 ? ticks[1] - ticks[0] : std::min(step, ticks[i] - ticks[i - 1]);
  return step;
}

std::string axes_svg(const Area& area) {
  const Plot& plot = area.plot;
  std::string out;
  const std::vector<double> up = plot.y.ticks(5), across = plot.x.ticks(5);
  for (double tick : up) {
    out += segment(left, area.y(tick), width - right, area.y(tick), "rule", rule);
    out += text_at(left - 7, area.y(tick) + 4, "end", "faint", plot.y.tick_text(tick, step_of(up)));
  }
  for (double tick : across) {
    out += segment(area.x(tick), area.base(), area.x(tick), area.base() + 4, "axis", grey);
    out += text_at(area.x(tick), area.base() + 17, "middle", "faint",
                   plot.x.tick_text(tick, step_of(across)));
  }
  out += segment(left, area.base(), width - right, area.base(), "axis", grey);
  out += text_at(2, 33, "start", "faint", plot.y.title);
  out += text_at(left + area.across() / 2, plot.height - 6, "middle", "faint", plot.x.title);
  return out;
}

std::string line_svg(const Area& area, const Line& line, size_t number) {
  const Line drawn = thinned(line, area.plot.x, area.plot.y, static_cast<int>(area.across()));
  if (drawn.x.empty()) return "";
  std::string path;
  for (size_t i = 0; i < drawn.x.size(); ++i)
    path += fmt::format("{}{} {}", i == 0 ? "M" : "L", place_text(area.x(drawn.x[i])),
                        place_text(area.y(drawn.y[i])));
  if (drawn.x.size() == 1) path += "h0.1";  // a round end makes a dot of it
  return fmt::format(
      "<path class=\"s{}\" d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" "
      "stroke-linejoin=\"round\" stroke-linecap=\"round\"/>\n",
      number % 3, path, series[number % 3], drawn.x.size() == 1 ? "5" : "1.6");
}

// From the right: names in the line of the axis title, each behind a piece of its line.
std::string legend_svg(const std::vector<Line>& lines) {
  if (lines.size() < 2) return "";
  std::string out;
  double x = width - right;
  for (size_t i = lines.size(); i-- > 0;) {
    out += text_at(x, 33, "end", "plain", lines[i].name);
    x -= 6.2 * static_cast<double>(lines[i].name.size()) + 22;
    out += segment(x, 29, x + 16, 29, fmt::format("s{}", i % 3).c_str(), series[i % 3],
                   " stroke-width=\"2\"");
    x -= 12;
  }
  return out;
}

// A path per shade; neighbours of one row in one piece.
std::string density_svg(const Area& area, const Density& density) {
  const double wide = area.across() / density.bins, high = area.up() / density.bins;
  std::array<std::string, Density::levels> paths;
  const int bins = density.bins;
  const int64_t largest = density.largest();
  for (int row = 0; row < bins && largest > 0; ++row)
    for (int column = 0; column < bins;) {
      auto shade = [&](int c) {
        const int64_t count = density.counts[row * bins + c];
        return count > 0 ? density.level(count, largest) : -1;
      };
      const int begin = column, level = shade(column);
      while (column < bins && shade(column) == level) ++column;
      if (level < 0) continue;
      const std::string from = place_text(left + wide * begin);
      paths[level] += fmt::format("M{} {}H{}V{}H{}z", from, place_text(area.base() - high * row),
                                  place_text(left + wide * column),
                                  place_text(area.base() - high * (row + 1)), from);
    }
  std::string out;
  for (int i = 0; i < Density::levels; ++i)
    if (!paths[i].empty())
      out += fmt::format(
          "<path class=\"cells\" d=\"{}\" fill=\"{}\" fill-opacity=\"{}\" "
          "shape-rendering=\"crispEdges\"/>\n",
          paths[i], series[0], shades[i]);
  return out;
}

// The shades, from one point per cell to the most.
std::string shades_svg(const Density& density) {
  const std::string most = count_text(density.largest());
  if (density.largest() < 2) return "";
  double x = width - right - 6.4 * static_cast<double>(most.size());
  std::string out = text_at(width - right, 33, "end", "faint", most);
  for (int i = Density::levels; i-- > 0;) {
    x -= 13;
    out += fmt::format(
        "<rect class=\"cells\" x=\"{}\" y=\"24\" width=\"12\" height=\"9\" fill=\"{}\" "
        "fill-opacity=\"{}\"/>\n",
        place_text(x - 4), series[0], shades[i]);
  }
  return out + text_at(x - 9, 33, "end", "faint", "per cell 1");
}

std::string marks_svg(const Area& area) {
  std::string out;
  double row = top + 11;
  for (const Mark& mark : area.plot.marks) {
    const double x = area.x(mark.x);
    if (!(x >= left && x <= width - right)) continue;
    out += segment(x, top, x, area.base(), "mark", grey, " stroke-dasharray=\"4 3\"");
    if (mark.text.empty()) continue;
    const bool fits = x + 7.0 * static_cast<double>(mark.text.size()) < width - right;
    out += text_at(fits ? x + 5 : x - 5, row, fits ? "start" : "end", "faint halo", mark.text);
    row = row > top + 30 ? top + 11 : row + 14;  // so that words of near marks do not meet
  }
  return out;
}

std::string diagonal_svg(const Area& area) {
  const double low = std::max(area.plot.x.low, area.plot.y.low);
  const double high = std::min(area.plot.x.high, area.plot.y.high);
  if (!area.plot.diagonal || !(low < high)) return "";
  return segment(area.x(low), area.y(low), area.x(high), area.y(high), "mark", grey);
}

}  // namespace

void Density::add(double across, double up) {
  if (!std::isfinite(across) || !std::isfinite(up)) return;
  if (counts.empty()) counts.resize(bins * bins);
  auto cell = [this](double place) {
    return static_cast<int>(std::clamp(place * bins, 0.0, bins - 1.0));
  };
  ++counts[cell(up) * bins + cell(across)];
}

int64_t Density::largest() const {
  return counts.empty() ? 0 : *std::max_element(counts.begin(), counts.end());
}

int Density::level(int64_t count, int64_t largest) const {
  if (largest == 1) return levels / 2;
  const double share =
      std::log(static_cast<double>(count)) / std::log(static_cast<double>(largest) + 1);
  return std::clamp(static_cast<int>(share * levels), 0, levels - 1);
}

Density density_for(int64_t points) {
  const double bins = 8 * std::pow(static_cast<double>(points), 0.3);
  return {static_cast<int>(std::clamp(bins, 32.0, 96.0)), {}};
}

Line thinned(const Line& line, const Axis& x, const Axis& y, int pixels) {
  Line out{line.name, {}, {}};
  std::vector<size_t> column;  // first, lowest, highest, last of the current one
  auto flush = [&] {
    std::sort(column.begin(), column.end());
    column.erase(std::unique(column.begin(), column.end()), column.end());
    for (size_t i : column) {
      out.x.push_back(line.x[i]);
      out.y.push_back(line.y[i]);
    }
    column.clear();
  };
  double current = -1;
  size_t first = 0, lowest = 0, highest = 0, last = 0;
  bool any = false;
  for (size_t i = 0; i < line.x.size(); ++i) {
    if (!x.shows(line.x[i]) || !y.shows(line.y[i])) continue;
    const double pixel = std::floor(x.place(line.x[i]) * pixels);
    if (!any || pixel != current) {
      if (any) column = {first, lowest, highest, last}, flush();
      first = lowest = highest = i;
      current = pixel;
      any = true;
    }
    if (line.y[i] < line.y[lowest]) lowest = i;
    if (line.y[i] > line.y[highest]) highest = i;
    last = i;
  }
  if (any) column = {first, lowest, highest, last}, flush();
  return out;
}

std::string Plot::svg() const {
  const Area area{*this};
  std::string out = opened(title, height) + axes_svg(area);
  if (density) out += density_svg(area, *density) + shades_svg(*density);
  out += diagonal_svg(area);
  for (size_t i = 0; i < lines.size(); ++i) out += line_svg(area, lines[i], density ? i + 1 : i);
  out += marks_svg(area);
  if (!density) out += legend_svg(lines);
  for (size_t i = 0; i < notes.size(); ++i)
    out +=
        text_at(left + 8, top + 14 + 15 * static_cast<double>(i), "start", "plain halo", notes[i]);
  return out + "</svg>\n";
}

std::string Bars::svg() const {
  double most = 0;
  size_t longest = 0;
  for (const Row& row : rows) {
    most = std::max(most, row.value);
    longest = std::max(longest, row.name.size());
  }
  const double start = std::min(150.0, 12 + 6.6 * static_cast<double>(longest)), end = width - 62;
  double y = 42;
  std::string out = opened(title, 52 + 19 * static_cast<int>(rows.size()));
  out += text_at(2, 32, "start", "faint", unit);
  for (const Row& row : rows) {
    const double length = most > 0 ? (end - start) * row.value / most : 0;
    out += text_at(start - 8, y + 11, "end", "plain", shortened(row.name, 21));
    out += fmt::format(
        "<rect class=\"bar\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"13\" rx=\"2\" fill=\"{}\"/>\n",
        place_text(start), place_text(y), place_text(std::max(length, 1.0)), series[0]);
    out += text_at(start + length + 6, y + 11, "start", "faint", number_text(row.value));
    y += 19;
  }
  return out + "</svg>\n";
}

std::string escaped(std::string_view text) {
  std::string out;
  for (char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += static_cast<unsigned char>(c) < 0x20 && c != '\n' && c != '\t' ? ' ' : c;
  }
  return out;
}

}  // namespace casimir
