#include "datasets/extxyz.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <limits>

#include "core/error.h"
#include "core/files.h"
#include "core/random.h"
#include "tests/bad_extxyz_cases.h"
#include "tests/message_of.h"
#include "tests/temporary_folder.h"

using namespace casimir;

namespace {

std::vector<Frame> read_text(const std::string& text, const ExtxyzKeys& keys = {},
                             const std::string& index = ":") {
  TemporaryFolder folder;
  write_file_atomic(folder / "a.xyz", text);
  return read_extxyz(folder / "a.xyz", keys, index);
}

Frame read_one(const std::string& comment, const std::string& atom = "H 0 0 0") {
  return read_text("1\n" + comment + "\n" + atom + "\n").at(0);
}

bool same(const Frame& a, const Frame& b) {
  auto same_columns = [](const Frame::Column& x, const Frame::Column& y) {
    return x.name == y.name && x.kind == y.kind && x.width == y.width && x.text == y.text;
  };
  return a.numbers == b.numbers && a.positions == b.positions && a.cell == b.cell &&
         a.pbc == b.pbc && a.energy == b.energy && a.forces == b.forces && a.stress == b.stress &&
         a.config_type == b.config_type && a.weight == b.weight &&
         a.energy_weight == b.energy_weight && a.forces_weight == b.forces_weight &&
         a.stress_weight == b.stress_weight && a.info == b.info &&
         std::equal(a.columns.begin(), a.columns.end(), b.columns.begin(), b.columns.end(),
                    same_columns);
}

}  // namespace

TEST_CASE("extxyz: bad files are refused with the place and the reason") {
  TemporaryFolder folder;
  std::vector<BadExtxyzCase> cases = bad_extxyz_cases();
  CHECK(cases.size() >= 70);
  for (const BadExtxyzCase& bad : cases) {
    INFO(bad.name);
    std::string path = folder / bad.name;
    write_file_atomic(path, bad.text);
    CHECK(message_of<DataError>([&] { read_extxyz(path); }) == path + bad.message);
  }
  std::string path = folder / "none.xyz";
  CHECK(message_of<MissingError>([&] { read_extxyz(path); }).rfind(path, 0) == 0);
}

TEST_CASE("extxyz: a file cut anywhere is refused or ends with a whole frame") {
  std::string frame =
      "2\nLattice=\"9 0 0 0 9 0 0 0 9\" Properties=species:S:1:pos:R:3 energy=-1\n"
      "H 0.25 0 0\nO 0 0 1.5\n";
  std::string text = frame + frame;
  int whole = 0;
  for (size_t length = 0; length < text.size(); ++length) {
    std::string cut = text.substr(0, length);
    try {
      std::vector<Frame> frames = read_text(cut);
      // Between the frames; a cut last number cannot be told from a shorter one.
      bool boundary = length >= frame.size() - 3 && length <= frame.size();
      CHECK((boundary || length >= text.size() - 3));
      ++whole;
    } catch (const DataError&) {
    }
  }
  CHECK(whole >= 2);
}

TEST_CASE("extxyz: labels, weights and columns") {
  std::vector<Frame> frames = read_text(
      "2\n"
      "Lattice=\"4 0 0 1 5 0 0 0 6\" Properties=species:S:1:pos:R:3:forces:R:3:tags:I:1:name:S:1 "
      "energy=-12.5 stress=\"1 4 5 4 2 6 5 6 3\" pbc=\"T F T\" config_type=\"bulk 300K\" "
      "config_weight=2 config_energy_weight=0.5 config_forces_weight=0 config_stress_weight=3 "
      "dihedrals=\"_JSON [209.44, 80.54, 59.96]\" note=\"a \\\"b\\\" = c\" flag\n"
      "Si 0.1 -0.2 +0.3 1e-3 2 -3 7 left\n"
      "SI 1 2 3 0 0 0 8 right\n");
  REQUIRE(frames.size() == 1);
  const Frame& f = frames[0];
  CHECK(f.numbers == std::vector<int>{14, 14});
  CHECK(f.positions == std::vector<Vec3>{{0.1, -0.2, 0.3}, {1, 2, 3}});
  CHECK(f.forces == std::vector<Vec3>{{1e-3, 2, -3}, {0, 0, 0}});
  CHECK(f.cell == Mat3{4, 0, 0, 1, 5, 0, 0, 0, 6});
  CHECK(f.volume() == doctest::Approx(120));
  CHECK(f.pbc == std::array<bool, 3>{true, false, true});
  CHECK(f.energy == -12.5);
  CHECK(f.stress == Mat3{1, 4, 5, 4, 2, 6, 5, 6, 3});
  CHECK(f.config_type == "bulk 300K");
  CHECK(f.weight == 2);
  CHECK(f.energy_weight == 0.5);
  CHECK(f.forces_weight == 0);
  CHECK(f.stress_weight == 3);
  CHECK(f.info == std::vector<std::pair<std::string, std::string>>{
                      {"dihedrals", "\"_JSON [209.44, 80.54, 59.96]\""},
                      {"note", "\"a \\\"b\\\" = c\""},
                      {"flag", ""}});
  REQUIRE(f.columns.size() == 2);
  CHECK(f.columns[0].name == "tags");
  CHECK(f.columns[0].text == std::vector<std::string>{"7", "8"});
  CHECK(f.columns[1].text == std::vector<std::string>{"left", "right"});
  CHECK(f.where().substr(f.where().size() - 14) == "a.xyz: frame 0");
}

