#include "trainers/table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace casimir {

namespace {

// Width on screen: bytes that are not continuations of a UTF-8 character.
size_t width_of(const std::string& text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

void append_cell(std::string& line, const std::string& text, size_t width, bool left) {
  std::string blanks(width - width_of(text), ' ');
  line += left ? text + blanks : blanks + text;
}

}  // namespace

void Table::row(std::vector<std::string> cells) {
  check<Error>(cells.size() == columns_.size(), "table: ", cells.size(), " cells for ",
               columns_.size(), " columns");
  rows_.push_back(std::move(cells));
}

void Table::rule() {
  rows_.emplace_back();
}

std::string Table::text(int indent) const {
  std::vector<size_t> width(columns_.size());
  bool units = false;
  for (size_t c = 0; c < columns_.size(); ++c) {
    width[c] = std::max(width_of(columns_[c].name), width_of(columns_[c].unit));
    units |= !columns_[c].unit.empty();
    for (const auto& row : rows_)
      if (!row.empty()) width[c] = std::max(width[c], width_of(row[c]));
  }
  size_t total = columns_.empty() ? 0 : 2 * (columns_.size() - 1);
  for (size_t w : width) total += w;

  std::string out;
  auto add_line = [&](const auto& cell_of) {
    std::string line(indent, ' ');
    for (size_t c = 0; c < columns_.size(); ++c) {
      if (c > 0) line += "  ";
      append_cell(line, cell_of(c), width[c], columns_[c].left);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  const std::string bar = std::string(indent, ' ') + std::string(total, '-') + "\n";
  add_line([&](size_t c) { return columns_[c].name; });
  if (units) add_line([&](size_t c) { return columns_[c].unit; });
  out += bar;
  for (const auto& row : rows_) {
    if (row.empty())
      out += bar;
    else
      add_line([&](size_t c) { return row[c]; });
  }
  return out;
}

std::string number_text(double value, int digits) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (value == 0) return "0";
  double size = std::abs(value);
  if (size < 1e-3 || size >= 1e7) return fmt::format("{:.{}e}", value, digits - 1);
  // Decimals so that `digits` significant ones appear; the rounding may carry into one more.
  int decimals = std::max(0, digits - 1 - static_cast<int>(std::floor(std::log10(size))));
  return fmt::format("{:.{}f}", value, decimals);
}

std::string number_text(const std::optional<double>& value, int digits) {
  return value ? number_text(*value, digits) : "-";
}

std::string count_text(int64_t value) {
  std::string digits = std::to_string(std::abs(value)), out;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) out += ' ';
    out += digits[i];
  }
  return value < 0 ? "-" + out : out;
}

std::string bytes_text(double bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  int unit = 0;
  while (bytes >= 1024 && unit < 4) {
    bytes /= 1024;
    ++unit;
  }
  return unit == 0 ? fmt::format("{:.0f} B", bytes) : fmt::format("{:.3g} {}", bytes, units[unit]);
}

std::string plural(int64_t count, const std::string& noun) {
  return count_text(count) + " " + noun + (count == 1 ? "" : "s");
}

}  // namespace casimir
