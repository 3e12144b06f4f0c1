// Bad input through the real program: every case of bad_input_cases.h and damaged model files end
// with the right exit code and the whole message, never by a signal, and leave no output behind.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "core/files.h"
#include "tests/bad_input_command_cases.h"
#include "tests/bad_input_config_cases.h"
#include "tests/bad_input_data_cases.h"
#include "tests/program.h"
#include "tests/temporary_folder.h"
#include "trainers/model_file.h"

using namespace casimir;

namespace {

namespace fs = std::filesystem;

Model small_model() {
  ModelOptions options;
  options.mace.r_max = 4;
  options.mace.hidden_irreps = "4x0e";
  options.mace.l_max = 1;
  options.mace.correlation = {2};
  options.mace.num_interactions = 1;
  options.mace.radial_mlp = {8};
  options.mace.readout_irreps = "4x0e";
  MaceConstants constants;
  constants.elements = {14};
  constants.atomic_energies = {-1};
  Model model = make_model(options, constants, 1);
  options.elements = {"Si"};
  model.config = dump_yaml([&](Fields& f) { f("model", options, "the potential"); });
  return model;
}

// A folder with a good configuration, a good data set, a good model and an empty folder.
struct Workplace {
  TemporaryFolder folder;
  Workplace() {
    write_content(folder / "good.yaml", good_yaml);
    write_content(folder / "good.xyz", good_xyz);
    save_model(folder / "model.safetensors", small_model());
    fs::create_directory(folder / "empty");
  }

  // Nothing that looks like a finished output, and nothing half written.
  void check_nothing_left() const {
    CHECK_FALSE(fs::exists(folder / "out.json"));
    CHECK_FALSE(fs::exists(folder / "out.xyz"));
    CHECK_FALSE(fs::exists(folder / "run/model.safetensors"));
    CHECK_FALSE(fs::exists(folder / "run/checkpoints/last.ckpt"));
    for (const auto& entry : fs::recursive_directory_iterator(folder.path()))
      CHECK(entry.path().string().find(".tmp") == std::string::npos);
  }
};

std::string changed(const BadInput& bad) {
  if (*bad.from == '\0') return bad.to;
  std::string text = fs::path(bad.file).extension() == ".yaml" ? good_yaml : good_xyz;
  size_t place = text.rfind(bad.from);
  REQUIRE(place != std::string::npos);
  return text.replace(place, std::string(bad.from).size(), bad.to);
}

void run_case(const Workplace& workplace, const BadInput& bad) {
  if (cuda_built && bad.exit_code == 69) return;  // a CUDA build says something else
  INFO(std::string(bad.name), ": casimir ", std::string(bad.command));
  const TemporaryFolder& folder = workplace.folder;
  if (*bad.file != '\0') write_content(folder / bad.file, changed(bad));
  Outcome outcome = run_program(folder.path(), bad.command);
  CHECK(outcome.signal == 0);
  CHECK(outcome.code == bad.exit_code);
  CHECK(outcome.err == "casimir: error: " + std::string(bad.message) + "\n");
  workplace.check_nothing_left();
  CHECK(content_of(folder / "good.xyz") == good_xyz);
  fs::remove_all(folder / "run");
  if (*bad.file != '\0') fs::remove(folder / bad.file);
}

// Evaluates with the file as the model.
void run_model(const Workplace& workplace, const std::string& content, const std::string& message) {
  const TemporaryFolder& folder = workplace.folder;
  write_content(folder / "bad.safetensors", content);
  Outcome outcome = run_program(folder.path(),
                                "evaluate bad.safetensors good.xyz --json out.json "
                                "--predictions out.xyz");
  CHECK(outcome.signal == 0);
  CHECK(outcome.code == 65);
  CHECK(outcome.err == "casimir: error: bad.safetensors: " + message + "\n");
  workplace.check_nothing_left();
}

uint64_t header_length(const std::string& file) {
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i) length = 256 * length + static_cast<unsigned char>(file[i]);
  return length;
}

