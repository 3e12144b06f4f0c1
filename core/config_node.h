// The tree behind Config: our own copy of a YAML document, with the place of every value and a
// record of what was asked for. Only the files core/config*.cpp include it.
#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/config.h"

namespace casimir {

struct ConfigNode {
  enum class Kind { null, scalar, list, map };

  Kind kind = Kind::null;
  std::string text;     // of a scalar
  bool quoted = false;  // a scalar written in quotes or as a block: always text
  bool flow = false;    // written as {...} or [...]
  std::vector<std::shared_ptr<ConfigNode>> items;  // elements of a list, values of a map
  std::vector<std::string> keys;                   // of a map, one per item
  std::unordered_map<std::string, size_t> index;   // key -> place in items

  std::string path;       // "model.hidden_irreps"; empty for the root
  std::string place;      // of the value: "configs/a.yaml:9:12", or "command line: a.b=1"
  std::string key_place;  // of its key; that of the value where there is no key

  bool read = false;                                 // somebody used this value
  std::vector<std::string> asked;                    // keys that somebody looked for here
  std::vector<std::shared_ptr<ConfigNode>> implied;  // sections that were read but are not there

  std::shared_ptr<ConfigNode> find(const std::string& key) const;  // nullptr when absent
  std::shared_ptr<ConfigNode> ask(const std::string& key);         // the same, remembered
  void set(const std::string& key, std::shared_ptr<ConfigNode> value);
  std::string path_of(const std::string& key) const {
    return path.empty() ? key : path + "." + key;
  }

  // Where to point at: the key of a section or of nothing, else the value.
  const std::string& where() const {
    return kind == Kind::map || kind == Kind::null ? key_place : place;
  }
  std::string describe() const;  // "'0.1x'", "a list", "nothing"
  void expect_section() const;   // ConfigError unless a map or nothing
  [[noreturn]] void reject(const std::string& text) const;
  [[noreturn]] void reject_missing(const std::string& key, const std::string& meaning) const;
  void set_path(const std::string& to);  // with everything below
  void mark_read();                      // with everything below
};

// The document's root, a map. A document without settings is an empty map.
std::shared_ptr<ConfigNode> parse_document(const std::string& text, const std::string& name);
// Any YAML value; `place` stands for all its parts.
std::shared_ptr<ConfigNode> parse_value(const std::string& text, const std::string& place);

// A string as a YAML scalar, in quotes where any YAML reader could take it for something else.
std::string yaml_text(const std::string& text);
// "a positive number" -> "a positive integer"
std::string for_integers(std::string text);
std::optional<int64_t> parse_integer(const std::string& text);
std::optional<double> parse_number(const std::string& text);  // finite

}  // namespace casimir
