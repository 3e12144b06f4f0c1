// From the data section to samples and constants: what is refused, counted and split.
#include <doctest/doctest.h>

#include "core/files.h"
#include "tests/message_of.h"
#include "tests/training_run.h"
#include "trainers/data.h"

using namespace casimir;

namespace {

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Silicon frames written after `change`.
template <class F>
void write_changed(const std::string& path, int64_t frames, F change) {
  SiliconOptions silicon;
  silicon.frames = frames;
  silicon.repeat = {1, 1, 1};
  std::vector<Frame> all = make_silicon(silicon);
  for (size_t i = 0; i < all.size(); ++i) change(i, all[i]);
  write_extxyz(path, all);
}

Frame single_atom(const char* symbol, double energy) {
  Frame frame;
  frame.numbers = {number_of(symbol)};
  frame.positions = {{0, 0, 0}};
  frame.energy = energy;
  return frame;
}

}  // namespace

TEST_CASE("training data: a missing file names its key and repeats where to get it") {
  RunOptions options = small_run("none.xyz");
  CHECK(message_of<MissingError>([&] { load_data(options); }) ==
        "data.train: no such file 'none.xyz'");
  options.data.source = "https://example.org/set";
  CHECK(message_of<MissingError>([&] { load_data(options); }) ==
        "data.train: no such file 'none.xyz'; get it from https://example.org/set");
  CHECK(MissingError("").exit_code() == 66);
}

TEST_CASE("training data: a label with a weight that no frame has is an error") {
  TemporaryFolder folder;
  write_changed(folder / "a.xyz", 4, [](size_t, Frame& f) { f.stress.reset(); });
  RunOptions options = small_run(folder / "a.xyz");
  CHECK(message_of<DataError>([&] { load_data(options); }) ==
        "data.train: no frame has a label for stress (key 'stress' or 'virial'), but "
        "task.weights.stress is 100");
  options.task.weights.stress = 0;
  load_data(options);
  options.train.stage_two.emplace();
  CHECK(message_of<DataError>([&] { load_data(options); }) ==
        "data.train: no frame has a label for stress (key 'stress' or 'virial'), but "
        "train.stage_two.weights.stress is 10");
}

TEST_CASE("training data: labels under other keys are found by name") {
  TemporaryFolder folder;
  write_changed(folder / "a.xyz", 4, [](size_t, Frame& f) {
    f.info.push_back({"REF_energy", std::to_string(*f.energy)});
    f.energy.reset();
  });
  RunOptions options = small_run(folder / "a.xyz");
  CHECK(message_of<DataError>([&] { load_data(options); }) ==
        "data.train: no frame has a label for energy (key 'energy'), but "
        "task.weights.energy is 1");
  options.task.weights.energy = 0;
  Data without = load_data(options);
  CHECK(without.constants.atomic_energies == std::vector<double>{0});
  CHECK(contains(without.table, "no frame has an energy: the reference energies are 0\n"));
  options.task.weights.energy = 1;
  options.data.energy_key = "REF_energy";
  CHECK(load_data(options).train[0].frame.energy.has_value());
}

TEST_CASE("training data: labels that some frames lack are counted") {
  TemporaryFolder folder;
  write_changed(folder / "a.xyz", 5, [](size_t i, Frame& f) {
    if (i % 2) f.energy.reset();
    if (i == 3) f.forces.clear();
  });
  RunOptions options = small_run(folder / "a.xyz");
  options.data.valid_fraction = 0;
  std::string table = load_data(options).table;
  CHECK(contains(table, "data.train: 2 of 5 frames lack energy; they do not count in its loss\n"));
  CHECK(contains(table, "data.train: 1 of 5 frames lack forces; they do not count in its loss\n"));
  CHECK_FALSE(contains(table, "lack stress"));
}