TEST_CASE("extxyz: periodic directions") {
  using Flags = std::array<bool, 3>;
  const std::string cell = "Lattice=\"4 0 0 0 4 0 0 0 4\" ";
  CHECK(read_one(cell).pbc == Flags{true, true, true});  // ASE's rule
  CHECK(read_one("").pbc == Flags{false, false, false});
  CHECK(read_one(cell + "pbc=\"T F T\"").pbc == Flags{true, false, true});
  CHECK(read_one(cell + "pbc=[T, F, T]").pbc == Flags{true, false, true});
  CHECK(read_one(cell + "pbc=[True,False,True]").pbc == Flags{true, false, true});
  CHECK(read_one(cell + "pbc='0 1 1'").pbc == Flags{false, true, true});
  CHECK(read_one(cell + "pbc=F").pbc == Flags{false, false, false});
  CHECK(read_one(cell + "pbc = \"F F T\"").pbc == Flags{false, false, true});
  // A slab without a third vector is complete.
  CHECK(read_one("Lattice=\"4 0 0 0 4 0 0 0 0\" pbc=\"T T F\"").volume() == 0);
}

TEST_CASE("extxyz: stress from six numbers and from a virial") {
  const std::string cell = "Lattice=\"2 0 0 0 2 0 0 0 2\" ";
  CHECK(read_one(cell + "stress=\"1 2 3 4 5 6\"").stress == Mat3{1, 6, 5, 6, 2, 4, 5, 4, 3});
  CHECK(read_one(cell + "stress=[[1,2,0],[2,5,0],[0,0,9]]").stress ==
        Mat3{1, 2, 0, 2, 5, 0, 0, 0, 9});
  Frame frame = read_one(cell + "virial=\"8 0 0 0 16 0 0 0 -8\"");
  CHECK(frame.stress == Mat3{-1, -0.0, -0.0, -0.0, -2, -0.0, -0.0, -0.0, 1});
  CHECK(frame.info.size() == 1);  // the virial is written back too
  CHECK((*read_one(cell + "virial=\"8 0 0 0 8 0 0 0 8\" stress=\"3 3 3 0 0 0\"").stress)[0] == 3);
  CHECK((*read_one(cell + "stress=\"1 0.5 0 0.5000001 1 0 0 0 1\"").stress)[3] == 0.5000001);
}

TEST_CASE("extxyz: other keys hold the labels when asked") {
  std::string text =
      "1\nProperties=species:S:1:pos:R:3:forces:R:3:dft_forces:R:3 energy=1 dft_energy=2 kind=a "
      "config_type=b\nH 0 0 0 1 1 1 2 2 2\n";
  ExtxyzKeys keys{.energy = "dft_energy", .forces = "dft_forces", .config_type = "kind"};
  Frame frame = read_text(text, keys)[0];
  CHECK(frame.energy == 2.0);
  CHECK(frame.forces[0] == Vec3{2, 2, 2});
  CHECK(frame.config_type == "a");
  CHECK(frame.columns[0].name == "forces");
  CHECK(frame.info[0] == std::pair<std::string, std::string>{"energy", "1"});
  TemporaryFolder folder;
  write_extxyz(folder / "b.xyz", {frame}, keys);
  CHECK(same(read_extxyz(folder / "b.xyz", keys)[0], frame));
  CHECK(message_of<Error>([&] {
          write_extxyz(folder / "c.xyz", {frame});
        }).find("the key 'energy' is both a label and among the other pairs") != std::string::npos);
}

