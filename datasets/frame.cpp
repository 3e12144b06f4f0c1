#include "datasets/frame.h"

#include <cmath>
#include <unordered_map>

#include "core/error.h"

namespace casimir {
namespace {

constexpr int highest_number = 118;
constexpr const char* symbols[highest_number + 1] = {
    "X",  "H",  "He", "Li", "Be", "B",  "C",  "N",  "O",  "F",  "Ne", "Na", "Mg", "Al", "Si",
    "P",  "S",  "Cl", "Ar", "K",  "Ca", "Sc", "Ti", "V",  "Cr", "Mn", "Fe", "Co", "Ni", "Cu",
    "Zn", "Ga", "Ge", "As", "Se", "Br", "Kr", "Rb", "Sr", "Y",  "Zr", "Nb", "Mo", "Tc", "Ru",
    "Rh", "Pd", "Ag", "Cd", "In", "Sn", "Sb", "Te", "I",  "Xe", "Cs", "Ba", "La", "Ce", "Pr",
    "Nd", "Pm", "Sm", "Eu", "Gd", "Tb", "Dy", "Ho", "Er", "Tm", "Yb", "Lu", "Hf", "Ta", "W",
    "Re", "Os", "Ir", "Pt", "Au", "Hg", "Tl", "Pb", "Bi", "Po", "At", "Rn", "Fr", "Ra", "Ac",
    "Th", "Pa", "U",  "Np", "Pu", "Am", "Cm", "Bk", "Cf", "Es", "Fm", "Md", "No", "Lr", "Rf",
    "Db", "Sg", "Bh", "Hs", "Mt", "Ds", "Rg", "Cn", "Nh", "Fl", "Mc", "Lv", "Ts", "Og"};

Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
double dot(const Vec3& a, const Vec3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

}  // namespace

double volume_of(const Mat3& cell) {
  Vec3 a{cell[0], cell[1], cell[2]}, b{cell[3], cell[4], cell[5]}, c{cell[6], cell[7], cell[8]};
  return std::abs(dot(a, cross(b, c)));
}

double Frame::volume() const {
  return volume_of(cell);
}

std::string Frame::where() const {
  return source + ": frame " + std::to_string(number);
}

bool spans(const Mat3& cell, const std::array<bool, 3>& pbc) {
  constexpr double least_sine = 1e-8;  // of the angles between the periodic vectors
  std::vector<Vec3> units;
  for (int i = 0; i < 3; ++i) {
    if (!pbc[i]) continue;
    Vec3 v{cell[3 * i], cell[3 * i + 1], cell[3 * i + 2]};
    double length = std::sqrt(dot(v, v));
    if (!(length > 1e-10)) return false;
    units.push_back({v[0] / length, v[1] / length, v[2] / length});
  }
  if (units.size() == 2) {
    Vec3 normal = cross(units[0], units[1]);
    return dot(normal, normal) > least_sine * least_sine;
  }
  return units.size() < 3 || std::abs(dot(units[0], cross(units[1], units[2]))) > least_sine;
}

const char* symbol_of(int number) {
  check(number >= 1 && number <= highest_number, "symbol_of: no element ", number);
  return symbols[number];
}

int number_of(const std::string& symbol) {
  static const std::unordered_map<std::string, int> numbers = [] {
    std::unordered_map<std::string, int> map;
    for (int z = 1; z <= highest_number; ++z) map[symbols[z]] = z;
    return map;
  }();
  auto found = numbers.find(symbol);
  return found == numbers.end() ? 0 : found->second;
}

std::string symbols_of(const std::vector<int>& numbers) {
  std::string text;
  for (int z : numbers) {
    if (!text.empty()) text += ' ';
    text += symbol_of(z);
  }
  return text;
}

}  // namespace casimir
