// One structure with its labels, exactly as read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace casimir {

using Vec3 = std::array<double, 3>;
using Mat3 = std::array<double, 9>;  // row-major

struct Frame {
  std::vector<int> numbers;     // atomic numbers
  std::vector<Vec3> positions;  // A
  Mat3 cell{};                  // rows are the lattice vectors, A; zero: none
  std::array<bool, 3> pbc{false, false, false};

  std::optional<double> energy;  // eV
  std::vector<Vec3> forces;      // eV/A; empty: no label
  std::optional<Mat3> stress;    // eV/A^3, symmetric, positive = tension (ASE's sign)
  std::string config_type = "Default";
  // MACE's config_weight, config_energy_weight, config_forces_weight, config_stress_weight.
  double weight = 1, energy_weight = 1, forces_weight = 1, stress_weight = 1;

  // Everything else, for writing the frame back: the comment line's other pairs in order, values as
  // written with their quotes ("" for a word without a value), and the other columns.
  std::vector<std::pair<std::string, std::string>> info;
  struct Column {
    std::string name;
    char kind = 'R';  // R real, I integer, S text, L logical
    int width = 1;
    std::vector<std::string> text;  // atoms * width
  };
  std::vector<Column> columns;

  std::string source;  // the file, as it was named
  int64_t number = 0;  // frame in that file, from 0

  size_t size() const { return numbers.size(); }
  double volume() const;      // A^3; 0 without a cell
  std::string where() const;  // "train.xyz: frame 117"
};

double volume_of(const Mat3& cell);  // |det cell|

// Whether the periodic directions span space: their vectors are neither zero nor dependent.
bool spans(const Mat3& cell, const std::array<bool, 3>& pbc);

const char* symbol_of(int number);         // "H"; 1 .. 118
int number_of(const std::string& symbol);  // 0 when unknown
// "H C N O"
std::string symbols_of(const std::vector<int>& numbers);

}  // namespace casimir