std::string with_length(uint64_t length, const std::string& rest) {
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(length >> (8 * i));
  return file + rest;
}

// The file's content after its safetensors form was changed, with a right checksum again.
template <class Change>
std::string rewritten(const Workplace& workplace, Change change) {
  Safetensors file = read_safetensors(workplace.folder / "model.safetensors");
  change(file);
  write_safetensors(workplace.folder / "rewritten", file);
  return read_file(workplace.folder / "rewritten");
}

}  // namespace

TEST_CASE("bad input: the good files are good") {
  Workplace workplace;
  Outcome outcome =
      run_program(workplace.folder.path(), "evaluate model.safetensors good.xyz --json out.json");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  CHECK(fs::exists(workplace.folder / "out.json"));
  outcome = run_program(workplace.folder.path(), "train good.yaml --run-dir run");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  CHECK(fs::exists(workplace.folder / "run/model.safetensors"));
}

TEST_CASE("bad input: configurations") {
  Workplace workplace;
  for (const BadInput& bad : bad_yaml_cases) run_case(workplace, bad);
}

TEST_CASE("bad input: overrides") {
  Workplace workplace;
  for (const BadInput& bad : bad_override_cases) run_case(workplace, bad);
}

TEST_CASE("bad input: data") {
  Workplace workplace;
  for (const BadInput& bad : bad_xyz_cases) run_case(workplace, bad);
}

TEST_CASE("bad input: command lines") {
  Workplace workplace;
  for (const BadInput& bad : bad_command_cases) run_case(workplace, bad);
}

TEST_CASE("bad input: a model file cut at every percent of its length") {
  Workplace workplace;
  const std::string file = read_file(workplace.folder / "model.safetensors");
  const uint64_t header = header_length(file), data = file.size() - 8 - header;
  for (size_t percent = 0; percent < 100; ++percent) {
    const size_t length = file.size() * percent / 100;
    CAPTURE(length);
    std::string message =
        length < 8 ? concat_text("cut short: ", length,
                                 " bytes, a safetensors file starts with 8 bytes for the header's "
                                 "length")
        : length < 8 + header
            ? concat_text("cut short: the header takes ", header, " bytes, the file holds ",
                          length - 8, " after its length")
            : concat_text("cut short: the header announces ", data,
                          " bytes of data, the file holds ", length - 8 - header);
    run_model(workplace, file.substr(0, length), message);
  }
  run_model(workplace, file + "\n",
            concat_text("damaged: the header announces ", data, " bytes of data, the file holds ",
                        data + 1));
}

TEST_CASE("bad input: a model file with one bit flipped in its data") {
  Workplace workplace;
  const std::string file = read_file(workplace.folder / "model.safetensors");
  const uint64_t header = header_length(file), data = file.size() - 8 - header;
  const std::string key = "xxh64-of-file:";
  const size_t digits = file.find(key) + key.size();
  for (uint64_t percent = 0; percent < 100; percent += 4) {
    const uint64_t place = 8 + header + data * percent / 100;
    CAPTURE(place);
    std::string damaged = file;
    damaged[place] ^= static_cast<char>(1 << (percent % 8));
    std::string body = damaged.substr(8);
    body.replace(digits - 8, 16, 16, '0');
    run_model(workplace, damaged,
              "damaged: the checksum does not match (header says " + file.substr(digits, 16) +
                  ", file has " + hex(checksum(body)) + ")");
  }
}

