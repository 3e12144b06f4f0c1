#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "datasets/extxyz_line.h"

namespace casimir::extxyz {
namespace {

char lower(char c) {
  return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
}

// One frame from its comment line on.
class FrameReader {
 public:
  FrameReader(Place place, const ExtxyzKeys& keys) : place_(place), keys_(keys) {}

  Frame read(std::string_view text, int64_t atoms) {
    frame_.source = place_.path;
    frame_.number = place_.frame;
    read_comment(take_line(text));
    prepare_columns(atoms);
    for (int64_t i = 0; i < atoms; ++i) {
      ++place_.line;
      read_atom(i, take_line(text));
    }
    return std::move(frame_);
  }

 private:
  enum class Role { species, numbers, positions, forces, other };
  struct Field {
    Role role;
    std::string name;
    char kind;
    int width;
    size_t column = 0;  // in frame_.columns, for Role::other
  };

  void read_comment(std::string_view line);
  bool read_special(const std::string& key, const std::string& value);
  void read_lattice(const std::string& value);
  void read_pbc(const std::string& value);
  void read_properties(const std::string& value);
  void add_field(const std::string& name, const std::string& kind, const std::string& width);
  void finish_cell();
  void prepare_columns(int64_t atoms);
  void read_atom(int64_t i, std::string_view line);
  void read_field(const Field& field, int64_t i, std::string_view& line);
  Mat3 read_tensor(const std::string& key, const std::string& value);
  std::vector<double> read_numbers(const std::string& key, const std::string& value);
  double read_number(const std::string& key, const std::string& value);
  void read_vector(const char* what, int64_t i, std::string_view& line, Vec3& out);
  int read_species(int64_t i, std::string_view word);

