#include "datasets/extxyz_line.h"

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <unordered_set>

#include "core/error.h"

namespace casimir::extxyz {
namespace {

// The end of a value that starts with a quote or a bracket: one past its closing mark.
size_t end_of_enclosed(const Place& place, std::string_view line, size_t begin) {
  std::string closing;  // the marks still to come, innermost last
  for (size_t i = begin; i < line.size(); ++i) {
    char c = line[i];
    bool in_quotes = !closing.empty() && (closing.back() == '"' || closing.back() == '\'');
    if (c == '\\') {
      ++i;
    } else if (!closing.empty() && c == closing.back()) {
      closing.pop_back();
      if (closing.empty()) return i + 1;
    } else if (in_quotes) {
      continue;
    } else if (c == '"' || c == '\'') {
      closing += c;
    } else if (c == '[' || c == '{') {
      closing += c == '[' ? ']' : '}';
    }
  }
  fail<DataError>(place, "no closing ", closing.empty() ? '"' : closing.front(), " for ",
                  shown(line.substr(begin)));
}

bool opens(char c) {
  return c == '"' || c == '\'' || c == '[' || c == '{';
}

}  // namespace

std::string_view take_line(std::string_view& text) {
  size_t end = text.find('\n');
  std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  return line;
}

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

std::string_view strip(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string_view next_word(std::string_view& text) {
  size_t begin = 0;
  while (begin < text.size() && is_blank(text[begin])) ++begin;
  size_t end = begin;
  while (end < text.size() && !is_blank(text[end])) ++end;
  std::string_view word = text.substr(begin, end - begin);
  text.remove_prefix(end);
  return word;
}

Pairs parse_comment(const Place& place, std::string_view line) {
  Pairs pairs;
  std::unordered_set<std::string> seen;
  size_t i = 0;
  auto skip_blanks = [&] {
    while (i < line.size() && is_blank(line[i])) ++i;
  };
  for (skip_blanks(); i < line.size(); skip_blanks()) {
    size_t begin = i;
    if (line[i] == '"' || line[i] == '\'') i = end_of_enclosed(place, line, i);
    while (i < line.size() && !is_blank(line[i]) && line[i] != '=') ++i;
    std::string key = unquote(line.substr(begin, i - begin));
    size_t after_key = i;
    skip_blanks();
    if (i >= line.size() || line[i] != '=') {  // a word without a value; may be repeated
      i = after_key;
      if (seen.insert(key).second) pairs.emplace_back(key, "");
      continue;
    }
    check<DataError>(!key.empty(), place, "no key before ", shown(line.substr(i)));
    ++i;
    skip_blanks();
    begin = i;
    if (i < line.size() && opens(line[i])) {
      i = end_of_enclosed(place, line, i);
      check<DataError>(i == line.size() || is_blank(line[i]), place,
                       "expected a blank after the value of '", key, "', found ",
                       shown(line.substr(i)));
    }
    while (i < line.size() && !is_blank(line[i])) ++i;
    check<DataError>(i > begin, place, "no value after '", key, "='");
    check<DataError>(seen.insert(key).second, place, "the key '", key, "' is given twice");
    pairs.emplace_back(key, std::string(line.substr(begin, i - begin)));
  }
  return pairs;
}

std::string unquote(std::string_view value) {
  if (value.size() >= 2 && opens(value.front())) value = value.substr(1, value.size() - 2);
  std::string text;
  for (size_t i = 0; i < value.size(); ++i) {
    if (value[i] == '\\' && i + 1 < value.size()) ++i;
    text += value[i];
  }
  return text;
}

std::string quote(const std::string& text) {
  if (!text.empty() && text.find_first_of(" \t\"'{}[]=\\,") == std::string::npos) return text;
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + '"';
}

std::optional<double> parse_number(std::string_view word) {
  if (!word.empty() && word[0] == '+') word.remove_prefix(1);
  if (word.empty() || word[0] == '+') return std::nullopt;
  double value = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (end != word.data() + word.size()) return std::nullopt;
  if (error == std::errc::result_out_of_range)  // strtod tells underflow from overflow
    return std::strtod(std::string(word).c_str(), nullptr);
  return error == std::errc() ? std::optional(value) : std::nullopt;
}

std::optional<int64_t> parse_integer(std::string_view word) {
  if (!word.empty() && word[0] == '+') word.remove_prefix(1);
  int64_t value = 0;
  auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (word.empty() || end != word.data() + word.size() || error != std::errc()) return std::nullopt;
  return value;
}

std::optional<bool> parse_logical(std::string_view word) {
  for (const char* yes : {"T", "True", "TRUE", "true", "1"})
    if (word == yes) return true;
  for (const char* no : {"F", "False", "FALSE", "false", "0"})
    if (word == no) return false;
  return std::nullopt;
}

std::vector<std::string> list_words(std::string_view value) {
  std::string text = unquote(value);
  if (text.rfind("_JSON ", 0) == 0) text.erase(0, 6);
  for (char& c : text)
    if (c == '[' || c == ']' || c == '{' || c == '}' || c == ',') c = ' ';
  std::vector<std::string> words;
  std::string_view rest = text;
  for (std::string_view word = next_word(rest); !word.empty(); word = next_word(rest))
    words.emplace_back(word);
  return words;
}

std::string shown(std::string_view text) {
  constexpr size_t longest = 40;
  constexpr char digits[] = "0123456789ABCDEF";
  std::string out = "'";
  for (char c : text.substr(0, longest)) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7F)
      out += c;
    else
      out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]};
  }
  return out + (text.size() > longest ? "...'" : "'");
}

std::string shortest(double value) {
  char text[32];
  auto [end, error] = std::to_chars(text, text + sizeof text, value);
  return {text, end};
}

}  // namespace casimir::extxyz