TEST_CASE("bad input: a model file with one bit flipped in its header") {
  Workplace workplace;
  const std::string file = read_file(workplace.folder / "model.safetensors");
  const uint64_t header = header_length(file);
  for (uint64_t k = 0; k < 60; ++k) {
    const uint64_t place = k < 8 ? k : 8 + header * (k - 8) / 52;
    CAPTURE(place);
    std::string damaged = file;
    damaged[place] ^= static_cast<char>(1 << (k % 7));
    write_content(workplace.folder / "bad.safetensors", damaged);
    Outcome outcome = run_program(workplace.folder.path(),
                                  "evaluate bad.safetensors good.xyz --json out.json "
                                  "--predictions out.xyz");
    CHECK(outcome.signal == 0);
    CHECK(outcome.code == 65);
    bool known = false;
    for (const char* start : {"cut short: ", "damaged: ", "not a safetensors file: ", "array '"})
      known =
          known || outcome.err.starts_with(concat_text("casimir: error: bad.safetensors: ", start));
    CHECK_MESSAGE(known, outcome.err);
    workplace.check_nothing_left();
  }
}

TEST_CASE("bad input: files that are no model files") {
  Workplace workplace;
  run_model(workplace, "",
            "cut short: 0 bytes, a safetensors file starts with 8 bytes for the header's length");
  run_model(workplace, std::string("PK\x03\x04\x00\x00\x08\x08", 8) + std::string(100, 'x'),
            "not a safetensors file: its header would take 578712552184433488 bytes, more than "
            "100000000");
  run_model(workplace, with_length(~uint64_t{0}, "{}"),
            "not a safetensors file: its header would take 18446744073709551615 bytes, more than "
            "100000000");
  run_model(workplace, with_length(uint64_t{1} << 62, "{}"),
            "not a safetensors file: its header would take 4611686018427387904 bytes, more than "
            "100000000");
  run_model(workplace, with_length(0, ""),
            "not a safetensors file: the header does not start with '{'");
  run_model(workplace, with_length(2, "[]"),
            "not a safetensors file: the header does not start with '{'");
  run_model(workplace, with_length(2, "{}"),
            "no 'format' in its metadata: not a model file of casimir");
  run_model(workplace, with_length(8, "{\"a\": 1}"),
            "damaged: array 'a': expected exactly dtype, shape and data_offsets");
  auto with_array = [](const std::string& entry, size_t bytes = 8) {
    const std::string header = "{\"a\": " + entry + "}";
    return with_length(header.size(), header + std::string(bytes, '\0'));
  };
  run_model(workplace, with_array(R"({"dtype": "F16", "shape": [4], "data_offsets": [0, 8]})"),
            "array 'a' has the type F16; F32, F64, I32, I64 and U8 are read");
  run_model(workplace, with_array(R"({"dtype": "F32", "shape": [3], "data_offsets": [0, 8]})"),
            "damaged: array 'a': shape [3] of F32 takes 12 bytes, its offsets span 8");
  run_model(workplace, with_array(R"({"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]})"),
            "damaged: array 'a': the size -2 is not a whole number");
  run_model(workplace, with_array(R"({"dtype": "F32", "shape": [2], "data_offsets": [8, 0]})"),
            "damaged: array 'a': its data ends before it begins");
  run_model(workplace, with_array(R"({"dtype": "F32", "shape": [2], "data_offsets": [1, 9]})"),
            "damaged: the data of array 'a' begins at byte 1, expected 0");
  run_model(
      workplace,
      with_array(R"({"dtype": "F32", "shape": [9000000000000000000, 9], "data_offsets": [0, 8]})"),
      "damaged: array 'a': the sizes [9000000000000000000,9] overflow");
  run_model(
      workplace,
      with_array(
          R"({"dtype": "F32", "shape": [1000000000000], "data_offsets": [0, 4000000000000]})"),
      "cut short: the header announces 4000000000000 bytes of data, the file holds 8");
  run_model(workplace,
            with_array(R"({"dtype": "F32", "shape": [1,1,1,1,1,1,1,1], "data_offsets": [0, 4]})"),
            "damaged: array 'a' has 8 axes, at most 6 are read");
}