  Place place_;
  const ExtxyzKeys& keys_;
  Frame frame_;
  std::vector<Field> fields_;
  std::string properties_;
  int width_ = 0;  // words of an atom's line
  bool has_lattice_ = false, has_pbc_ = false;
  std::optional<Mat3> virial_;
};

void FrameReader::read_comment(std::string_view line) {
  for (auto& [key, value] : parse_comment(place_, line)) {
    bool needs_value = key == "Lattice" || key == "Properties" || key == "pbc";
    check<DataError>(!value.empty() || !needs_value, place_, "the key '", key, "' has no value");
    if (value.empty() || !read_special(key, value)) frame_.info.emplace_back(key, value);
  }
  if (properties_.empty()) read_properties("species:S:1:pos:R:3");
  finish_cell();
}

// Whether the key means something here; otherwise it is kept as it is.
bool FrameReader::read_special(const std::string& key, const std::string& value) {
  if (key == "Lattice") return read_lattice(value), true;
  if (key == "Properties") return read_properties(unquote(value)), true;
  if (key == "pbc") return read_pbc(value), true;
  if (key == keys_.energy) return frame_.energy = read_number(key, value), true;
  if (key == keys_.stress) return frame_.stress = read_tensor(key, value), true;
  if (key == keys_.config_type) return frame_.config_type = unquote(value), true;
  if (key == keys_.virial) return virial_ = read_tensor(key, value), false;
  const std::pair<const char*, double*> weights[] = {
      {"config_weight", &frame_.weight},
      {"config_energy_weight", &frame_.energy_weight},
      {"config_forces_weight", &frame_.forces_weight},
      {"config_stress_weight", &frame_.stress_weight}};
  for (auto [name, weight] : weights) {
    if (key != name) continue;
    *weight = read_number(key, value);
    check<DataError>(*weight >= 0, place_, key, " is ", *weight, ", expected 0 or more");
    return true;
  }
  for (const char* name : {"Lattice", "Properties", "pbc"}) {
    bool same = key.size() == std::strlen(name) &&
                std::equal(key.begin(), key.end(), name,
                           [](char a, char b) { return lower(a) == lower(b); });
    check<DataError>(!same, place_, "the key '", key, "' has to be spelt '", name, "'");
  }
  return false;
}

double FrameReader::read_number(const std::string& key, const std::string& value) {
  std::vector<double> numbers = read_numbers(key, value);
  check<DataError>(numbers.size() == 1, place_, key, " has ", numbers.size(),
                   " numbers, expected 1");
  return numbers[0];
}

std::vector<double> FrameReader::read_numbers(const std::string& key, const std::string& value) {
  std::vector<double> numbers;
  for (const std::string& word : list_words(value)) {
    auto number = parse_number(word);
    check<DataError>(number.has_value(), place_, key, ": expected a number, found ", shown(word));
    check<DataError>(std::isfinite(*number), place_, key, " is not finite: ", shown(word));
    numbers.push_back(*number);
  }
  return numbers;
}

void FrameReader::read_lattice(const std::string& value) {
  std::vector<double> numbers = read_numbers("Lattice", value);
  check<DataError>(numbers.size() == 9, place_, "Lattice has ", numbers.size(),
                   " numbers, expected 9");
  std::copy(numbers.begin(), numbers.end(), frame_.cell.begin());
  has_lattice_ = true;
}

void FrameReader::read_pbc(const std::string& value) {
  std::vector<std::string> words = list_words(value);
  check<DataError>(words.size() == 1 || words.size() == 3, place_, "pbc has ", words.size(),
                   " values, expected 3");
  for (size_t k = 0; k < 3; ++k) {
    const std::string& word = words[words.size() == 3 ? k : 0];
    auto flag = parse_logical(word);
    check<DataError>(flag.has_value(), place_, "pbc: expected T or F, found ", shown(word));
    frame_.pbc[k] = *flag;
  }
  has_pbc_ = true;
}

// 3x3 from nine numbers row by row, or from six: xx yy zz yz xz xy.
Mat3 FrameReader::read_tensor(const std::string& key, const std::string& value) {
  std::vector<double> v = read_numbers(key, value);
  if (v.size() == 6) return {v[0], v[5], v[4], v[5], v[1], v[3], v[4], v[3], v[2]};
  check<DataError>(v.size() == 9, place_, key, " has ", v.size(), " numbers, expected 9 or 6");
  double largest = 0;
  for (double x : v) largest = std::max(largest, std::abs(x));
  for (auto [i, j] : {std::pair(1, 3), std::pair(2, 6), std::pair(5, 7)})
    check<DataError>(std::abs(v[i] - v[j]) <= 1e-6 * largest, place_, key,
                     " is not symmetric: ", v[i], " and ", v[j]);
  Mat3 tensor{};
  std::copy(v.begin(), v.end(), tensor.begin());
  return tensor;
}

void FrameReader::finish_cell() {
  if (has_lattice_ && !has_pbc_) frame_.pbc = {true, true, true};
  bool periodic = frame_.pbc[0] || frame_.pbc[1] || frame_.pbc[2];
  check<DataError>(!periodic || has_lattice_, place_, "pbc is set, but there is no Lattice");
  check<DataError>(spans(frame_.cell, frame_.pbc), place_,
                   "the cell has no volume: its periodic vectors are zero or dependent");
  if (!virial_ || frame_.stress) return;
  double volume = frame_.volume();
  check<DataError>(volume > 0, place_, keys_.virial, " without a cell: stress = -virial / volume");
  frame_.stress.emplace();
  for (int k = 0; k < 9; ++k) (*frame_.stress)[k] = -(*virial_)[k] / volume;
}

void FrameReader::read_properties(const std::string& value) {
  properties_ = value;
  std::vector<std::string> parts(1);
  for (char c : value) c == ':' ? parts.emplace_back() : (parts.back() += c, parts.back());
  check<DataError>(parts.size() % 3 == 0, place_, "Properties=", value,
                   ": expected NAME:TYPE:COLUMNS triples");
  for (size_t i = 0; i < parts.size(); i += 3) add_field(parts[i], parts[i + 1], parts[i + 2]);
  auto has = [&](Role role) {
    return std::any_of(fields_.begin(), fields_.end(),
                       [role](const Field& field) { return field.role == role; });
  };
  check<DataError>(has(Role::positions), place_, "Properties=", value, ": no column pos");
  check<DataError>(has(Role::species) || has(Role::numbers), place_, "Properties=", value,
                   ": no column species or Z");
}

void FrameReader::add_field(const std::string& name, const std::string& kind,
                            const std::string& width) {
  auto columns = parse_integer(width);
  check<DataError>(columns && *columns >= 1 && *columns <= 1000, place_, "Properties: ", name,
                   " has ", shown(width), " columns, expected a number from 1 to 1000");
  check<DataError>(kind.size() == 1 && std::strchr("RISL", kind[0]), place_, "Properties: ", name,
                   " is of type ", shown(kind), ", expected R, I, S or L");
  for (const Field& field : fields_)
    check<DataError>(field.name != name, place_, "Properties: the column ", name,
                     " is given twice");
  auto expect = [&](char expected_kind, int expected_width) {
    check<DataError>(*columns == expected_width, place_, name, " have ", *columns,
                     " columns, expected ", expected_width);
    check<DataError>(kind[0] == expected_kind, place_, name, " are of type ", kind, ", expected ",
                     expected_kind);
  };
  Role role = name == "species"                  ? Role::species
              : name == "Z" || name == "numbers" ? Role::numbers
              : name == "pos"                    ? Role::positions
              : name == keys_.forces             ? Role::forces
                                                 : Role::other;
  if (role == Role::species) expect('S', 1);
  if (role == Role::numbers) expect('I', 1);
  if (role == Role::positions || role == Role::forces) expect('R', 3);
  fields_.push_back({role, name, kind[0], static_cast<int>(*columns)});
  width_ += static_cast<int>(*columns);
}

void FrameReader::prepare_columns(int64_t atoms) {
  frame_.numbers.resize(atoms);
  frame_.positions.resize(atoms);
  for (Field& field : fields_) {
    if (field.role == Role::forces) frame_.forces.resize(atoms);
    if (field.role != Role::other) continue;
    field.column = frame_.columns.size();
    frame_.columns.push_back({field.name, field.kind, field.width, {}});
    frame_.columns.back().text.reserve(atoms * field.width);
  }
}

void FrameReader::read_atom(int64_t i, std::string_view line) {
  std::string_view rest = line;
  int words = 0;
  while (!next_word(rest).empty()) ++words;
  if (words != width_)
    fail<DataError>(place_, "atom ", i, " has ", words, " values, expected ", width_, " (",
                    properties_, ")");
  for (const Field& field : fields_) read_field(field, i, line);
}

void FrameReader::read_field(const Field& field, int64_t i, std::string_view& line) {
  switch (field.role) {
    case Role::species:
      frame_.numbers[i] = read_species(i, next_word(line));
      return;
    case Role::positions:
      return read_vector("position", i, line, frame_.positions[i]);
    case Role::forces:
      return read_vector("force", i, line, frame_.forces[i]);
    case Role::numbers: {
      std::string_view word = next_word(line);
      auto number = parse_integer(word);
      check<DataError>(number && *number >= 1 && *number <= 118, place_, "atom ", i,
                       ": unknown atomic number ", shown(word));
      frame_.numbers[i] = static_cast<int>(*number);
      return;
    }
    case Role::other:
      break;
  }
  for (int k = 0; k < field.width; ++k) {
    std::string_view word = next_word(line);
    bool good = field.kind == 'S' || (field.kind == 'R' && parse_number(word)) ||
                (field.kind == 'I' && parse_integer(word)) ||
                (field.kind == 'L' && parse_logical(word));
    if (!good)
      fail<DataError>(place_, "atom ", i, ": column ", field.name, " (", field.kind, ") holds ",
                      shown(word));
    frame_.columns[field.column].text.emplace_back(word);
  }
}

void FrameReader::read_vector(const char* what, int64_t i, std::string_view& line, Vec3& out) {
  for (double& x : out) {
    std::string_view word = next_word(line);
    auto number = parse_number(word);
    if (!number)
      fail<DataError>(place_, "atom ", i, ": the ", what, " is not a number: ", shown(word));
    if (!std::isfinite(*number))
      fail<DataError>(place_, "atom ", i, ": the ", what, " is not finite: ", shown(word));
    x = *number;
  }
}

int FrameReader::read_species(int64_t i, std::string_view word) {
  std::string symbol(word);  // "CL" is chlorine, as in ASE
  for (char& c : symbol) c = lower(c);
  symbol[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(symbol[0])));
  int number = number_of(symbol);
  if (number == 0) fail<DataError>(place_, "atom ", i, ": unknown element ", shown(word));
  return number;
}

}  // namespace

Frame read_frame(const Place& place, const ExtxyzKeys& keys, std::string_view text, int64_t atoms) {
  return FrameReader(place, keys).read(text, atoms);
}

}  // namespace casimir::extxyz