TEST_CASE("extxyz: plain xyz, atomic numbers, odd line ends, missing labels") {
  std::vector<Frame> frames =
      read_text("2\r\nwater, it's cold; water\r\nO\t0 0 0\r\nh 0 0 1  \r\n1\r\n\r\nHe 0 0 0");
  REQUIRE(frames.size() == 2);
  CHECK(frames[0].numbers == std::vector<int>{8, 1});
  CHECK(!frames[0].energy);
  CHECK(frames[0].forces.empty());
  CHECK(!frames[0].stress);
  CHECK(frames[0].config_type == "Default");
  CHECK(frames[1].number == 1);
  CHECK(read_one("Properties=Z:I:1:pos:R:3", "118 0 0 0").numbers[0] == 118);
  CHECK(read_one("Properties=pos:R:3:numbers:I:1", "1 2 3 6").numbers[0] == 6);
  CHECK(read_one("name=\"\xC3\x85ngstr\xC3\xB6m\"").info.size() == 1);
  CHECK(read_one("", "H 1e-400 -0 .5").positions[0][2] == 0.5);
}

TEST_CASE("extxyz: slices select as Python does") {
  std::string text;
  for (int i = 0; i < 10; ++i) text += "1\nenergy=" + std::to_string(i) + "\nH 0 0 0\n";
  auto chosen = [&](const std::string& index) {
    std::string out;
    for (const Frame& frame : read_text(text, {}, index)) {
      CHECK(frame.number == *frame.energy);
      out += std::to_string(frame.number);
    }
    return out;
  };
  CHECK(chosen(":") == "0123456789");
  CHECK(chosen("0:4") == "0123");
  CHECK(chosen("::3") == "0369");
  CHECK(chosen("-3:") == "789");
  CHECK(chosen(":-8") == "01");
  CHECK(chosen("7") == "7");
  CHECK(chosen("-1") == "9");
  CHECK(chosen("8:100") == "89");
  CHECK(chosen("::-4") == "951");
  CHECK(chosen("5:1:-2") == "53");
  CHECK(chosen("3::9223372036854775807") == "3");
  CHECK(chosen("3::-9223372036854775808") == "3");
  auto message = [&](const std::string& index) {
    std::string text_of_error = message_of<Error>([&] { chosen(index); });
    return text_of_error.substr(text_of_error.find("a.xyz"));
  };
  CHECK(message("20:") == "a.xyz: index '20:' selects none of the 10 frames");
  CHECK(message("10") == "a.xyz: index '10' selects none of the 10 frames");
  for (const char* bad : {"", "a", "1:b", "::0", "1:2:3:4", "1.5"})
    CHECK(message(bad) == "a.xyz: index '" + std::string(bad) +
                              "': expected a slice like ':', '0:450', '::2', '-50:', or one "
                              "number");
}

TEST_CASE("extxyz: what is written reads back to the same bits") {
  Random random(random_key(1, "extxyz"));
  std::vector<Frame> frames;
  for (int n = 1; n < 40; ++n) {
    Frame frame;
    auto number = [&] { return random.normal() * std::pow(10, random.uniform(-12, 12)); };
    for (int i = 0; i < n; ++i) {
      frame.numbers.push_back(1 + static_cast<int>(random.below(118)));
      frame.positions.push_back({number(), number(), number()});
      if (n % 3) frame.forces.push_back({number(), number(), number()});
    }
    if (n % 2)
      for (int k : {0, 4, 8, 6}) frame.cell[k] = random.uniform(1, 30);
    frame.pbc = {n % 2 == 1, n % 4 == 1, false};
    if (n % 5) frame.energy = number();
    if (n % 4) frame.stress = Mat3{number(), 0, 0, 0, number(), 0, 0, 0, number()};
    if (n % 6 == 0) frame.config_type = "odd = \"name\" \\ [";
    if (n % 7 == 0) frame.weight = 0.1, frame.stress_weight = 1.0 / 3;
    frame.info.emplace_back("casimir_energy", extxyz_value(std::vector<double>{number()}));
    frame.info.emplace_back("casimir_stress", extxyz_value(std::vector<double>(9, number())));
    frame.columns.push_back(extxyz_column("casimir_forces", frame.positions));
    frames.push_back(frame);
  }
  TemporaryFolder folder;
  for (const char* name : {"a.xyz", "a.xyz.gz"}) {
    write_extxyz(folder / name, frames);
    std::vector<Frame> back = read_extxyz(folder / name);
    REQUIRE(back.size() == frames.size());
    for (size_t i = 0; i < frames.size(); ++i) CHECK(same(frames[i], back[i]));
  }
  CHECK(read_file(folder / "a.xyz.gz").substr(0, 2) == "\x1f\x8b");
  CHECK(std::filesystem::file_size(folder / "a.xyz.gz") <
        std::filesystem::file_size(folder / "a.xyz"));
}

TEST_CASE("extxyz: a column with an odd name is written so that it reads back") {
  const std::string text =
      "1\nProperties=\"species:S:1:pos:R:3:a\\\\b c:R:1\" pbc=\"F F F\"\nH 0 0 0 1\n";
  std::vector<Frame> frames = read_text(text);
  CHECK(frames[0].columns[0].name == "a\\b c");
  CHECK(extxyz_text(frames) == text);
}

