#include "datasets/statistics.h"

#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "core/error.h"
#include "datasets/extxyz.h"
#include "tests/message_of.h"

using namespace casimir;

namespace {

Frame molecule(const std::vector<int>& numbers, std::optional<double> energy) {
  Frame frame;
  frame.numbers = numbers;
  for (size_t i = 0; i < numbers.size(); ++i)
    frame.positions.push_back({static_cast<double>(i), 0, 0});
  frame.energy = energy;
  frame.source = "a.xyz";
  return frame;
}

const AtomEnergies reference{{1, -13.5}, {6, -1029.5}, {8, -2042.0}};

}  // namespace

TEST_CASE("statistics: elements") {
  std::vector<Frame> frames{molecule({8, 1, 1}, 0), molecule({6, 8}, 0)};
  CHECK(elements_of(frames) == std::vector<int>{1, 6, 8});
  CHECK(elements_of({}).empty());
}

TEST_CASE("statistics: isolated atoms are found and taken out") {
  std::vector<Frame> frames{molecule({8, 1, 1}, -2075), molecule({1}, -13.5),
                            molecule({6}, -1029.5), molecule({14}, -5), molecule({14}, -6)};
  frames[2].config_type = "IsolatedAtom";
  frames[3].cell = {5, 0, 0, 0, 20, 0, 0, 0, 20};  // one atom in a crystal: no isolated atom
  frames[3].pbc = {true, true, true};
  frames[4].cell = {20, 0, 0, 0, 20, 0, 0, 0, 20};
  frames[4].pbc = {true, true, true};
  CHECK(!is_isolated_atom(frames[0], 6));
  CHECK(is_isolated_atom(frames[1], 6));
  CHECK(!is_isolated_atom(frames[3], 6));
  CHECK(is_isolated_atom(frames[3], 4));
  CHECK(is_isolated_atom(frames[4], 6));
  frames[3].config_type = "isolated_atom";
  CHECK(is_isolated_atom(frames[3], 6));
  frames[3].config_type = "Default";
  std::vector<Frame> isolated = take_isolated_atoms(frames, 6);
  CHECK(frames.size() == 2);
  CHECK(isolated.size() == 3);
  CHECK(isolated_energies(isolated) == AtomEnergies{{1, -13.5}, {6, -1029.5}, {14, -6}});
}

TEST_CASE("statistics: contradicting isolated atoms are refused") {
  std::vector<Frame> frames{molecule({1}, -13.5), molecule({1}, -13.5)};
  CHECK(isolated_energies(frames).size() == 1);
  frames[1].energy = -13.25;
  frames[1].number = 1;
  CHECK(message_of<DataError>([&] { isolated_energies(frames); }) ==
        "a.xyz: frame 1: the isolated atom H has energy -13.250000 eV, an earlier frame "
        "-13.500000 eV");
  frames[1].energy.reset();
  CHECK(message_of<DataError>([&] { isolated_energies(frames); }) ==
        "a.xyz: frame 1: the isolated atom H has no energy");
  frames[0] = molecule({1, 1}, 0);
  CHECK(message_of<DataError>([&] { isolated_energies(frames); }) ==
        "a.xyz: frame 0: 2 atoms, expected an isolated atom");
}

TEST_CASE("statistics: energies of the 3BPA atoms") {
  std::string path = CASIMIR_SOURCE_DIR "/../shared/data/3bpa/iso_atoms.xyz";
  if (!std::filesystem::exists(path)) {
    MESSAGE("skipped: no " << path);
    return;
  }
  AtomEnergies e0s = isolated_energies(read_extxyz(path));
  CHECK(e0s == AtomEnergies{{1, -13.587222780835477},
                            {6, -1029.4889999855063},
                            {7, -1484.9814568572233},
                            {8, -2041.9816003861047}});
}

TEST_CASE("statistics: least squares recovers energies of atoms") {
  std::vector<Frame> frames;
  for (const std::vector<int>& numbers :
       {std::vector<int>{8, 1, 1}, {6, 8, 8}, {6, 1, 1, 1, 1}, {6, 8}, {1, 1}}) {
    double energy = 0;
    for (int z : numbers) energy += reference.at(z);
    frames.push_back(molecule(numbers, energy));
  }
  frames.push_back(molecule({1, 8}, std::nullopt));
  std::string note;
  AtomEnergies found = least_squares_energies(frames, &note);
  CHECK(note.empty());
  REQUIRE(found.size() == 3);
  for (auto [z, energy] : reference) CHECK(found.at(z) == doctest::Approx(energy).epsilon(1e-10));
}

