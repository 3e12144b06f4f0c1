#include "datasets/statistics.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>
#include <set>

#include "core/error.h"
#include "core/linalg.h"

namespace casimir {
namespace {

std::string lower_letters(const std::string& text) {
  std::string letters;
  for (char c : text)
    if (std::isalpha(static_cast<unsigned char>(c)))
      letters += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return letters;
}

double sum_of_references(const Frame& frame, const AtomEnergies& e0s) {
  double sum = 0;
  for (int number : frame.numbers) {
    auto found = e0s.find(number);
    check<DataError>(found != e0s.end(), frame.where(), ": no reference energy for ",
                     symbol_of(number));
    sum += found->second;
  }
  return sum;
}

std::string fixed(double value, int digits) {
  char text[64];
  std::snprintf(text, sizeof text, "%.*f", digits, value);
  return text;
}

std::vector<int> elements_in(std::span<const Sample> samples) {
  std::set<int> found;
  for (const Sample& sample : samples)
    found.insert(sample.frame.numbers.begin(), sample.frame.numbers.end());
  return {found.begin(), found.end()};
}

}  // namespace

std::vector<int> elements_of(std::span<const Frame> frames) {
  std::set<int> found;
  for (const Frame& frame : frames) found.insert(frame.numbers.begin(), frame.numbers.end());
  return {found.begin(), found.end()};
}

bool is_isolated_atom(const Frame& frame, double r_max) {
  if (frame.size() != 1) return false;
  return lower_letters(frame.config_type) == "isolatedatom" ||
         find_neighbors(frame.positions, frame.cell, frame.pbc, r_max).size() == 0;
}

std::vector<Frame> take_isolated_atoms(std::vector<Frame>& frames, double r_max) {
  auto middle = std::stable_partition(frames.begin(), frames.end(), [r_max](const Frame& frame) {
    return !is_isolated_atom(frame, r_max);
  });
  std::vector<Frame> isolated(std::make_move_iterator(middle),
                              std::make_move_iterator(frames.end()));
  frames.erase(middle, frames.end());
  return isolated;
}

AtomEnergies isolated_energies(std::span<const Frame> frames) {
  AtomEnergies energies;
  for (const Frame& frame : frames) {
    check<DataError>(frame.size() == 1, frame.where(), ": ", frame.size(),
                     " atoms, expected an isolated atom");
    check<DataError>(frame.energy.has_value(), frame.where(), ": the isolated atom ",
                     symbol_of(frame.numbers[0]), " has no energy");
    auto [known, is_new] = energies.emplace(frame.numbers[0], *frame.energy);
    check<DataError>(is_new || known->second == *frame.energy, frame.where(),
                     ": the isolated atom ", symbol_of(frame.numbers[0]), " has energy ",
                     fixed(*frame.energy, 6), " eV, an earlier frame ", fixed(known->second, 6),
                     " eV");
  }
  return energies;
}

AtomEnergies least_squares_energies(std::span<const Frame> frames, std::string* note) {
  const std::vector<int> elements = elements_of(frames);
  const size_t columns = elements.size();
  std::vector<double> counts, energies;  // [frames with energy, elements], [frames with energy]
  for (const Frame& frame : frames) {
    if (!frame.energy) continue;
    std::vector<double> row(columns, 0);
    for (int number : frame.numbers)
      row[std::lower_bound(elements.begin(), elements.end(), number) - elements.begin()] += 1;
    counts.insert(counts.end(), row.begin(), row.end());
    energies.push_back(*frame.energy);
  }
  check<DataError>(!energies.empty(),
                   "reference energies by least squares: no frame has an energy");
  int64_t rank = 0;
  std::vector<double> solution =
      least_squares(counts, energies, static_cast<int64_t>(energies.size()),
                    static_cast<int64_t>(columns), 1e-10, &rank);
  if (note && rank < static_cast<int64_t>(columns))
    *note = concat_text("reference energies by least squares: the compositions fix only ", rank,
                        " of ", columns, " combinations of ", symbols_of(elements),
                        "; the smallest such energies are taken");
  AtomEnergies result;
  for (size_t k = 0; k < columns; ++k) result[elements[k]] = solution[k];
  return result;
}

AtomEnergies given_energies(const std::map<std::string, double>& by_symbol) {
  AtomEnergies energies;
  for (const auto& [name, energy] : by_symbol) {
    bool digits =
        !name.empty() && name.size() <= 3 &&
        std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isdigit(c); });
    int number = digits ? std::stoi(name) : number_of(name);
    check<ConfigError>(number >= 1 && number <= 118, "reference energies: unknown element '", name,
                       "'");
    check<ConfigError>(energies.emplace(number, energy).second,
                       "reference energies: ", symbol_of(number), " is given twice");
  }
  return energies;
}

