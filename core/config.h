// The YAML view: typed reading that knows file:line:column and which keys were read, and the option
// structs' single description of their keys.
//
// A struct describes itself once; reading, the resolved dump and `casimir help config` follow:
//
//   struct OptimizerOptions {
//     std::string kind = "adam";
//     double lr = 0.01;
//     void fields(Fields& f) {
//       f("kind", kind, "update rule", one_of({"adam", "adamw", "amsgrad"}));
//       f("lr", lr, "initial learning rate", positive());
//     }
//   };
//   auto options = config["optimizer"].read<OptimizerOptions>();
#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "core/error.h"

namespace casimir {

// What a value has to satisfy; the text completes "expected ...". For a list or map, each element.
struct Rule {
  std::string text;  // "a positive number"; integers make it "a positive integer"; empty: anything
  double low = -std::numeric_limits<double>::infinity();  // inclusive bounds for numbers
  double high = std::numeric_limits<double>::infinity();
  bool open_low = false;                  // low itself is excluded
  std::vector<std::string> choices = {};  // for strings
  bool required = false;                  // the key must be there
};
Rule positive();
Rule non_negative();
Rule between(double low, double high);
Rule one_of(std::vector<std::string> choices);
Rule required(Rule rule = {});

class Config;
struct ConfigNode;

// What a key can hold. A list of one element may be written without brackets. An optional is
// emptied by `null`.
using FieldValue =
    std::variant<bool*, int*, int64_t*, double*, std::string*, std::vector<int64_t>*,
                 std::vector<double>*, std::vector<std::string>*, std::map<std::string, double>*,
                 std::optional<int64_t>*, std::optional<double>*, std::optional<std::string>*>;

// The visitor that an options struct is shown to: it reads, writes or explains.
class Fields {
 public:
  virtual ~Fields() = default;

  template <class T>
  requires std::constructible_from<FieldValue, T*>
  void operator()(const char* key, T& value, const char* meaning, const Rule& rule = {}) {
    field(key, &value, meaning, rule);
  }
  // A section. Absent keys keep their defaults, so an absent section is one with every default.
  template <class Options>
  requires requires(Options& o, Fields& f) { o.fields(f); }
  void operator()(const char* key, Options& value, const char* meaning) {
    enter(key, meaning);
    value.fields(*this);
    leave();
  }
  // A section that may be off: it is on when the file has it, or when it is on by default and the
  // file does not switch it off with `null`.
  template <class Options>
  requires requires(Options& o, Fields& f) { o.fields(f); }
  void operator()(const char* key, std::optional<Options>& value, const char* meaning) {
    if (!enter_optional(key, meaning, value.has_value())) return value.reset();
    if (!value) value.emplace();
    value->fields(*this);
    leave();
  }

  // Whether values come from a file now: the moment to check what a Rule cannot say.
  virtual bool reading() const { return false; }
  // Reports a fault of the value just read, at its place in the file.
  [[noreturn]] virtual void reject(const char* key, const std::string& expected_and_found);

 protected:
  virtual void field(const char* key, FieldValue value, const char* meaning, const Rule& rule) = 0;
  virtual void enter(const char* key, const char* meaning) = 0;
  // `present`: it is on by default. False: it is off, and leave() is not called.
  virtual bool enter_optional(const char* key, const char* meaning, bool present) = 0;
  virtual void leave() = 0;
};

// One node of a parsed document. Cheap to copy; nodes remember that they were read.
class Config {
 public:
  // Parses YAML (strict: UTF-8, one document, no duplicate keys, no tags, bounded aliases and
  // depth). `name` stands in messages. ConfigError "NAME:LINE:COL: ..." on any fault.
  static Config parse(const std::string& text, const std::string& name);
  static Config load(const std::string& path);  // MissingError when there is no such file

  // Applies "train.optimizer.lr=1e-3" (the value is YAML); UsageError when it is not of that form.
  void override_with(const std::string& assignment);

  bool is_map() const;
  std::vector<std::string> keys() const;  // of a section, in the file's order
  bool has(const std::string& key) const;
  Config operator[](const std::string& key) const;  // ConfigError when absent
  std::string where() const;                        // "configs/a.yaml:9:12"
  std::string path() const;                         // "model.hidden_irreps"

  template <class T>
  T get(const std::string& key) const {  // required
    T value{};
    (*make_reader())(key.c_str(), value, "", required());
    return value;
  }
  template <class T>
  T get(const std::string& key, T fallback, const Rule& rule = {}) const {  // optional
    (*make_reader())(key.c_str(), fallback, "", rule);
    return fallback;
  }
  std::string get(const std::string& key, const char* fallback, const Rule& rule = {}) const {
    return get<std::string>(key, fallback, rule);
  }
  template <class Options>
  Options read(Options options = {}) const {  // absent keys keep their defaults
    options.fields(*make_reader());
    return options;
  }

  // Every key that nobody read is an error, reported together, each with its place and the nearest
  // key that was asked for in the same section.
  void check_all_read() const;
  void mark_read() const;                                   // this node and everything below it
  [[noreturn]] void reject(const std::string& text) const;  // ConfigError at this node
  std::string dump() const;                                 // the (overridden) document as YAML

 private:
  explicit Config(std::shared_ptr<ConfigNode> node) : node_(std::move(node)) {}
  std::unique_ptr<Fields> make_reader() const;
  std::shared_ptr<ConfigNode> node_;
};

// The options as YAML, every default filled in; block style, keys in the struct's order. `indent`
// spaces stand before every line. It reads back to equal values.
std::string dump_yaml(const std::function<void(Fields&)>& fields, int indent = 0);
template <class Options>
std::string to_yaml(Options options, int indent = 0) {
  return dump_yaml([&](Fields& f) { options.fields(f); }, indent);
}

// Text for people: one line per key with type, default, meaning, rule.
std::string help_text(const std::function<void(Fields&)>& fields, int indent = 0);
template <class Options>
std::string to_help(Options options = {}, int indent = 0) {
  return help_text([&](Fields& f) { options.fields(f); }, indent);
}

}  // namespace casimir
