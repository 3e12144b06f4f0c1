#include "core/config.h"

#include <algorithm>

#include "core/config_node.h"
#include "core/files.h"

namespace casimir {
using Kind = ConfigNode::Kind;
using NodePtr = std::shared_ptr<ConfigNode>;

NodePtr ConfigNode::find(const std::string& key) const {
  auto entry = index.find(key);
  return entry == index.end() ? nullptr : items[entry->second];
}

NodePtr ConfigNode::ask(const std::string& key) {
  if (std::find(asked.begin(), asked.end(), key) == asked.end()) asked.push_back(key);
  return find(key);
}

void ConfigNode::set(const std::string& key, NodePtr value) {
  auto [entry, fresh] = index.emplace(key, items.size());
  if (fresh) {
    keys.push_back(key);
    items.push_back(std::move(value));
  } else {
    items[entry->second] = std::move(value);
  }
}

std::string ConfigNode::describe() const {
  if (kind == Kind::null) return "nothing";
  if (kind == Kind::list) return "a list";
  if (kind == Kind::map) return "a section";
  std::string shown;
  for (char c : text.size() > 80 ? text.substr(0, 77) + "..." : text) shown += c == '\n' ? ' ' : c;
  return "'" + shown + "'" + (quoted ? " in quotes" : "");
}

void ConfigNode::expect_section() const {
  if (kind == Kind::map || kind == Kind::null) return;
  reject("expected a section of 'key: value', found " + describe());
}

void ConfigNode::reject(const std::string& text) const {
  fail<ConfigError>(where(), ": ", path.empty() ? "" : path + ": ", text);
}

void ConfigNode::reject_missing(const std::string& key, const std::string& meaning) const {
  std::string text = path_of(key) + ": required key is missing";
  if (!meaning.empty()) text += " (" + meaning + ")";
  for (size_t i = 0; i < keys.size(); ++i) {
    bool candidate = key.size() > 3 && !items[i]->read && !did_you_mean(key, {keys[i]}).empty();
    if (!candidate) continue;
    fail<ConfigError>(items[i]->key_place, ": ", text, "; is '", keys[i], "' a misspelling of it?");
  }
  fail<ConfigError>(where(), ": ", text);
}

void ConfigNode::set_path(const std::string& to) {
  path = to;
  for (size_t i = 0; i < items.size(); ++i) {
    items[i]->set_path(kind == Kind::map ? path_of(keys[i]) : to + "[" + std::to_string(i) + "]");
  }
}

void ConfigNode::mark_read() {
  read = true;
  for (const NodePtr& item : items) item->mark_read();
}

namespace {

// The sections that know `key`, apart from `self`.
void find_owners(const ConfigNode& node, const std::string& key, const ConfigNode* self,
                 std::vector<std::string>& owners) {
  bool asked = std::find(node.asked.begin(), node.asked.end(), key) != node.asked.end();
  if (asked && &node != self) owners.push_back(node.path.empty() ? "the top level" : node.path);
  for (const NodePtr& item : node.items) find_owners(*item, key, self, owners);
  for (const NodePtr& item : node.implied) find_owners(*item, key, self, owners);
}

std::string advice(const ConfigNode& root, const ConfigNode& section, const std::string& key) {
  if (std::string near = did_you_mean(key, section.asked); !near.empty()) return near;
  std::vector<std::string> owners;
  find_owners(root, key, &section, owners);
  if (owners.size() == 1) return "; it belongs in " + owners[0];
  if (section.asked.empty()) return "";
  std::string known;
  for (const std::string& name : section.asked) known += (known.empty() ? "" : ", ") + name;
  return "; known keys are " + known;
}

void collect_unread(const ConfigNode& root, const ConfigNode& section, std::string& report) {
  for (size_t i = 0; i < section.items.size(); ++i) {
    const ConfigNode& item = *section.items[i];
    if (item.read) {
      if (item.kind == Kind::map) collect_unread(root, item, report);
      continue;
    }
    report += (report.empty() ? "" : "\n") + item.key_place + ": unknown key '" + section.keys[i] +
              (section.path.empty() ? "' at the top level" : "' in " + section.path) +
              advice(root, section, section.keys[i]);
  }
}

// "a.b.c" as {"a", "b", "c"}; empty when a part is empty or not a plain name.
std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts(1);
  for (char c : path) {
    bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
    if (c == '.')
      parts.emplace_back();
    else if (plain)
      parts.back() += c;
    else
      return {};
  }
  bool complete = std::none_of(parts.begin(), parts.end(), [](auto& p) { return p.empty(); });
  return complete ? parts : std::vector<std::string>();
}

std::string dump_inline(const ConfigNode& node) {
  if (node.kind == Kind::null) return "null";
  if (node.kind == Kind::scalar) {
    bool typed =
        !node.quoted && (node.text == "true" || node.text == "false" || parse_number(node.text));
    return typed ? node.text : yaml_text(node.text);
  }
  std::string text;
  for (size_t i = 0; i < node.items.size(); ++i) {
    if (i) text += ", ";
    if (node.kind == Kind::map) text += yaml_text(node.keys[i]) + ": ";
    text += dump_inline(*node.items[i]);
  }
  return node.kind == Kind::map ? "{" + text + "}" : "[" + text + "]";
}

void dump_section(const ConfigNode& node, const std::string& indent, std::string& text) {
  for (size_t i = 0; i < node.items.size(); ++i) {
    const ConfigNode& item = *node.items[i];
    text += indent + yaml_text(node.keys[i]) + ":";
    if (item.kind == Kind::map && !item.flow && !item.items.empty()) {
      text += "\n";
      dump_section(item, indent + "  ", text);
    } else {
      text += " " + dump_inline(item) + "\n";
    }
  }
}

}  // namespace

