// Errors. Every message says what was being done, what was expected, what was found, and where.
//
//   check(x.rank() == 2, "matmul: expected 2 axes, found ", x.shape());
//   fail<DataError>(path, ": frame ", i, ": forces have 2 columns, expected 3");
#pragma once

#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace casimir {

// The base of all errors; the kinds differ in what the reader has to do about them.
// exit_code() is what the program returns (docs/exit-codes.md).
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
  virtual int exit_code() const { return 70; }
};
struct ShapeError : Error {  // mend the code or the model section
  using Error::Error;
  int exit_code() const override { return 70; }
};
struct UsageError : Error {  // mend the command line
  using Error::Error;
  int exit_code() const override { return 2; }
};
struct ConfigError : Error {  // mend the YAML
  using Error::Error;
  int exit_code() const override { return 78; }
};
struct DataError : Error {  // mend the file
  using Error::Error;
  int exit_code() const override { return 65; }
};
struct MissingError : Error {  // a file that is not there
  using Error::Error;
  int exit_code() const override { return 66; }
};
struct IoError : Error {  // disk full, no permission
  using Error::Error;
  int exit_code() const override { return 74; }
};
struct DeviceError : Error {  // the machine lacks something
  using Error::Error;
  int exit_code() const override { return 69; }
};
struct DivergedError : Error {  // training produced NaN or infinity
  using Error::Error;
  int exit_code() const override { return 3; }
};

// The parts printed one after the other with operator<<.
template <class... Parts>
std::string concat_text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

// Where the program is, as "potential.interactions.0.linear", for messages and profiles. Scopes
// nest; the text lives only while the object does. One stack per thread.
class Scope {
 public:
  explicit Scope(std::string name);
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
  static std::string path();  // empty outside every scope
};

template <class Kind = Error, class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  std::string text = concat_text(parts...);
  if (std::string where = Scope::path(); !where.empty()) text += "\n  in " + where;
  throw Kind(text);
}

template <class Kind = ShapeError, class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) fail<Kind>(parts...);
}

// "; did you mean 'hidden_irreps'?" for the nearest of `known`, or "" when none is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& known);

}  // namespace casimir