TEST_CASE("training data: split, files and checksums") {
  TemporaryFolder folder;
  write_silicon(folder / "a.xyz", 10);
  write_silicon(folder / "b.xyz", 3, 2);
  RunOptions options = small_run(folder / "a.xyz");
  options.data.valid_count = 4;
  Data split = load_data(options);
  CHECK(split.train.size() == 6);
  CHECK(split.valid.size() == 4);
  REQUIRE(split.files.size() == 1);
  CHECK(split.files[0].checksum == hex(checksum(read_file(folder / "a.xyz"))));
  options.data.valid = {folder / "b.xyz"};
  Data given = load_data(options);
  CHECK(given.train.size() == 10);
  CHECK(given.valid.size() == 3);
  CHECK(given.files[1].key == "data.valid");
  options.data.valid.clear();
  options.data.valid_count = 10;
  CHECK(message_of<DataError>([&] { load_data(options); }) ==
        "data.valid_count: 10 of 10 training frames leaves none to train on");
  options.data.valid_count.reset();
  options.data.index = "0:4";
  options.data.valid_fraction = 0.5;
  CHECK(load_data(options).train.size() == 2);
  options.data.index = "90:";
  CHECK(message_of<DataError>([&] { load_data(options); }) ==
        folder / "a.xyz: index '90:' selects none of the 10 frames");
}

TEST_CASE("training data: E0s given, from a file, from the training frames, by least squares") {
  TemporaryFolder folder;
  write_silicon(folder / "a.xyz", 6);
  RunOptions options = small_run(folder / "a.xyz");
  options.data.E0s = "given";
  options.data.E0_values = {{"Si", -2.5}};
  CHECK(load_data(options).constants.atomic_energies == std::vector<double>{-2.5});
  options.data.E0_values = {{"O", -2.5}};
  CHECK(contains(message_of<DataError>([&] { load_data(options); }), "data.E0_values"));

  options.data.E0s = "isolated";
  CHECK(message_of<DataError>([&] { load_data(options); }) ==
        "data.E0s: isolated, but data.train has no frame of a single isolated atom; give "
        "data.isolated_atoms, or E0s: least_squares");
  write_extxyz(folder / "iso.xyz", {single_atom("Si", -1.25), single_atom("O", -9)});
  options.data.isolated_atoms = folder / "iso.xyz";
  CHECK(load_data(options).constants.atomic_energies == std::vector<double>{-1.25});

  options.data.isolated_atoms.clear();
  write_changed(folder / "b.xyz", 4, [](size_t i, Frame& f) {
    if (i == 2) f = single_atom("Si", -0.75);
  });
  options.data.train = {folder / "b.xyz"};
  options.data.valid_fraction = 0;
  Data data = load_data(options);
  CHECK(data.train.size() == 3);
  CHECK(data.constants.atomic_energies == std::vector<double>{-0.75});

  options.data.E0s = "least_squares";
  options.data.train = {folder / "a.xyz"};
  CHECK(load_data(options).constants.atomic_energies[0] == doctest::Approx(-4).epsilon(0.2));
}

TEST_CASE("training data: the model section is stronger than the data") {
  TemporaryFolder folder;
  write_silicon(folder / "a.xyz", 4);
  RunOptions options = small_run(folder / "a.xyz");
  options.model.scale = 2;
  options.model.shift = 0.5;
  options.model.avg_num_neighbors = 11;
  options.model.elements = {"Si"};
  MaceConstants constants = load_data(options).constants;
  CHECK(constants.scale == 2);
  CHECK(constants.shift == 0.5);
  CHECK(constants.avg_num_neighbors == 11);
  options.model.elements = {"O"};
  CHECK(contains(message_of<DataError>([&] { load_data(options); }), "Si"));
  options.model.elements = {"Zz"};
  CHECK(message_of<ConfigError>([&] { load_data(options); }) ==
        "model.elements: unknown element 'Zz'");
}

TEST_CASE("training data: config_type_weights multiply the frames' weights") {
  TemporaryFolder folder;
  write_changed(folder / "a.xyz", 4,
                [](size_t i, Frame& f) { f.config_type = i % 2 ? "odd" : "even"; });
  RunOptions options = small_run(folder / "a.xyz");
  options.data.valid_fraction = 0;
  options.data.config_type_weights = {{"odd", 3}};
  for (const bool own_file : {false, true}) {
    if (own_file) options.data.valid = options.data.train;
    Data data = load_data(options);
    CHECK(data.valid.size() == (own_file ? 4 : 0));
    for (const auto* set : {&data.train, &data.valid})
      for (const Sample& sample : *set)
        CHECK(sample.frame.weight == (sample.frame.config_type == "odd" ? 3 : 1));
  }
}
