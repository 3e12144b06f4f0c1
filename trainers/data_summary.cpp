#include "trainers/data_summary.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>

#include "trainers/table.h"

namespace casimir {

namespace {

struct Range {
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0, squares = 0;
  int64_t count = 0;

  void add(double value) {
    low = std::min(low, value);
    high = std::max(high, value);
    sum += value;
    squares += value * value;
    ++count;
  }
  double mean() const { return count ? sum / static_cast<double>(count) : 0; }
  double rms() const { return count ? std::sqrt(squares / static_cast<double>(count)) : 0; }
  double deviation() const {
    return count ? std::sqrt(std::max(0.0, squares / static_cast<double>(count) - mean() * mean()))
                 : 0;
  }
  std::string text(const std::string& unit, int digits = 4) const {
    return number_text(low, digits) + " to " + number_text(high, digits) + " " + unit;
  }
};

struct Summary {
  int64_t frames = 0, atoms = 0, bulk = 0, partly = 0, with_energy = 0, with_forces = 0,
          with_stress = 0;
  Range size, energy, forces, force_norms, stress, volume;
  std::map<int, int64_t> elements;

  void add(const Frame& frame);
};

void Summary::add(const Frame& frame) {
  const auto n = static_cast<double>(frame.size());
  ++frames;
  atoms += static_cast<int64_t>(frame.size());
  size.add(n);
  for (int number : frame.numbers) ++elements[number];
  const auto directions = std::count(frame.pbc.begin(), frame.pbc.end(), true);
  bulk += directions == 3;
  partly += directions == 1 || directions == 2;
  if (directions == 3 && n > 0) volume.add(frame.volume() / n);
  if (frame.energy && n > 0) energy.add(*frame.energy / n);
  with_energy += frame.energy.has_value();
  with_forces += !frame.forces.empty();
  with_stress += frame.stress.has_value();
  for (const Vec3& force : frame.forces) {
    force_norms.add(std::sqrt(force[0] * force[0] + force[1] * force[1] + force[2] * force[2]));
    for (double component : force) forces.add(component);
  }
  if (frame.stress)
    for (double component : *frame.stress) stress.add(component);
}

std::string line(std::string name, const std::string& value) {
  name.resize(std::max<size_t>(name.size(), 16), ' ');
  return "  " + name + " " + value + "\n";
}

// A line for each quantity that is far from what its unit gives in molecules and solids.
std::string hints(const Summary& summary) {
  std::string text;
  const double rms = summary.forces.rms();
  if (rms > 50)
    text += "  Forces are large: are they in eV/A? 1 Hartree/Bohr is 51.42 eV/A.\n";
  else if (rms > 0 && rms < 1e-4)
    text += "  Forces are small: are they in eV/A?\n";
  if (summary.volume.count && summary.volume.mean() < 3)
    text += "  Atoms are dense: are positions and cell in A? 1 Bohr is 0.5292 A.\n";
  else if (summary.volume.count && summary.volume.mean() > 300)
    text += "  Atoms are sparse for periodic cells: are these meant to be periodic?\n";
  if (summary.stress.rms() > 1)
    text += "  Stress is large: is it in eV/A^3? 1 GPa is 0.006242 eV/A^3.\n";
  return text;
}

std::string labels_text(const Summary& summary) {
  std::string text;
  auto of = [&](int64_t have) {
    return have == 0                ? std::string("none")
           : have == summary.frames ? std::string("all frames")
                                    : count_text(have) + " of " + plural(summary.frames, "frame");
  };
  std::string energy = of(summary.with_energy);
  if (summary.energy.count)
    energy += ": " + summary.energy.text("eV/atom", 7) + ", standard deviation " +
              number_text(1000 * summary.energy.deviation()) + " meV/atom";
  std::string forces = of(summary.with_forces);
  if (summary.forces.count)
    forces += ": RMS of a component " + number_text(summary.forces.rms()) + " eV/A, largest norm " +
              number_text(summary.force_norms.high) + " eV/A";
  std::string stress = of(summary.with_stress);
  if (summary.stress.count) stress += ": components " + summary.stress.text("eV/A^3");
  return line("energy", energy) + line("forces", forces) + line("stress", stress);
}

}  // namespace

std::string data_summary(const std::string& path, const std::vector<Frame>& frames) {
  Summary all;
  std::map<std::string, Summary> types;
  for (const Frame& frame : frames) {
    all.add(frame);
    types[frame.config_type].add(frame);
  }
  std::string text =
      path + ": data set, " + plural(all.frames, "frame") + ", " + plural(all.atoms, "atom") + "\n";
  if (frames.empty()) return text;
  text += line("atoms per frame", number_text(all.size.low, 1) == number_text(all.size.high, 1)
                                      ? count_text(static_cast<int64_t>(all.size.low))
                                      : count_text(static_cast<int64_t>(all.size.low)) + " to " +
                                            count_text(static_cast<int64_t>(all.size.high)));
  std::string elements;
  for (const auto& [number, count] : all.elements)
    elements +=
        (elements.empty() ? "" : ", ") + std::string(symbol_of(number)) + " " + count_text(count);
  text += line("elements", elements);
  text += line("periodic", count_text(all.bulk) + " in three directions, " +
                               count_text(all.partly) + " in one or two, " +
                               count_text(all.frames - all.bulk - all.partly) + " in none");
  if (all.volume.count) text += line("volume per atom", all.volume.text("A^3"));
  text += labels_text(all);
  if (types.size() > 1) {
    Table table({{"config_type", "", true},
                 {"frames", ""},
                 {"atoms", ""},
                 {"energy", ""},
                 {"forces", ""},
                 {"stress", ""}});
    for (const auto& [name, type] : types)
      table.row({name, count_text(type.frames), count_text(type.atoms),
                 count_text(type.with_energy), count_text(type.with_forces),
                 count_text(type.with_stress)});
    text += table.text(2);
  } else {
    text += line("config_type", types.begin()->first);
  }
  return text + hints(all);
}

}  // namespace casimir