Config Config::parse(const std::string& text, const std::string& name) {
  return Config(parse_document(text, name));
}

Config Config::load(const std::string& path) {
  return parse(read_file(path), path);
}

void Config::override_with(const std::string& assignment) {
  size_t equals = assignment.find('=');
  std::vector<std::string> parts = split_path(assignment.substr(0, equals));
  check<UsageError>(equals != std::string::npos && !parts.empty(), "'", assignment,
                    "' is not of the form key.path=value");
  std::string place = "command line: " + assignment;
  NodePtr value;
  try {
    value = parse_value(assignment.substr(equals + 1), place);
  } catch (const ConfigError& error) {
    throw UsageError(error.what());
  }
  NodePtr node = node_;
  for (size_t i = 0; i + 1 < parts.size(); ++i) {
    NodePtr child = node->find(parts[i]);
    if (!child) {
      child = std::make_shared<ConfigNode>();
      child->path = node->path_of(parts[i]);
      child->place = child->key_place = place;
      node->set(parts[i], child);
    }
    if (child->kind == Kind::null) child->kind = Kind::map;
    check<UsageError>(child->kind == Kind::map, place, ": ", child->path, " is ", child->describe(),
                      ", not a section");
    node = child;
  }
  value->set_path(node->path_of(parts.back()));
  node->set(parts.back(), value);
}

bool Config::is_map() const {
  return node_->kind == Kind::map;
}

std::vector<std::string> Config::keys() const {
  node_->expect_section();
  return node_->keys;
}

bool Config::has(const std::string& key) const {
  node_->expect_section();
  return node_->ask(key) != nullptr;
}

Config Config::operator[](const std::string& key) const {
  node_->expect_section();
  NodePtr child = node_->ask(key);
  if (!child) node_->reject_missing(key, "");
  child->read = true;
  return Config(child);
}

std::string Config::where() const {
  return node_->where();
}
std::string Config::path() const {
  return node_->path;
}
void Config::reject(const std::string& text) const {
  node_->reject(text);
}
void Config::mark_read() const {
  node_->mark_read();
}

void Config::check_all_read() const {
  std::string report;
  collect_unread(*node_, *node_, report);
  if (!report.empty()) fail<ConfigError>(report);
}

std::string Config::dump() const {
  std::string text;
  dump_section(*node_, "", text);
  return text;
}

}  // namespace casimir