TEST_CASE("bad input: whole files that hold no model") {
  Workplace workplace;
  auto expect = [&](auto change, const std::string& message) {
    run_model(workplace, rewritten(workplace, change), message);
  };
  expect([](Safetensors& f) { f.metadata["version"] = "2"; },
         "expected version 1 of the model format, found '2'");
  expect([](Safetensors& f) { f.metadata["format"] = "pt"; },
         "expected format 'casimir-model', found 'pt'");
  expect([](Safetensors& f) { f.metadata.erase("format"); },
         "no 'format' in its metadata: not a model file of casimir");
  expect([](Safetensors& f) { f.metadata.erase("config"); },
         "no 'config' in its metadata: not a model file of casimir");
  expect([](Safetensors& f) { f.metadata["config"] = "model: ["; },
         "its configuration: config:1:8: '[' is not closed");
  expect([](Safetensors& f) { f.metadata["config"] = "task: {}"; },
         "its configuration: config:1:1: model: required key is missing");
  auto configure = [](const char* from, const char* to) {
    return [=](Safetensors& f) {
      std::string& config = f.metadata["config"];
      size_t place = config.find(from);
      REQUIRE(place != std::string::npos);
      config.replace(place, std::string(from).size(), to);
    };
  };
  expect(configure("kind: mace", "kind: other"),
         "its configuration: config:2:9: model.kind: expected one of mace, nequip, found 'other'");
  expect(
      configure("4x0e", "8x0e"),
      "mis-shaped: node_embedding.weight is [1, 4], model has [1, 8], "
      "interactions.0.linear_up.weight_0e is [4, 4], model has [8, 8], "
      "interactions.0.radial.layer_1.weight is [8, 8], model has [8, 16], "
      "interactions.0.linear.weight_0e is [4, 4], model has [8, 8], "
      "interactions.0.linear.weight_1o is [4, 4], model has [8, 8], interactions.0.skip.weight_0e "
      "is [4, 4], model has [8, 8], products.0.contraction.weight_0e_2 is [1, 2, 4], model has [1, "
      "2, 8], products.0.contraction.weight_0e_1 is [1, 1, 4], model has [1, 1, 8], "
      "products.0.linear.weight_0e is [4, 4], model has [8, 8], readouts.0.linear.weight_0e is [4, "
      "1], model has [8, 1]");
  expect(configure("4x0e", "1000000x0e"),
         "its configuration has a layer of 1000000 channels, the file holds 232 numbers in all");
  expect(configure("[Si]", "[Xx]"), "model.elements: unknown element 'Xx'");
  expect(configure("[Si]", "[Si, Ge]"),
         "atomic_energies: expected 2 real numbers, found f64 of shape [1]");
  expect(configure("[Si]", "[]"),
         "model.elements: expected symbols by ascending atomic number, each once");
  expect(configure("r_max: 4.0", "r_max: -4.0"),
         "its configuration: config:8:10: model.r_max: expected a positive number, found '-4.0'");
  expect([](Safetensors& f) { f.arrays.pop_back(); }, "no array 'shift'");
  expect([](Safetensors& f) { f.add("more", Array(Shape{1}, DType::f32)); }, "unexpected: more");
  expect([](Safetensors& f) { f.arrays.clear(); }, "no array 'atomic_energies'");
  expect([](Safetensors& f) { f.arrays[0].second.fill(NAN); }, "node_embedding.weight: holds nan");
  auto replace = [](const char* name, Array array) {
    return [=](Safetensors& f) {
      for (auto& [key, value] : f.arrays)
        if (key == name) value = array;
    };
  };
  expect(replace("avg_num_neighbors", Array::from(std::vector<double>{0})),
         "avg_num_neighbors: expected a positive number, found 0");
  expect(replace("atomic_energies", Array::from(std::vector<double>{1, 2})),
         "atomic_energies: expected 1 real numbers, found f64 of shape [2]");
  expect(replace("atomic_energies", Array::from(std::vector<double>{HUGE_VAL})),
         "atomic_energies: expected finite numbers, found inf");
}
