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

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error.h"

namespace casimir {

// What a value has to satisfy; the text completes "expected ...".
struct Rule {
  std::string text;                                  // "a positive number"; empty: anything
  double low = -1e308, high = 1e308;                 // inclusive bounds for numbers
  bool open_low = false;                             // low itself is excluded
  std::vector<std::string> choices;                  // for strings
  bool required = false;                             // the key must be there
};
Rule positive();
Rule non_negative();
Rule between(double low, double high);
Rule one_of(std::vector<std::string> choices);
Rule required(Rule rule = {});

class Config;

// The visitor that an options struct is shown to. Supported: bool, int64_t, double, std::string,
// vectors of the last three, string -> double maps, std::optional of those, and nested structs.
class Fields {
 public:
  virtual ~Fields() = default;
  virtual void operator()(const char* key, bool& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, int64_t& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, double& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, std::string& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, std::vector<int64_t>& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, std::vector<double>& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, std::vector<std::string>& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, std::map<std::string, double>& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, std::optional<double>& value, const char* meaning, Rule rule = {}) = 0;
  virtual void operator()(const char* key, std::optional<int64_t>& value, const char* meaning, Rule rule = {}) = 0;

  template <class Options>
    requires requires(Options& o, Fields& f) { o.fields(f); }
  void operator()(const char* key, Options& value, const char* meaning) {
    if (!enter(key, meaning)) return;
    value.fields(*this);
    leave();
  }
  template <class Options>
    requires requires(Options& o, Fields& f) { o.fields(f); }
  void operator()(const char* key, std::optional<Options>& value, const char* meaning) {
    bool present = value.has_value();
    if (!enter_optional(key, meaning, present)) {
      value.reset();
      return;
    }
    if (!value) value.emplace();
    value->fields(*this);
    leave();
  }

  // Reports a fault of the value just read (at its place in the file when reading).
  [[noreturn]] virtual void reject(const char* key, const std::string& expected_and_found) = 0;

 protected:
  virtual bool enter(const char* key, const char* meaning) = 0;
  // Sets out whether the section exists (reading) or keeps it (dumping; help always enters).
  virtual bool enter_optional(const char* key, const char* meaning, bool present) = 0;
  virtual void leave() = 0;
};

// One node of a parsed document. Cheap to copy; nodes remember that they were read.
class Config {
 public:
  // Parses YAML (strict: UTF-8, one document, no duplicate keys, no tags, bounded aliases and depth).
  // `name` stands in messages. ConfigError "NAME:LINE:COL: ..." on any fault.
  static Config parse(const std::string& text, const std::string& name);
  static Config load(const std::string& path);  // MissingError when there is no such file

  // Applies "train.optimizer.lr=1e-3" (the value is YAML); UsageError when it is not of that form.
  void override_with(const std::string& assignment);

  bool has(const std::string& key) const;
  Config operator[](const std::string& key) const;  // ConfigError when absent
  std::string where() const;                        // "configs/a.yaml:9:12"
  std::string path() const;                         // "model.hidden_irreps"

  template <class T>
  T get(const std::string& key) const;                      // required
  template <class T>
  T get(const std::string& key, const T& fallback) const;   // optional
  template <class Options>
  Options read(Options options = {}) const {                // absent keys keep their defaults
    std::unique_ptr<Fields> reader = make_reader();
    options.fields(*reader);
    return options;
  }

  // Every key that nobody read is an error, reported together, each with its place and the nearest key
  // that was asked for in the same section.
  void check_all_read() const;
  [[noreturn]] void reject(const std::string& text) const;  // ConfigError at this node
  std::string dump() const;                                 // the (overridden) document as YAML

 private:
  struct Node;
  explicit Config(std::shared_ptr<Node> node) : node_(std::move(node)) {}
  std::unique_ptr<Fields> make_reader() const;
  friend class ConfigReader;
  std::shared_ptr<Node> node_;
};

// The options as YAML, every default filled in; block style, keys in the struct's order.
std::string dump_yaml(const std::function<void(Fields&)>& fields, int indent = 0);
template <class Options>
std::string to_yaml(Options options) {
  return dump_yaml([&](Fields& f) { options.fields(f); });
}

// Text for people: one line per key with type, default, meaning, rule.
std::string help_text(const std::function<void(Fields&)>& fields);
template <class Options>
std::string to_help(Options options = {}) {
  return help_text([&](Fields& f) { options.fields(f); });
}

}  // namespace casimir
