// Whether markup is well-formed as XML: elements nest, and no '<' or '&' stands for itself.
#pragma once

#include <cctype>
#include <string>
#include <vector>

// What is wrong first; "" when nothing is. The content of <style> and <script> is text.
inline std::string markup_fault(const std::string& text) {
  std::vector<std::string> open;
  for (size_t at = 0; at < text.size(); ++at) {
    if (text[at] == '&') {
      const size_t end = text.find(';', at);
      if (end == std::string::npos || end - at > 7) return "an '&' that begins nothing";
    }
    if (text[at] != '<' || text.compare(at, 2, "<!") == 0) continue;
    const bool closing = text.compare(at, 2, "</") == 0;
    size_t end = at + 1 + closing;
    while (end < text.size() && std::isalnum(static_cast<unsigned char>(text[end]))) ++end;
    const std::string name = text.substr(at + 1 + closing, end - at - 1 - closing);
    const size_t close = text.find('>', end);
    if (name.empty() || close == std::string::npos) return "a '<' that begins nothing";
    at = close;
    if (closing) {
      if (open.empty()) return "</" + name + "> closes nothing";
      if (open.back() != name) return "</" + name + "> closes <" + open.back() + ">";
      open.pop_back();
    } else if (text[close - 1] != '/') {
      open.push_back(name);
      if (name == "style" || name == "script") at = text.find("</" + name, close) - 1;
    }
  }
  return open.empty() ? "" : "<" + open.back() + "> is not closed";
}