TEST_CASE("extxyz: gzip is recognised by its bytes, and damage is found") {
  TemporaryFolder folder;
  std::vector<Frame> frames;
  for (int i = 0; i < 200; ++i) frames.push_back(read_one("energy=" + std::to_string(i * 0.37)));
  write_extxyz(folder / "a.xyz.gz", frames);
  std::string bytes = read_file(folder / "a.xyz.gz");
  auto read = [&](const std::string& name, const std::string& content) {
    write_file_atomic(folder / name, content);
    return read_extxyz(folder / name).size();
  };
  auto message = [&](const std::string& content) {
    return message_of<DataError>([&] { read("b.gz", content); }).substr(folder.path().size() + 1);
  };
  CHECK(read("b.xyz", bytes) == 200);
  CHECK(read("b.gz", bytes + bytes) == 400);  // two members
  CHECK(read("b.gz", bytes + std::string(512, '\0')) == 200);
  for (size_t length = 2; length < bytes.size(); length += bytes.size() / 50)
    CHECK(message(bytes.substr(0, length)) == "b.gz: the gzip data end early (truncated file)");
  CHECK(message(bytes + "tail") == "b.gz: unknown bytes after the gzip data");
  std::string flipped = bytes;
  flipped[bytes.size() - 6] = static_cast<char>(flipped[bytes.size() - 6] ^ 4);  // the checksum
  CHECK(message(flipped) == "b.gz: damaged gzip data: incorrect data check");
  flipped = bytes;
  flipped[2] = 9;
  CHECK(message(flipped) == "b.gz: damaged gzip data: unknown compression method");
}

TEST_CASE("extxyz: the public data sets are read whole") {
  struct Set {
    const char* path;
    size_t frames;
    int64_t energies, forces, stresses;
  };
  for (const Set& set : {Set{"3bpa/train_300K.xyz", 500, 500, 500, 0},
                         Set{"3bpa/test_300K.xyz.gz", 1669, 1669, 1669, 0},
                         Set{"mptrj/mptrj-random-1k.xyz", 1000, 1000, 1000, 1000},
                         Set{"oc20/is2re/is2re_8_initial.extxyz", 8, 0, 8, 0},
                         Set{"tial/TiAl_tutorial.xyz", 329, 329, 0, 329}}) {
    std::string path = std::string(CASIMIR_SOURCE_DIR "/../shared/data/") + set.path;
    if (!std::filesystem::exists(path)) {
      MESSAGE("skipped: no " << path);
      continue;
    }
    std::vector<Frame> frames = read_extxyz(path);
    CHECK(frames.size() == set.frames);
    int64_t energies = 0, forces = 0, stresses = 0;
    for (const Frame& frame : frames) {
      energies += frame.energy.has_value();
      forces += !frame.forces.empty();
      stresses += frame.stress.has_value();
    }
    CHECK(energies == set.energies);
    CHECK(forces == set.forces);
    CHECK(stresses == set.stresses);
  }
}

TEST_CASE("frame: elements") {
  for (int z = 1; z <= 118; ++z) CHECK(number_of(symbol_of(z)) == z);
  CHECK(std::string(symbol_of(118)) == "Og");
  CHECK(std::string(symbol_of(57)) == "La");
  CHECK(std::string(symbol_of(80)) == "Hg");
  CHECK(number_of("X") == 0);
  CHECK(number_of("") == 0);
  CHECK(symbols_of({1, 6, 7, 8}) == "H C N O");
  CHECK(message_of<ShapeError>([] { symbol_of(0); }) == "symbol_of: no element 0");
}

TEST_SUITE("slow") {
  TEST_CASE("extxyz: 5000 frames of 30 atoms in well under a second") {
    std::vector<Frame> frames(5000);
    Random random(random_key(2, "extxyz"));
    for (Frame& frame : frames) {
      frame.numbers.assign(30, 6);
      for (int i = 0; i < 30; ++i) {
        frame.positions.push_back({random.normal(), random.normal(), random.normal()});
        frame.forces.push_back({random.normal(), random.normal(), random.normal()});
      }
      frame.energy = random.normal();
    }
    TemporaryFolder folder;
    write_extxyz(folder / "a.xyz", frames);
    double best = 1e9;
    for (int round = 0; round < 3; ++round) {
      auto start = std::chrono::steady_clock::now();
      CHECK(read_extxyz(folder / "a.xyz").size() == 5000);
      std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
      best = std::min(best, time.count());
    }
    MESSAGE("5000 frames in " << best << " s");
    CHECK(best < 1);
  }
}
