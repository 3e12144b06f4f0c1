#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/config_node.h"

namespace casimir {
using Kind = ConfigNode::Kind;
using NodePtr = std::shared_ptr<ConfigNode>;

Rule positive() {
  return {.text = "a positive number", .low = 0, .open_low = true};
}
Rule non_negative() {
  return {.text = "a non-negative number", .low = 0};
}
Rule between(double low, double high) {
  return {.text = concat_text("a number from ", low, " to ", high), .low = low, .high = high};
}
Rule one_of(std::vector<std::string> choices) {
  std::string text;
  for (const std::string& choice : choices) text += (text.empty() ? "one of " : ", ") + choice;
  return {.text = text, .choices = std::move(choices)};
}
Rule required(Rule rule) {
  rule.required = true;
  return rule;
}

void Fields::reject(const char* key, const std::string& expected_and_found) {
  fail<ConfigError>(key, ": ", expected_and_found);
}

std::string for_integers(std::string text) {
  size_t place = text.find("number");
  if (place != std::string::npos) text.replace(place, 6, "integer");
  return text.starts_with("a integer") ? "an" + text.substr(1) : text;
}

std::optional<int64_t> parse_integer(const std::string& text) {
  const char* end = text.data() + text.size();
  const char* begin = text.data() + text.starts_with('+');
  const char* digits = begin + (begin != end && *begin == '-');
  bool octal_look = end - digits > 1 && *digits == '0';
  int64_t value = 0;
  auto [stop, error] = std::from_chars(begin, end, value);
  if (octal_look || error != std::errc() || stop != end) return {};
  return value;
}

std::optional<double> parse_number(const std::string& text) {
  const char* end = text.data() + text.size();
  const char* begin = text.data() + (text.starts_with('+') && !text.starts_with("+-"));
  double value = 0;
  auto [stop, error] = std::from_chars(begin, end, value);
  if (error != std::errc() || stop != end || !std::isfinite(value)) return {};
  return value;
}

namespace {

[[noreturn]] void reject_value(const ConfigNode& node, const std::string& expected,
                               const std::string& note = "") {
  node.reject("expected " + expected + ", found " + node.describe() + note);
}

bool is_plain(const ConfigNode& node) {
  return node.kind == Kind::scalar && !node.quoted;
}

bool holds(const Rule& rule, double value) {
  return (rule.open_low ? value > rule.low : value >= rule.low) && value <= rule.high;
}

// One value of each kind; the rule's text, where it has one, is what was expected.
void convert(const ConfigNode& node, bool& value, const Rule&) {
  bool fits = is_plain(node) && (node.text == "true" || node.text == "false");
  if (!fits) reject_value(node, "true or false");
  value = node.text == "true";
}

void convert(const ConfigNode& node, int64_t& value, const Rule& rule) {
  std::string expected = for_integers(rule.text.empty() ? "a number" : rule.text);
  std::optional<int64_t> parsed;
  if (is_plain(node)) parsed = parse_integer(node.text);
  if (!parsed || !holds(rule, static_cast<double>(*parsed))) reject_value(node, expected);
  value = *parsed;
}

void convert(const ConfigNode& node, int& value, const Rule&) {
  constexpr double low = std::numeric_limits<int>::min(), high = std::numeric_limits<int>::max();
  int64_t wide;
  convert(node, wide, {.text = "a number of at most 32 bits", .low = low, .high = high});
  value = static_cast<int>(wide);
}

void convert(const ConfigNode& node, double& value, const Rule& rule) {
  std::optional<double> parsed;
  if (is_plain(node)) parsed = parse_number(node.text);
  if (!parsed || !holds(rule, *parsed)) {
    reject_value(node, rule.text.empty() ? "a number" : rule.text);
  }
  value = *parsed;
}

void convert(const ConfigNode& node, std::string& value, const Rule& rule) {
  if (node.kind != Kind::scalar) reject_value(node, rule.text.empty() ? "text" : rule.text);
  const std::vector<std::string>& choices = rule.choices;
  bool fits = choices.empty() || std::count(choices.begin(), choices.end(), node.text) > 0;
  if (!fits) reject_value(node, rule.text, did_you_mean(node.text, choices));
  value = node.text;
}

template <class T>
void convert(const ConfigNode& node, std::vector<T>& value, const Rule& rule) {
  std::vector<T> result;
  auto append = [&](const ConfigNode& item) {
    T element;
    convert(item, element, rule);
    result.push_back(element);
  };
  if (node.kind == Kind::list) {
    for (const NodePtr& item : node.items) append(*item);
  } else {
    append(node);
  }
  value = std::move(result);
}

void convert(const ConfigNode& node, std::map<std::string, double>& value, const Rule& rule) {
  if (node.kind != Kind::map) reject_value(node, "a map from names to numbers");
  std::map<std::string, double> result;
  for (size_t i = 0; i < node.items.size(); ++i)
    convert(*node.items[i], result[node.keys[i]], rule);
  value = std::move(result);
}

template <class T>
void convert(const ConfigNode& node, std::optional<T>& value, const Rule& rule) {
  if (node.kind == Kind::null) return value.reset();
  convert(node, value.emplace(), rule);
}

// Reads a document into options; keys that are absent leave their value as it is.
class ConfigReader : public Fields {
 public:
  explicit ConfigReader(NodePtr node) : sections_{std::move(node)} {
    sections_.back()->expect_section();
  }

  bool reading() const override { return true; }
  void reject(const char* key, const std::string& text) override {
    const ConfigNode& section = *sections_.back();
    if (NodePtr child = section.find(key)) child->reject(text);
    fail<ConfigError>(section.where(), ": ", section.path_of(key), ": ", text);
  }

 protected:
  void field(const char* key, FieldValue value, const char* meaning, const Rule& rule) override {
    NodePtr section = sections_.back(), child = section->ask(key);
    if (child) {
      child->mark_read();
      std::visit([&](auto* target) { convert(*child, *target, rule); }, value);
    } else if (rule.required) {
      section->reject_missing(key, meaning);
    }
  }
  void enter(const char* key, const char*) override {
    NodePtr section = sections_.back(), child = section->ask(key);
    if (!child) child = implied_section(*section, key);
    child->expect_section();
    child->read = true;
    sections_.push_back(child);
  }
  // A section that is there but empty ("stage_two: null") is switched off.
  bool enter_optional(const char* key, const char* meaning, bool present) override {
    NodePtr child = sections_.back()->ask(key);
    if (child && child->kind == Kind::null) child->read = true;
    if (child ? child->kind == Kind::null : !present) return false;
    enter(key, meaning);
    return true;
  }
  void leave() override { sections_.pop_back(); }

 private:
  // Stands for a section that is not in the document, so that its keys are known and its faults
  // have a place.
  static NodePtr implied_section(ConfigNode& section, const char* key) {
    auto child = std::make_shared<ConfigNode>();
    child->kind = Kind::map;
    child->path = section.path_of(key);
    child->place = child->key_place = section.where();
    section.implied.push_back(child);
    return child;
  }

  std::vector<NodePtr> sections_;
};

}  // namespace

std::unique_ptr<Fields> Config::make_reader() const {
  node_->read = true;
  return std::make_unique<ConfigReader>(node_);
}

}  // namespace casimir
