// What the table of ops must cover: every function and method of a public header that returns a
// tensor, read from the headers themselves.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "core/error.h"
#include "tests/op_case.h"

namespace casimir::test {

// Names of the functions of one header, `Struct::method` for methods, `Struct` for its call. The
// style of the house is part of the grammar: one declaration starts a line, members are indented by
// two spaces, private ones come last.
inline std::set<std::string> declared_in(const std::string& path) {
  std::ifstream file(path);
  check<Error>(file.good(), "cannot read ", path);
  std::set<std::string> names;
  std::string owner;
  bool hidden = false;
  for (std::string line; std::getline(file, line);) {
    const bool opens = line.ends_with('{');
    for (const std::string kind : {"struct ", "class "})
      if (line.starts_with(kind) && opens)
        owner = line.substr(kind.size(), line.find_first_of(" :", kind.size()) - kind.size());
    if (line == " private:") hidden = true;
    if (line == "};") owner.clear(), hidden = false;
    const std::regex declaration(owner.empty() ? "Tensor (\\w+)\\(.*" : "  Tensor (\\w+)\\(.*");
    std::smatch match;
    if (hidden || !std::regex_match(line, match, declaration)) continue;
    const std::string name = match[1];
    if (owner.empty())
      names.insert(name);
    else
      names.insert(name == "operator" ? owner : owner + "::" + name);
  }
  return names;
}

// All that rows are asked for.
inline std::set<std::string> declared_ops(const std::string& root) {
  std::vector<std::string> headers{root + "/autograd/ops.h", root + "/nn/losses.h"};
  for (const auto& entry : std::filesystem::directory_iterator(root + "/equivariant"))
    if (entry.path().extension() == ".h") headers.push_back(entry.path());
  std::set<std::string> names;
  for (const std::string& header : headers) names.merge(declared_in(header));
  return names;
}

// "NAME has no row" and "NAME is not declared" for every one, a line each.
inline std::string faults_of(const std::set<std::string>& declared,
                             const std::vector<OpCase>& table) {
  std::set<std::string> rows;
  for (const OpCase& row : table) rows.insert(row.op);
  std::string faults;
  for (const std::string& name : declared)
    if (!rows.contains(name)) faults += name + " has no row\n";
  for (const std::string& name : rows)
    if (!declared.contains(name)) faults += name + " is not declared\n";
  return faults;
}

}  // namespace casimir::test