TEST_CASE("statistics: least squares says what the compositions leave open") {
  std::vector<Frame> frames(4, molecule({8, 1, 1}, -10));
  std::string note;
  AtomEnergies found = least_squares_energies(frames, &note);
  // The shortest (h, o) with 2 h + o = -10.
  CHECK(found.at(1) == doctest::Approx(-4));
  CHECK(found.at(8) == doctest::Approx(-2));
  CHECK(note ==
        "reference energies by least squares: the compositions fix only 1 of 2 "
        "combinations of H O; the smallest such energies are taken");
  frames.assign(1, molecule({1}, std::nullopt));
  CHECK(message_of<DataError>([&] { least_squares_energies(frames); }) ==
        "reference energies by least squares: no frame has an energy");
}

TEST_CASE("statistics: given energies") {
  CHECK(given_energies({{"H", -13.5}, {"6", -1029.5}, {"O", -2042.0}}) == reference);
  CHECK(message_of<ConfigError>([] {
          given_energies({{"Hx", 1}});
        }) == "reference energies: unknown element 'Hx'");
  CHECK(message_of<ConfigError>([] {
          given_energies({{"0", 1}});
        }) == "reference energies: unknown element '0'");
  CHECK(message_of<ConfigError>([] {
          given_energies({{"H", 1}, {"1", 1}});
        }) == "reference energies: H is given twice");
  CHECK(energies_for({1, 8}, reference, "model.e0s") == std::vector<double>{-13.5, -2042});
  CHECK(message_of<DataError>([] {
          energies_for({1, 7, 14}, reference, "model.e0s");
        }) == "model.e0s: no reference energy for N Si");
}

TEST_CASE("statistics: mean number of neighbours") {
  // Atoms at 0, 1, 2 A: within 1.5 A 1, 2, 1 edges; the lone atom counts for nothing, as in MACE.
  std::vector<Sample> samples =
      prepare_samples({molecule({8, 1, 1}, 0), molecule({8}, 0)}, {1, 8}, 1.5);
  CHECK(avg_num_neighbors(samples) == doctest::Approx(4.0 / 3).epsilon(1e-15));
  CHECK(avg_num_neighbors({}) == 1);
}

TEST_CASE("statistics: shift and scale") {
  // E - sum E0 = -9 over 3 atoms and -2 over 2: mean of -3 and -1, sample deviation sqrt(2).
  std::vector<Frame> frames{molecule({8, 1, 1}, -2042 - 27 - 9.0), molecule({6, 8}, -3071.5 - 2)};
  std::vector<Sample> samples = prepare_samples(frames, {1, 6, 8}, 1.5);
  ScaleShift found = scale_shift(samples, reference);
  CHECK(found.shift == doctest::Approx(-2).epsilon(1e-12));
  CHECK(found.scale == doctest::Approx(std::sqrt(2.0)).epsilon(1e-12));
  frames[1].forces = {{1, 2, 3}, {0, 0, -4}};
  found = scale_shift(prepare_samples(frames, {1, 6, 8}, 1.5), reference);
  CHECK(found.shift == doctest::Approx(-2).epsilon(1e-12));
  CHECK(found.scale == doctest::Approx(std::sqrt(30.0 / 6)).epsilon(1e-12));
  frames[0].energy.reset();
  found = scale_shift(prepare_samples({frames[0]}, {1, 6, 8}, 1.5), reference);
  CHECK(found.shift == 0);
  CHECK(found.scale == 1);
  CHECK(message_of<DataError>([&] {
          scale_shift(samples, {{1, 0}});
        }) == "a.xyz: frame 0: no reference energy for O");
}

TEST_CASE("statistics: the table of the data") {
  std::vector<Frame> frames{molecule({8, 1, 1}, -1), molecule({6, 8}, std::nullopt)};
  frames[1].forces.resize(2);
  std::vector<Sample> train = prepare_samples(frames, {1, 6, 8}, 1.5);
  std::vector<Frame> more(12, molecule({8, 1, 1}, -1));
  std::vector<Sample> valid = prepare_samples(more, {1, 6, 8}, 1.5);
  CHECK(data_table({{"train", train}}) ==
        "train  2 frames, 5 atoms (H C O), 2-3 atoms/frame, 1.2 neighbours/atom, energy 1, forces "
        "1, stress 0\n");
  CHECK(data_table({{"train", train}, {"test_300K", valid}}) ==
        "train       2 frames,  5 atoms (H C O), 2-3 atoms/frame, 1.2 neighbours/atom, energy 1,  "
        "forces 1, stress 0\n"
        "test_300K  12 frames, 36 atoms (H O),   3-3 atoms/frame, 1.3 neighbours/atom, energy 12, "
        "forces 0, stress 0\n");
  LabelCounts counts = count_labels(train);
  CHECK(counts.frames == 2);
  CHECK(counts.energy == 1);
  CHECK(counts.forces == 1);
  CHECK(counts.stress == 0);
}
