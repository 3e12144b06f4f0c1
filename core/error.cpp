#include "core/error.h"

#include <algorithm>

namespace casimir {
namespace {
thread_local std::vector<std::string> scopes;

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t substituted = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}
}  // namespace

Scope::Scope(std::string name) {
  scopes.push_back(std::move(name));
}
Scope::~Scope() {
  scopes.pop_back();
}

std::string Scope::path() {
  std::string text;
  for (const std::string& scope : scopes) text += (text.empty() ? "" : ".") + scope;
  return text;
}

std::string did_you_mean(std::string_view word, const std::vector<std::string>& known) {
  const std::string* nearest = nullptr;
  size_t best = std::max<size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    size_t distance = edit_distance(word, candidate);
    if (distance < best) best = distance, nearest = &candidate;
  }
  return nearest ? "; did you mean '" + *nearest + "'?" : "";
}

}  // namespace casimir
