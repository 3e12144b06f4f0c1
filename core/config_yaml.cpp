#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <map>
#include <sstream>

#include "core/config_node.h"
#include "core/files.h"

namespace casimir {
namespace {
using Kind = ConfigNode::Kind;
using NodePtr = std::shared_ptr<ConfigNode>;

constexpr size_t max_depth = 64;
constexpr int64_t max_nodes = 100'000;

// Positions in a text: "configs/a.yaml:9:12", counted from 1, columns in characters. A text from
// the command line has no lines; there the place is its name.
struct Source {
  const std::string& text;
  std::string name;
  bool has_lines = true;

  std::string position(const YAML::Mark& mark) const {
    size_t end = std::min<size_t>(std::max(mark.pos, 0), text.size());
    size_t begin = end - std::min<size_t>(std::max(mark.column, 0), end);
    auto starts = [](char c) { return (c & 0xC0) != 0x80; };  // not inside a UTF-8 sequence
    auto column = std::count_if(text.begin() + begin, text.begin() + end, starts);
    return std::to_string(std::max(mark.line, 0) + 1) + ":" + std::to_string(column + 1);
  }
  std::string place(const YAML::Mark& mark) const {
    return has_lines ? name + ":" + position(mark) : name;
  }
  std::string here(const YAML::Mark& mark) const {  // for a second place in one message
    return has_lines ? " at " + position(mark) : "";
  }
  char at(const YAML::Mark& mark) const {
    return mark.pos >= 0 && mark.pos < static_cast<int>(text.size()) ? text[mark.pos] : '\0';
  }
};

// Bytes of the character that begins at `i`, or 0 when it is not UTF-8 (RFC 3629: no overlong
// forms, no surrogates, nothing above U+10FFFF).
size_t character_size(const std::string& text, size_t i) {
  auto byte = [&](size_t k) { return k < text.size() ? static_cast<uint8_t>(text[k]) : 0; };
  auto continues = [&](size_t k) { return (byte(k) & 0xC0) == 0x80; };
  uint8_t a = byte(i), b = byte(i + 1);
  if (a < 0x80) return 1;
  if (a < 0xC2 || a > 0xF4 || !continues(i + 1)) return 0;
  if (a < 0xE0) return 2;
  if ((a == 0xE0 && b < 0xA0) || (a == 0xED && b > 0x9F) || !continues(i + 2)) return 0;
  if (a < 0xF0) return 3;
  if ((a == 0xF0 && b < 0x90) || (a == 0xF4 && b > 0x8F) || !continues(i + 3)) return 0;
  return 4;
}

// The text with plain line ends and no byte-order mark; rejects what the YAML library lets through.
std::string clean(const std::string& raw, const std::string& name, bool has_lines) {
  std::string text;
  for (size_t i = raw.starts_with("\xEF\xBB\xBF") ? 3 : 0; i < raw.size(); ++i) {
    if (raw.compare(i, 2, "\r\n") != 0) text += raw[i];
  }
  Source source{text, name, has_lines};
  YAML::Mark mark;
  bool indentation = true;
  for (size_t i = 0, size; i < text.size(); i += size) {
    mark.pos = static_cast<int>(i);
    size = character_size(text, i);
    auto code = static_cast<uint8_t>(text[i]);
    auto reject = [&](const std::string& what) {
      fail<ConfigError>(source.place(mark), ": ", what);
    };
    std::string digits = hex(code).substr(14);
    if (size == 0) reject("not UTF-8 text (byte 0x" + digits + ")");
    bool control = (code < 0x20 && code != '\n' && code != '\t') || code == 0x7F;
    if (control) reject("control character 0x" + digits);
    if (indentation && code == '\t') reject("a tab in the indentation; use spaces");
    indentation = code == '\n' || (indentation && code == ' ');
    mark.column = code == '\n' ? 0 : mark.column + static_cast<int>(size);
    if (code == '\n') ++mark.line;
  }
  return text;
}

// Builds the tree from the parser's events; aliases become copies, within the budget of nodes.
class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const Source& source) : source_(source) {}
  const NodePtr& root() const { return root_; }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (!started_) {
      started_ = true;
      return;
    }
    bool marker = source_.text.compare(mark.pos, 3, "---") == 0;
    reject(mark, marker ? "a second document begins here; expected one"
                        : "expected the end of the document");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) reject(mark, "a key is missing before ':'");
    if (in_map() && open_.back().key_mark.pos == mark.pos)
      reject(mark, "expected ':' after the key");
    add(make(Kind::null, mark, anchor));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) reject(mark, "a key cannot be an alias");
    const NodePtr& target = anchors_[anchor];
    for (const Open& open : open_) {
      if (open.node == target) reject(mark, "an alias inside the value that it stands for");
    }
    add(copy(*target, mark, open_.size()));
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& text) override {
    NodePtr node = make(Kind::scalar, mark, anchor, tag);
    node->text = text;
    node->quoted = tag == "!";
    if (expects_key()) return add_key(mark, *node);
    add(node);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    open(mark, make(Kind::list, mark, anchor, tag), style);
  }
  void OnSequenceEnd() override { open_.pop_back(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    open(mark, make(Kind::map, mark, anchor, tag), style);
  }
  void OnMapEnd() override { open_.pop_back(); }

  // The library's exception in our words.
  [[noreturn]] void reject(const YAML::Exception& error) const;

 private:
  struct Open {
    NodePtr node;
    YAML::Mark mark;
    bool has_key = false;
    YAML::Mark key_mark;
    std::string key;
  };

  [[noreturn]] void reject(const YAML::Mark& mark, const std::string& text) const {
    fail<ConfigError>(source_.place(mark), ": ", text);
  }
  // The place of the innermost open list or map that was written with `bracket`, or as a block.
  std::optional<YAML::Mark> opened(Kind kind, char bracket) const {
    for (size_t i = open_.size(); i-- > 0;) {
      if (open_[i].node->kind != kind) continue;
      bool flow = open_[i].node->flow;
      if (bracket ? flow && source_.at(open_[i].mark) == bracket : !flow) return open_[i].mark;
    }
    return {};
  }
  bool in_map() const { return !open_.empty() && open_.back().node->kind == Kind::map; }
  bool expects_key() const { return in_map() && !open_.back().has_key; }

  void count(const YAML::Mark& mark) {
    if (++nodes_ > max_nodes) reject(mark, "more than " + std::to_string(max_nodes) + " values");
  }
  void check_depth(const YAML::Mark& mark, size_t depth) const {
    if (depth < max_depth) return;
    reject(mark, "nested more than " + std::to_string(max_depth) + " levels deep");
  }
  NodePtr make(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor,
               const std::string& tag = "?") {
    count(mark);
    if (tag != "?" && tag != "!" && !tag.empty()) {
      reject(mark, "a tag ('!...') is not allowed; a text that begins with '!' needs quotes");
    }
    auto node = std::make_shared<ConfigNode>();
    node->kind = kind;
    node->place = node->key_place = source_.place(mark);
    if (anchor) anchors_[anchor] = node;
    return node;
  }
  NodePtr copy(const ConfigNode& from, const YAML::Mark& mark, size_t depth) {
    count(mark);
    if (!from.items.empty()) check_depth(mark, depth);
    auto node = std::make_shared<ConfigNode>(from);
    for (NodePtr& item : node->items) item = copy(*item, mark, depth + 1);
    return node;
  }
  void add_key(const YAML::Mark& mark, const ConfigNode& key) {
    Open& map = open_.back();
    if (key.text == "<<" && !key.quoted) reject(mark, "merge keys ('<<') are not supported");
    if (const NodePtr first = map.node->find(key.text)) {
      reject(mark, "the key '" + key.text + "' stands twice in this section; first at " +
                       first->key_place.substr(source_.has_lines ? source_.name.size() + 1 : 0));
    }
    map.has_key = true;
    map.key = key.text;
    map.key_mark = mark;
  }
  void add(const NodePtr& node) {
    if (open_.empty()) {
      root_ = node;
    } else if (Open& top = open_.back(); top.node->kind == Kind::map) {
      node->key_place = source_.place(top.key_mark);
      top.node->set(top.key, node);
      top.has_key = false;
    } else {
      top.node->items.push_back(node);
    }
  }
  void open(const YAML::Mark& mark, const NodePtr& node, YAML::EmitterStyle::value style) {
    if (expects_key()) reject(mark, "a key must be plain text, found " + node->describe());
    check_depth(mark, open_.size());
    node->flow = style == YAML::EmitterStyle::Flow;
    add(node);
    open_.push_back({node, mark, false, {}, {}});
  }

  const Source& source_;
  NodePtr root_;
  std::vector<Open> open_;
  std::map<YAML::anchor_t, NodePtr> anchors_;
  int64_t nodes_ = 0;
  bool started_ = false;
};

