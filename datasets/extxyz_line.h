// Inside the extended XYZ reader and writer: lines, words, numbers, key=value pairs, one frame.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "datasets/extxyz.h"

namespace casimir::extxyz {

// Starts every message: "train.xyz: frame 117, line 2574: ". Frames from 0, lines from 1.
struct Place {
  const std::string& path;
  int64_t frame = 0, line = 0;
};
inline std::ostream& operator<<(std::ostream& out, const Place& place) {
  return out << place.path << ": frame " << place.frame << ", line " << place.line << ": ";
}

using Pairs = std::vector<std::pair<std::string, std::string>>;

// key=value pairs in order, values as written with their quotes; a word alone has the value "".
// Values: "..." and '...' with backslash escapes, [...] and {...} nested, or up to the next blank.
// Blanks around = are allowed. A key given twice or a quote without end: DataError.
Pairs parse_comment(const Place& place, std::string_view line);

// The value without its quotes or brackets and with escapes resolved.
std::string unquote(std::string_view value);
// The inverse for text that needs quotes.
std::string quote(const std::string& text);

// One line, without its end, from the front of `text`.
std::string_view take_line(std::string_view& text);
bool is_blank(char c);
std::string_view strip(std::string_view text);
// The next word of `text`, which then starts after it; empty at the end.
std::string_view next_word(std::string_view& text);

// The whole word as a number; nullopt when it is not one. NaN and infinities are numbers here.
std::optional<double> parse_number(std::string_view word);
std::optional<int64_t> parse_integer(std::string_view word);
std::optional<bool> parse_logical(std::string_view word);  // T F True False TRUE true 1 0 ...
// Words of a list value, "1 2 3", [1, 2, 3], [[1, 2], [3, 4]] or "_JSON [1, 2]".
std::vector<std::string> list_words(std::string_view value);

// At most 40 characters, quoted, with anything unprintable as \xNN: for messages.
std::string shown(std::string_view text);

// The shortest text that reads back to the same bits.
std::string shortest(double value);

// A frame from its comment line on; `place` is that line. `text` holds at least atoms + 1 lines.
Frame read_frame(const Place& place, const ExtxyzKeys& keys, std::string_view text, int64_t atoms);

}  // namespace casimir::extxyz
