// Text tables with units, and numbers as people read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace casimir {

// A table in plain text: a line of names, a line of units (when any column has one), a rule, rows.
// Cells of one column share a width; text is flush left where `left`, numbers flush right.
class Table {
 public:
  struct Column {
    std::string name, unit;
    bool left = false;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void row(std::vector<std::string> cells);  // one per column
  void rule();                               // a line between the rows before and after
  // Every line ends in a newline and starts with `indent` spaces; none has blanks at its end.
  std::string text(int indent = 0) const;
  const std::vector<Column>& columns() const { return columns_; }
  const std::vector<std::vector<std::string>>& rows() const { return rows_; }  // empty: a rule

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

// 4 significant digits without an exponent between 1e-3 and 1e7 ("0.01234", "12.35", "123457"),
// with one outside; "nan" and "inf" as such. An absent number is "-".
std::string number_text(double value, int digits = 4);
std::string number_text(const std::optional<double>& value, int digits = 4);
std::string count_text(int64_t value);                       // "1 234 567"
std::string bytes_text(double bytes);                        // "1.50 GiB"
std::string plural(int64_t count, const std::string& noun);  // "1 frame", "2 frames"

}  // namespace casimir