std::vector<double> energies_for(const std::vector<int>& elements, const AtomEnergies& energies,
                                 const std::string& origin) {
  std::vector<double> result;
  std::vector<int> missing;
  for (int number : elements) {
    auto found = energies.find(number);
    if (found == energies.end())
      missing.push_back(number);
    else
      result.push_back(found->second);
  }
  check<DataError>(missing.empty(), origin, ": no reference energy for ", symbols_of(missing));
  return result;
}

double avg_num_neighbors(std::span<const Sample> samples) {
  int64_t edges = 0, receivers = 0;
  for (const Sample& sample : samples) {
    const auto& receiver = sample.neighbors.receiver;  // sorted
    edges += sample.edges();
    for (size_t e = 0; e < receiver.size(); ++e)
      receivers += e == 0 || receiver[e] != receiver[e - 1];
  }
  return receivers > 0 ? static_cast<double>(edges) / static_cast<double>(receivers) : 1;
}

ScaleShift scale_shift(std::span<const Sample> samples, const AtomEnergies& e0s) {
  std::vector<double> per_atom;  // eV
  double force_squares = 0, components = 0;
  for (const Sample& sample : samples) {
    const Frame& frame = sample.frame;
    if (frame.energy)
      per_atom.push_back((*frame.energy - sum_of_references(frame, e0s)) /
                         static_cast<double>(frame.size()));
    for (const Vec3& f : frame.forces)
      force_squares += f[0] * f[0] + f[1] * f[1] + f[2] * f[2], components += 3;
  }
  ScaleShift result;
  const double n = static_cast<double>(per_atom.size());
  for (double e : per_atom) result.shift += e / n;
  if (components > 0) {
    result.scale = std::sqrt(force_squares / components);
  } else if (n > 1) {
    double squares = 0;
    for (double e : per_atom) squares += (e - result.shift) * (e - result.shift);
    result.scale = std::sqrt(squares / (n - 1));
  }
  if (!(result.scale > 0)) result.scale = 1;
  return result;
}

LabelCounts count_labels(std::span<const Sample> samples) {
  LabelCounts counts;
  for (const Sample& sample : samples) {
    ++counts.frames;
    counts.energy += sample.frame.energy.has_value();
    counts.forces += !sample.frame.forces.empty();
    counts.stress += sample.frame.stress.has_value();
  }
  return counts;
}

std::string data_table(const std::vector<NamedSamples>& sets) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [name, samples] : sets) {
    int64_t atoms = 0, edges = 0, least = 0, most = 0;
    for (const Sample& sample : samples) {
      atoms += sample.nodes();
      edges += sample.edges();
      least = least ? std::min(least, sample.nodes()) : sample.nodes();
      most = std::max(most, sample.nodes());
    }
    LabelCounts labels = count_labels(samples);
    double neighbours = atoms ? static_cast<double>(edges) / static_cast<double>(atoms) : 0;
    rows.push_back(
        {name + "  ", concat_text(labels.frames, " frames, "), concat_text(atoms, " atoms"),
         concat_text(" (", symbols_of(elements_in(samples)), "), "),
         concat_text(least, "-", most, " atoms/frame, "),
         fixed(neighbours, 1) + " neighbours/atom, ", concat_text("energy ", labels.energy, ", "),
         concat_text("forces ", labels.forces, ", "), concat_text("stress ", labels.stress)});
  }
  std::string text;
  for (const auto& row : rows) {
    for (size_t column = 0; column < row.size(); ++column) {
      size_t width = 0;
      for (const auto& other : rows) width = std::max(width, other[column].size());
      std::string padding(width - row[column].size(), ' ');
      bool left = column == 0 || column == 3 || column >= 6;
      text += left ? row[column] + padding : padding + row[column];
    }
    while (!text.empty() && text.back() == ' ') text.pop_back();
    text += '\n';
  }
  return text;
}

}  // namespace casimir
