#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <cstring>
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
class Source {
 public:
  Source(const std::string& text, const std::string& name, bool has_lines)
      : text(text), name(name), has_lines(has_lines) {}

  const std::string& text;
  const std::string name;
  const bool has_lines;

  std::string position(const YAML::Mark& mark) const {
    size_t end = std::min<size_t>(std::max(mark.pos, 0), text.size());
    size_t begin = end - std::min<size_t>(std::max(mark.column, 0), end);
    if (begin != line_begin_ || end < counted_to_)
      line_begin_ = counted_to_ = begin, characters_ = 0;
    for (; counted_to_ < end; ++counted_to_) {
      characters_ += (text[counted_to_] & 0xC0) != 0x80;  // not inside a UTF-8 sequence
    }
    return std::to_string(std::max(mark.line, 0) + 1) + ":" + std::to_string(characters_ + 1);
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

 private:
  // The last column asked for, from which the next one of the same line is counted on.
  mutable size_t line_begin_ = 0, counted_to_ = 0, characters_ = 0;
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
  Source source(text, name, has_lines);
  YAML::Mark mark;
  bool indentation = true;
  for (size_t i = 0, size; i < text.size(); i += size) {
    mark.pos = static_cast<int>(i);
    size = character_size(text, i);
    auto code = static_cast<uint8_t>(text[i]);
    bool control = (code < 0x20 && code != '\n' && code != '\t') || code == 0x7F;
    std::string fault;
    if (size == 0)
      fault = "not UTF-8 text (byte 0x" + hex(code).substr(14) + ")";
    else if (control)
      fault = "control character 0x" + hex(code).substr(14);
    else if (indentation && code == '\t')
      fault = "a tab in the indentation; use spaces";
    else if (code == '%' && mark.column == 0)
      fault = "a directive ('%...') is not allowed";
    if (!fault.empty()) fail<ConfigError>(source.place(mark), ": ", fault);
    indentation = code == '\n' || (indentation && code == ' ');
    mark.column = code == '\n' ? 0 : mark.column + static_cast<int>(size);
    if (code == '\n') ++mark.line;
  }
  // The library takes a quoted text that the file's last line end cuts off for a closed one; a file
  // that does not end with a line end shows it.
  return text + "\n#";
}

// Where the first quoted text after `from` begins that has no closing quote.
YAML::Mark unclosed_quote(const std::string& text, size_t from) {
  size_t i = from;
  while (i < text.size()) {
    char c = text[i];
    bool opens = (c == '"' || c == '\'') && (i == 0 || std::strchr(" \n[{,:", text[i - 1]));
    if (opens) {
      size_t end = i + 1;
      while (end < text.size() && text[end] != c) end += c == '"' && text[end] == '\\' ? 2 : 1;
      if (end >= text.size()) break;
      i = end;
    } else if (c == '#' && i > 0 && (text[i - 1] == ' ' || text[i - 1] == '\n')) {
      i = text.find('\n', i) - 1;
    }
    ++i;
  }
  YAML::Mark mark;
  mark.pos = static_cast<int>(std::min(i, text.size()));
  mark.line = static_cast<int>(std::count(text.begin(), text.begin() + mark.pos, '\n'));
  size_t line_end = mark.pos > 0 ? text.rfind('\n', mark.pos - 1) : std::string::npos;
  mark.column = mark.pos - (line_end == std::string::npos ? 0 : static_cast<int>(line_end) + 1);
  return mark;
}

std::string needs_quotes(const std::string& sign) {
  return "a text that begins with " + sign + " needs quotes";
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
    if (anchor) reject(mark, "an anchor without a value; " + needs_quotes("'&'"));
    if (expects_key()) reject(mark, "a key is missing before ':'");
    add(make(Kind::null, mark, anchor));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    if (expects_key()) reject(mark, "a key cannot be an alias");
    check_indentation(mark);
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
    if (expects_key()) {
      if (anchor) reject(mark, "a key cannot have an anchor");
      return add_key(mark, *node);
    }
    check_indentation(mark);
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
  [[noreturn]] void reject_unclosed(const YAML::Mark& mark, Kind kind, const char* brackets) const;
  [[noreturn]] void reject_broken(const YAML::Mark& mark, Kind kind, const std::string& what,
                                  const std::string& next) const;
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
  void check_indentation(const YAML::Mark& mark) const {
    if (!in_map() || open_.back().node->flow) return;
    const Open& map = open_.back();
    bool deeper = mark.line == map.key_mark.line || mark.column > map.mark.column;
    if (!deeper) reject(mark, "a value must be indented more than its key '" + map.key + "'");
  }
  NodePtr make(Kind kind, const YAML::Mark& mark, YAML::anchor_t anchor,
               const std::string& tag = "?") {
    count(mark);
    // The library calls the tag of a quoted text "!" and of everything else "?".
    bool tagged = tag != "?" && (tag != "!" || source_.at(mark) == '!' || kind != Kind::scalar);
    if (tagged) {
      reject(mark, "a tag ('!...') is not allowed; " + needs_quotes("'!'"));
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
    if (style == YAML::EmitterStyle::Flow) check_indentation(mark);
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
  using namespace YAML::ErrorMsg;
  YAML::Mark mark = error.mark;
  auto is = [&](const char* prefix) { return error.msg.starts_with(prefix); };
  if (is(END_OF_MAP_FLOW)) reject_unclosed(mark, Kind::map, "{}");
  if (is(END_OF_SEQ_FLOW)) reject_unclosed(mark, Kind::list, "[]");
  if (is(END_OF_MAP)) reject_broken(mark, Kind::map, "section", "'key: value'");
  if (is(END_OF_SEQ)) reject_broken(mark, Kind::list, "list", "'- value'");
  if (is(EOF_IN_SCALAR) || is(DOC_IN_SCALAR)) {
    const Open* last = open_.empty() ? nullptr : &open_.back();
    int from = !last ? 0 : last->has_key ? last->key_mark.pos : last->mark.pos;
    reject(unclosed_quote(source_.text, from), "the quoted text is not closed");
  }
  if (is(INVALID_ESCAPE)) {
    mark.pos -= 2, mark.column -= 2;  // the library points behind the escape
    std::string escape =
        source_.text.substr(mark.pos, 1 + character_size(source_.text, mark.pos + 1));
    reject(mark, "unknown escape '" + escape + "' in a quoted text");
  }
  std::string found = std::string("'") + source_.at(mark) + "'";
  const std::pair<const char*, std::string> words[] = {
      {MAP_VALUE,
       "unexpected ':'; expected one 'key: value' per line, with a space after the colon, in the "
       "same column as the section's other keys"},
      {FLOW_END, found + " closes nothing"},
      {BLOCK_ENTRY, "a list written with '-' must begin on its own line"},
      {UNKNOWN_TOKEN, needs_quotes(found)},
      {INVALID_HEX, "an escape with a digit that is not hexadecimal"},
      {MAP_KEY, needs_quotes("'? '")},
      {CHAR_IN_BLOCK, needs_quotes("'|' or '>'")},
      {ALIAS_NOT_FOUND, needs_quotes("'*'")},
      {CHAR_IN_ALIAS, needs_quotes("'*'")},
      {ANCHOR_NOT_FOUND, needs_quotes("'&'")},
      {CHAR_IN_ANCHOR, needs_quotes("'&'")},
      {CHAR_IN_TAG_HANDLE, needs_quotes("'!'")},
      {TAG_WITH_NO_SUFFIX, needs_quotes("'!'")},
      {END_OF_VERBATIM_TAG, needs_quotes("'!'")},
      {UNKNOWN_ANCHOR, "an alias without an anchor; " + needs_quotes("'*'")},
  };
  for (const auto& [prefix, text] : words) {
    if (is(prefix)) reject(mark, text);
  }
  reject(mark, "not YAML: " + error.msg);
}

void TreeBuilder::reject_unclosed(const YAML::Mark& mark, Kind kind, const char* brackets) const {
  std::optional<YAML::Mark> from = opened(kind, brackets[0]);
  std::string open = {'\'', brackets[0], '\''};
  bool at_end = mark.pos <= 0 || mark.pos + 2 >= static_cast<int>(source_.text.size());
  if (!from || at_end) reject(from.value_or(mark), open + " is not closed");
  reject(mark, std::string("expected ',' or '") + brackets[1] + "' for the " + open +
                   source_.here(*from));
}

void TreeBuilder::reject_broken(const YAML::Mark& mark, Kind kind, const std::string& what,
                                const std::string& next) const {
  YAML::Mark from = opened(kind, '\0').value_or(mark);
  reject(mark, "does not continue the " + what + " begun" + source_.here(from) + "; expected " +
                   next + " in the same column");
}

NodePtr build(const std::string& raw, const std::string& name, bool has_lines) {
  std::string text = clean(raw, name, has_lines);
  Source source(text, name, has_lines);
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
  NodePtr root = build("value: " + text, place, false);  // as a value: a list is no key then
  bool one_value = root->kind == Kind::map && root->items.size() == 1;
  check<ConfigError>(one_value, place, ": expected one value");
  NodePtr value = root->items[0];
  bool comment = value->kind == Kind::null && text.find('#') != std::string::npos;
  check<ConfigError>(!comment, place, ": a text that begins with '#' needs quotes");
  return value;
}

}  // namespace casimir
