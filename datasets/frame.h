// One structure with its labels, exactly as read.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace casimir {

struct Frame {
  std::vector<int> numbers;                        // atomic numbers
  std::vector<std::array<double, 3>> positions;    // A
  std::array<double, 9> cell{};                    // rows are the lattice vectors, A; zero: none
  std::array<bool, 3> pbc{false, false, false};

  std::optional<double> energy;                    // eV
  std::vector<std::array<double, 3>> forces;       // eV/A; empty: no label
  std::optional<std::array<double, 9>> stress;     // eV/A^3, positive = tension (ASE's sign)
  std::string config_type = "Default";
  double weight = 1, energy_weight = 1, forces_weight = 1, stress_weight = 1;  // config_weight, config_energy_weight ...

  // Everything else, for writing the frame back: the comment line's pairs in order (values as written), and
  // the extra columns.
  std::vector<std::pair<std::string, std::string>> info;
  struct Column {
    std::string name;
    char kind = 'R';  // R, I, S, L
    int width = 1;
    std::vector<std::string> text;  // atoms * width
  };
  std::vector<Column> columns;

  std::string source;  // "train.xyz"
  int64_t number = 0;  // frame in that file, from 0
  size_t size() const { return numbers.size(); }
  double volume() const;  // |det cell|
};

const char* symbol_of(int number);                 // "H"; 1 .. 118
int number_of(const std::string& symbol);          // 0 when unknown

}  // namespace casimir
