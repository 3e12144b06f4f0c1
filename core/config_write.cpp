#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/config_node.h"

namespace casimir {
namespace {

// Words that some YAML reader takes for something other than text.
bool is_reserved_word(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  constexpr const char* words[] = {"true", "false", "yes", "no", "on", "off", "null"};
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}

// Dates, times, numbers in any base or grouping: anything that begins as a number does and has no
// letter but an exponent's. Irreps such as 64x0e+64x1o stay plain.
bool looks_numeric(const std::string& text) {
  if (text.starts_with("0x") || text.starts_with("0o") || text.starts_with("0b")) return true;
  return text.find_first_not_of("0123456789+-._:eE") == std::string::npos;
}

std::string quote(const std::string& text) {
  std::string result = "\"";
  for (char c : text) {
    auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\')
      result += '\\', result += c;
    else if (c == '\n')
      result += "\\n";
    else if (c == '\t')
      result += "\\t";
    else if (code < 0x20 || code == 0x7F)
      result += concat_text("\\x", "0123456789abcdef"[code >> 4], "0123456789abcdef"[code & 15]);
    else
      result += c;
  }
  return result + '"';
}

// The shortest text that reads back to the same bits, always with a point: 5.0, 1.0e-06.
std::string number_text(double value) {
  check<ConfigError>(std::isfinite(value), "config: cannot write the number ", value);
  char digits[32];
  auto [end, error] = std::to_chars(digits, digits + sizeof digits, value);
  std::string text(digits, end);
  if (text.find('.') == std::string::npos) text.insert(std::min(text.find('e'), text.size()), ".0");
  return text;
}

std::string value_text(bool value) {
  return value ? "true" : "false";
}
std::string value_text(int64_t value) {
  return std::to_string(value);
}
std::string value_text(int value) {
  return std::to_string(value);
}
std::string value_text(double value) {
  return number_text(value);
}
std::string value_text(const std::string& value) {
  return yaml_text(value);
}
template <class T>
std::string value_text(const std::vector<T>& values) {
  std::string text;
  for (const T& value : values) text += (text.empty() ? "" : ", ") + value_text(value);
  return "[" + text + "]";
}
std::string value_text(const std::map<std::string, double>& values) {
  std::string text;
  for (const auto& [key, value] : values) {
    text += (text.empty() ? "" : ", ") + yaml_text(key) + ": " + value_text(value);
  }
  return "{" + text + "}";
}
template <class T>
std::string value_text(const std::optional<T>& value) {
  return value ? value_text(*value) : "null";
}

class YamlWriter : public Fields {
 public:
  explicit YamlWriter(int indent) : indent_(indent, ' ') {}
  const std::string& text() const { return text_; }

 protected:
  void field(const char* key, FieldValue value, const char*, const Rule&) override {
    text_ += indent_ + key + ": " +
             std::visit([](const auto* source) { return value_text(*source); }, value) + "\n";
  }
  void enter(const char* key, const char*) override {
    text_ += indent_ + key + ":\n";
    indent_ += "  ";
    begins_.push_back(text_.size());
  }
  bool enter_optional(const char* key, const char* meaning, bool present) override {
    if (present)
      enter(key, meaning);
    else
      text_ += indent_ + key + ": null\n";
    return present;
  }
  void leave() override {
    if (text_.size() == begins_.back()) text_.insert(text_.size() - 1, " {}");
    begins_.pop_back();
    indent_.resize(indent_.size() - 2);
  }

 private:
  std::string indent_, text_;
  std::vector<size_t> begins_;
};

const char* type_name(const bool*) {
  return "true/false";
}
const char* type_name(const int*) {
  return "integer";
}
const char* type_name(const int64_t*) {
  return "integer";
}
const char* type_name(const double*) {
  return "number";
}
const char* type_name(const std::string*) {
  return "text";
}
const char* type_name(const std::vector<int64_t>*) {
  return "integers";
}
const char* type_name(const std::vector<double>*) {
  return "numbers";
}
const char* type_name(const std::vector<std::string>*) {
  return "texts";
}
const char* type_name(const std::map<std::string, double>*) {
  return "map";
}
template <class T>
const char* type_name(const std::optional<T>*) {
  return type_name(static_cast<const T*>(nullptr));
}

// Collects the rows of the table; widths are known at the end.
class HelpWriter : public Fields {
 public:
  explicit HelpWriter(int indent) : indent_(indent, ' ') {}

  std::string text() const {
    size_t widths[3] = {0, 0, 0};
    for (const Row& row : rows_) {
      for (int i = 0; i < 3; ++i) widths[i] = std::max(widths[i], row.cells[i].size());
    }
    std::string text;
    for (const Row& row : rows_) {
      for (int i = 0; i < 3; ++i) {
        text += row.cells[i] + std::string(widths[i] - row.cells[i].size() + 2, ' ');
      }
      text += row.meaning + "\n";
    }
    return text;
  }

 protected:
  void field(const char* key, FieldValue value, const char* meaning, const Rule& rule) override {
    std::string text = std::visit([](const auto* source) { return value_text(*source); }, value);
    std::string type = std::visit([](const auto* source) { return type_name(source); }, value);
    std::string expected = type.starts_with("integer") ? for_integers(rule.text) : rule.text;
    add(key, type,
        rule.required    ? "required"
        : text == "null" ? "none"
                         : text,
        meaning + (expected.empty() ? "" : "; " + expected));
  }
  void enter(const char* key, const char* meaning) override {
    add(key, "section", "", meaning);
    indent_ += "  ";
  }
  bool enter_optional(const char* key, const char* meaning, bool present) override {
    enter(key, meaning);
    if (!present) rows_.back().cells[2] = "none";
    return true;
  }
  void leave() override { indent_.resize(indent_.size() - 2); }

 private:
  struct Row {
    std::string cells[3];  // key, type, default
    std::string meaning;
  };
  void add(const char* key, const std::string& type, const std::string& standard,
           const std::string& meaning) {
    rows_.push_back({{indent_ + key, type, standard}, meaning});
  }

  std::string indent_;
  std::vector<Row> rows_;
};

}  // namespace

std::string yaml_text(const std::string& text) {
  // Plain where it means the same everywhere: letters, digits and harmless signs, inside lists too.
  constexpr const char* first = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_/.";
  auto harmless = [](unsigned char c) {
    return std::isalnum(c) || c >= 0x80 ||
           std::string_view("_/.+-=()^").find(c) != std::string::npos;
  };
  bool plain = !text.empty() && std::string_view(first).find(text[0]) != std::string::npos &&
               std::all_of(text.begin(), text.end(), harmless) && !looks_numeric(text) &&
               !is_reserved_word(text);
  return plain ? text : quote(text);
}

std::string dump_yaml(const std::function<void(Fields&)>& fields, int indent) {
  YamlWriter writer(indent);
  fields(writer);
  return writer.text();
}

std::string help_text(const std::function<void(Fields&)>& fields, int indent) {
  HelpWriter writer(indent);
  fields(writer);
  return writer.text();
}

}  // namespace casimir