void TreeBuilder::reject(const YAML::Exception& error) const {
  const std::string& text = error.msg;
  auto is = [&](const char* prefix) { return text.starts_with(prefix); };
  auto unclosed = [&](Kind kind, char bracket, char closing) {
    std::optional<YAML::Mark> from = opened(kind, bracket);
    std::string open = std::string("'") + bracket + "'";
    if (!from || error.mark.pos <= 0) reject(from.value_or(error.mark), open + " is not closed");
    reject(error.mark, "expected ',' or '" + std::string(1, closing) + "' for the " + open +
                           source_.here(*from));
  };
  auto broken = [&](Kind kind, const char* what, const char* next) {
    std::optional<YAML::Mark> from = opened(kind, '\0');
    reject(error.mark, std::string("does not continue the ") + what + " begun" +
                           source_.here(from.value_or(error.mark)) + "; expected " + next +
                           " in the same column");
  };
  using namespace YAML::ErrorMsg;
  std::string found = std::string("'") + source_.at(error.mark) + "'";
  if (is(END_OF_MAP_FLOW)) unclosed(Kind::map, '{', '}');
  if (is(END_OF_SEQ_FLOW)) unclosed(Kind::list, '[', ']');
  if (is(END_OF_MAP)) broken(Kind::map, "section", "'key: value'");
  if (is(END_OF_SEQ)) broken(Kind::list, "list", "'- value'");
  if (is(MAP_VALUE)) {
    reject(error.mark,
           "unexpected ':'; expected one 'key: value' per line, with a space after the "
           "colon, in the same column as the section's other keys");
  }
  if (is(FLOW_END)) reject(error.mark, found + " closes nothing");
  if (is(BLOCK_ENTRY)) reject(error.mark, "a list written with '-' must begin on its own line");
  if (is(EOF_IN_SCALAR) || is(DOC_IN_SCALAR)) reject(error.mark, "a quoted text is not closed");
  if (is(INVALID_ESCAPE)) {
    reject(error.mark, "unknown escape '\\" + text.substr(std::string(INVALID_ESCAPE).size()) +
                           "' in a quoted text");
  }
  if (is(UNKNOWN_TOKEN)) reject(error.mark, "a value that begins with " + found + " needs quotes");
  if (is(ALIAS_NOT_FOUND)) reject(error.mark, "a text that begins with '*' needs quotes");
  if (is(ANCHOR_NOT_FOUND)) reject(error.mark, "a text that begins with '&' needs quotes");
  if (is(UNKNOWN_ANCHOR)) {
    reject(error.mark, "an alias without an anchor; a text that begins with '*' needs quotes");
  }
  reject(error.mark, "not YAML: " + text);
}

NodePtr build(const std::string& raw, const std::string& name, bool has_lines) {
  std::string text = clean(raw, name, has_lines);
  Source source{text, name, has_lines};
  TreeBuilder builder(source);
  std::istringstream stream(text);
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) continue;
  } catch (const YAML::Exception& error) {
    builder.reject(error);
  }
  if (builder.root()) return builder.root();
  auto empty = std::make_shared<ConfigNode>();
  empty->place = empty->key_place = has_lines ? name + ":1:1" : name;
  return empty;
}

}  // namespace

NodePtr parse_document(const std::string& text, const std::string& name) {
  NodePtr root = build(text, name, true);
  if (root->kind == Kind::null) root->kind = Kind::map;
  if (root->kind != Kind::map) {
    fail<ConfigError>(root->place, ": expected sections of 'key: value', found ", root->describe());
  }
  root->set_path("");
  return root;
}

NodePtr parse_value(const std::string& text, const std::string& place) {
  return build(text, place, false);
}

}  // namespace casimir
