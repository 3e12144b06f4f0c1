// The commands as a user runs them: what they print, write and return, from an empty folder to a
// trained, evaluated and checked model.
#include <doctest/doctest.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "datasets/extxyz.h"
#include "tests/program.h"
#include "tests/temporary_folder.h"
#include "trainers/checkpoint.h"

using namespace casimir;

namespace {

namespace fs = std::filesystem;

constexpr const char* small_yaml = R"(seed: 1
data: {kind: extxyz, train: [train.xyz], valid_fraction: 0.2}
model:
  kind: mace
  r_max: 4.0
  hidden_irreps: 8x0e
  l_max: 2
  correlation: [2]
  num_interactions: 2
  radial_mlp: [8]
  readout_irreps: 4x0e
task: {kind: energy_forces, weights: {energy: 1, forces: 100, stress: 100}}
train: {epochs: 2, batch_size: 4}
)";

// Trains the small model once for all cases of this file.
const TemporaryFolder& trained() {
  static const TemporaryFolder folder;
  static const bool once = [] {
    write_content(folder / "small.yaml", small_yaml);
    Outcome outcome = run_program(
        folder.path(), "data make silicon --out train.xyz --frames 20 --repeat 1 1 1 --seed 1");
    REQUIRE(outcome.err == "");
    outcome = run_program(folder.path(), "train small.yaml");
    REQUIRE(outcome.err == "");
    REQUIRE(outcome.code == 0);
    return true;
  }();
  REQUIRE(once);
  return folder;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

struct ProfileLine {
  std::string name;  // operation and scope
  double calls = 0, time = 0, share = 0;
};

// The rows of a profile, whose columns and units are as documented.
std::vector<ProfileLine> profile_lines(const std::string& text) {
  std::istringstream in(text);
  std::string line;
  REQUIRE((std::getline(in, line) && line.starts_with("profile of 8 steps in ")));
  auto words = [&] {
    std::getline(in, line);
    std::istringstream cells(line);
    return std::vector<std::string>(std::istream_iterator<std::string>(cells), {});
  };
  CHECK(words() == std::vector<std::string>{"operation", "scope", "calls", "time", "share"});
  CHECK(words() == std::vector<std::string>{"per", "step", "ms/step", "%"});
  std::vector<ProfileLine> lines;
  while (lines.empty() || lines.back().name != "all") {
    const std::vector<std::string> cells = words();
    REQUIRE(in.good());
    if (cells.size() < 4) continue;  // a rule
    ProfileLine row;
    for (size_t i = 0; i + 3 < cells.size(); ++i) row.name += (i ? " " : "") + cells[i];
    row.calls = std::stod(cells[cells.size() - 3]);
    row.time = std::stod(cells[cells.size() - 2]);
    row.share = std::stod(cells.back());
    lines.push_back(row);
  }
  return lines;
}

}  // namespace

TEST_CASE("commands: help teaches, and costs no error") {
  TemporaryFolder folder;
  Outcome help = run_program(folder.path(), "--help");
  CHECK(help.code == 0);
  CHECK(help.out.starts_with("casimir trains interatomic potentials"));
  for (const char* part : {"casimir train configs/quickstart.yaml", "casimir evaluate",
                           "casimir check", "--dry-run", "help config", "Exit codes: 0 done"})
    CHECK_MESSAGE(has(help.out, part), part);
  CHECK(run_program(folder.path(), "help").out == help.out);
  CHECK(run_program(folder.path(), "-h").out == help.out);
  Outcome nothing = run_program(folder.path(), "");
  CHECK(nothing.code == 2);
  CHECK(nothing.err == help.out);
  CHECK(nothing.out == "");

  for (const char* command :
       {"train", "evaluate", "report", "info", "check", "data", "data make silicon"}) {
    Outcome outcome = run_program(folder.path(), std::string(command) + " --help");
    CHECK(outcome.code == 0);
    CHECK_MESSAGE(has(outcome.out, "Usage: casimir " + std::string(command)), outcome.out);
    CHECK(has(outcome.out, "Example"));
  }
  CHECK(run_program(folder.path(), "help train").out ==
        run_program(folder.path(), "train --help").out);
}

TEST_CASE("commands: help config lists the keys of all six sections") {
  TemporaryFolder folder;
  Outcome outcome = run_program(folder.path(), "help config");
  CHECK(outcome.code == 0);
  for (const char* key : {"\nseed ", "\ndata ", "\nmodel ", "\ntask ", "\ntrain ", "\nstep ",
                          "  hidden_irreps ", "  valid_fraction ", "    lr ", "  threads "})
    CHECK_MESSAGE(has(outcome.out, key), key);
}

TEST_CASE("commands: version names the libraries") {
  TemporaryFolder folder;
  Outcome outcome = run_program(folder.path(), "--version");
  CHECK(outcome.code == 0);
  CHECK(outcome.out.starts_with("casimir " CASIMIR_VERSION "\n"));
  CHECK(has(outcome.out, "oneDNN"));
  CHECK(has(outcome.out, "BLIS"));
  CHECK(has(outcome.out, ", convolutions unrolled up to degree 3, "));
  CHECK(run_program(folder.path(), "info").out == outcome.out);
}

TEST_CASE("commands: data make silicon is the same for the same seed") {
  TemporaryFolder folder;
  const std::string make = "data make silicon --frames 3 --repeat 1 1 1 --out ";
  Outcome outcome = run_program(folder.path(), make + "a.xyz --seed 5");
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, "a.xyz: 3 frames, "));
  run_program(folder.path(), make + "b.xyz --seed 5");
  run_program(folder.path(), make + "c.xyz --seed 6");
  CHECK(content_of(folder / "a.xyz") == content_of(folder / "b.xyz"));
  CHECK(content_of(folder / "a.xyz") != content_of(folder / "c.xyz"));
  run_program(folder.path(), make + "d.xyz.gz --seed 5");
  CHECK(run_program(folder.path(), make + "new/folder/e.xyz").code == 0);
  CHECK(read_extxyz(folder / "d.xyz.gz")[2].forces == read_extxyz(folder / "a.xyz")[2].forces);
}

TEST_CASE("commands: a dry run writes nothing") {
  TemporaryFolder folder;
  fs::copy_file(trained() / "train.xyz", folder / "train.xyz");
  write_content(folder / "small.yaml", small_yaml);
  Outcome outcome = run_program(folder.path(), "train small.yaml --dry-run --threads 1");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  for (const char* part : {"train ", "valid ", "E0", "parameters", "memory", "steps"})
    CHECK_MESSAGE(has(outcome.out, part), outcome.out);
  int64_t files = std::distance(fs::directory_iterator(folder.path()), {});
  CHECK(files == 2);
}

TEST_CASE("commands: train writes the run where it says") {
  const TemporaryFolder& folder = trained();
  for (const char* file : {"model.safetensors", "config.yaml", "resolved.yaml", "run.json",
                           "train.log", "metrics.jsonl", "lcurve.csv", "checkpoints/last.ckpt",
                           "report.html", "events.out.tfevents.0.casimir"})
    CHECK_MESSAGE(fs::exists(folder / ("runs/small/" + std::string(file))), file);
  CHECK(content_of(folder / "runs/small/config.yaml") == small_yaml);
  Outcome outcome =
      run_program(folder.path(), "train small.yaml train.epochs=1 --run-dir other --threads 1");
  CHECK(outcome.code == 0);
  CHECK(content_of(folder / "other/config.yaml") ==
        std::string(small_yaml) + "\n# Replaced on the command line:\n#   train.epochs=1\n");
}

TEST_CASE("commands: a profile tells where the time of the steps went and changes no bit") {
  const TemporaryFolder& folder = trained();
  Outcome outcome = run_program(folder.path(), "train small.yaml --profile --run-dir profiled");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  CHECK(content_of(folder / "profiled/model.safetensors") ==
        content_of(folder / "runs/small/model.safetensors"));
  CHECK(!fs::exists(folder / "runs/small/profile.txt"));
  const std::string file = content_of(folder / "profiled/profile.txt");
  const std::string shown = outcome.out.substr(outcome.out.find("\nprofile of 8 steps in ") + 1);
  for (const std::string& text : {file, shown}) {
    CAPTURE(text);
    const std::vector<ProfileLine> lines = profile_lines(text);
    double calls = 0, time = 0, share = 0;
    for (size_t i = 0; i + 1 < lines.size(); ++i) {
      calls += lines[i].calls;
      time += lines[i].time;
      share += lines[i].share;
    }
    const double rounding = 0.006 * static_cast<double>(lines.size());
    CHECK(lines.back().name == "all");
    CHECK(lines.back().share == 100);
    CHECK(std::abs(share - 100) < rounding);
    CHECK(std::abs(time - lines.back().time) < rounding);
    CHECK(std::abs(calls / lines.back().calls - 1) < 1e-3);
    for (const char* once :
         {"loader ", "batch to tensors ", "gradient norm ", "clipping, optimizer, average "})
      CHECK_MESSAGE(std::any_of(lines.begin(), lines.end(),
                                [&](const ProfileLine& line) {
                                  return line.name.starts_with(once) && line.calls == 1;
                                }),
                    once);
    for (const char* part : {"validation ", "saving ", "reports "})
      CHECK_MESSAGE(has(text, std::string("\n") + part), part);
    CHECK(!has(text, "validation."));
  }
  CHECK_MESSAGE(has(file, " interactions.1.backward.backward "), file);
  CHECK(profile_lines(file).size() > profile_lines(shown).size());
  CHECK(has(shown, " smaller ones "));
}

TEST_CASE("commands: a training that diverges ends with 3") {
  const TemporaryFolder& folder = trained();
  Outcome outcome = run_program(
      folder.path(), "train small.yaml train.optimizer.lr=1e30 train.clip=0 --run-dir diverged");
  CHECK(outcome.code == 3);
  CHECK(outcome.err.starts_with("casimir: error: "));
  outcome = run_program(folder.path(),
                        "train small.yaml train.optimizer.lr=1e30 train.clip=0 --run-dir finite "
                        "--check-finite");
  CHECK(outcome.code == 3);
  CHECK_MESSAGE(has(outcome.err, "casimir: error: step 2 (epoch 1, batch 2): "), outcome.err);
  CHECK_MESSAGE(has(outcome.err, ": produced "), outcome.err);  // the operation
  CHECK_MESSAGE(has(outcome.err, "\n  in "), outcome.err);      // its scope
  CHECK_MESSAGE(has(outcome.err, "\n  batch: train.xyz frame "), outcome.err);
}

TEST_CASE("commands: a training that diverged goes on from its last good checkpoint") {
  const TemporaryFolder& folder = trained();
  Outcome outcome = run_program(
      folder.path(), "train small.yaml train.optimizer.lr=1e30 train.clip=0 --run-dir bad");
  CHECK(outcome.code == 3);
  const std::string advice = "try a lower train.optimizer.lr or train.clip from there (";
  const size_t begin = outcome.err.find(advice);
  REQUIRE_MESSAGE(begin != std::string::npos, outcome.err);
  const size_t end = outcome.err.find(" NEW)", begin);
  const std::string options =
      outcome.err.substr(begin + advice.size(), end - begin - advice.size());
  CHECK(options == "--resume bad/checkpoints/step-000000000.ckpt --run-dir");
  CHECK(read_checkpoint(folder / "bad/checkpoints/step-000000000.ckpt").state.step == 0);
  outcome = run_program(folder.path(),
                        "train small.yaml train.optimizer.lr=0.004 " + options + " mended");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, "train.optimizer.lr is 0.004 from here on, 1e+30 before"));
  CHECK(has(outcome.out, "resumed from bad/checkpoints/step-000000000.ckpt: step 0"));
  CHECK(fs::exists(folder / "mended/model.safetensors"));
}

TEST_CASE("commands: evaluate prints a table and writes JSON and predictions") {
  const TemporaryFolder& folder = trained();
  Outcome outcome = run_program(folder.path(),
                                "evaluate runs/small train.xyz --json errors.json "
                                "--predictions out.xyz.gz");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  CHECK(outcome.out.starts_with("runs/small/model.safetensors (f32, Si)\nconfig_type  frames"));
  CHECK(has(outcome.out, "\nall "));
  CHECK(has(outcome.out, "errors: errors.json\npredictions: out.xyz.gz\n"));

  auto json = nlohmann::json::parse(content_of(folder / "errors.json"));
  for (const char* key :
       {"energy_rmse_mev", "energy_mae_mev", "energy_rmse_mev_per_atom", "forces_rmse_mev_per_a",
        "forces_mae_mev_per_a", "stress_rmse_mev_per_a3"}) {
    CHECK_MESSAGE(json.at(key).is_number(), key);
    CHECK(json["by_config_type"]["rattled"].at(key).get<double>() > 0);
  }
  CHECK(json.at("frames") == 20);
  CHECK(json.at("seconds").get<double>() > 0);
  CHECK(json.at("forces_rmse_mev_per_a").get<double>() >=
        json.at("forces_mae_mev_per_a").get<double>());

  // The errors once more, from the file of predictions.
  double squares = 0;
  ExtxyzKeys keys{"casimir_energy", "casimir_forces", "casimir_stress"};
  std::vector<Frame> frames = read_extxyz(folder / "train.xyz"),
                     predicted = read_extxyz(folder / "out.xyz.gz", keys);
  REQUIRE(predicted.size() == 20);
  for (size_t i = 0; i < 20; ++i) {
    double difference = 1000 * (*frames[i].energy - *predicted[i].energy);
    squares += difference * difference;
    CHECK(predicted[i].stress);
  }
  CHECK(std::sqrt(squares / 20) ==
        doctest::Approx(json["energy_rmse_mev"].get<double>()).epsilon(1e-9));
}

TEST_CASE("commands: evaluate without labels, in f64, by slices and files") {
  const TemporaryFolder& folder = trained();
  write_content(folder / "bare.xyz", "2\n\nSi 0 0 0\nSi 2.2 0 0\n");
  Outcome outcome = run_program(folder.path(), "evaluate runs/small bare.xyz --json bare.json");
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, "No energy in 1 of 1 frame.\nNo forces in 1 of 1 frame.\n"));
  CHECK_FALSE(has(outcome.out, "No stress"));
  auto json = nlohmann::json::parse(content_of(folder / "bare.json"));
  CHECK(json.at("energy_rmse_mev").is_null());
  CHECK(json.at("frames") == 1);

  outcome = run_program(folder.path(),
                        "evaluate runs/small/model.safetensors train.xyz bare.xyz --index :1 "
                        "--dtype float64 --batch-size 1 --threads 1");
  CHECK(outcome.code == 0);
  CHECK(outcome.out.starts_with("runs/small/model.safetensors (f64, Si)\n"));
  CHECK(has(outcome.out, "\nbare.xyz "));
  CHECK(has(outcome.out, "\ntrain.xyz "));
  CHECK(has(outcome.out, "\n2 frames, "));
  outcome = run_program(folder.path(), "evaluate runs/small train.xyz --energy-key other");
  CHECK(has(outcome.out, "No energy in 20 of 20 frames.\n"));
}

TEST_CASE("commands: evaluate gives the same bits for any number of threads") {
  const TemporaryFolder& folder = trained();
  for (const char* threads : {"1", "2", "3"})
    run_program(folder.path(), std::string("evaluate runs/small train.xyz --predictions t") +
                                   threads + ".xyz --threads " + threads);
  CHECK(content_of(folder / "t1.xyz") != "");
  CHECK(content_of(folder / "t1.xyz") == content_of(folder / "t2.xyz"));
  CHECK(content_of(folder / "t1.xyz") == content_of(folder / "t3.xyz"));
}

TEST_CASE("commands: info knows a model, a checkpoint, a run and a data set by content") {
  const TemporaryFolder& folder = trained();
  fs::copy_file(folder / "runs/small/model.safetensors", folder / "renamed",
                fs::copy_options::overwrite_existing);
  Outcome outcome = run_program(folder.path(), "info renamed --config");
  CHECK(outcome.code == 0);
  for (const char* part :
       {"renamed: model, mace, f32", "elements            Si\n", "hidden irreps       8x0e\n",
        "trained on          train.xyz\n", ", convolutions unrolled up to degree 3\n",
        "convolution paths   6, 6 of them unrolled\n", "  interactions.0 ", "  readouts.1 ",
        "  all ", "  config\n"})
    CHECK_MESSAGE(has(outcome.out, part), outcome.out);

  outcome = run_program(folder.path(), "info runs/small/checkpoints/last.ckpt");
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, "runs/small/checkpoints/last.ckpt: checkpoint, "));
  CHECK(has(outcome.out, "  step                8\n"));
  CHECK(has(outcome.out, "  epoch               2, next batch 0\n"));

  outcome = run_program(folder.path(), "info runs/small");
  CHECK(outcome.code == 0);
  CHECK(has(outcome.out, ": model, mace, f32"));
  CHECK(has(outcome.out, ": checkpoint, "));

  outcome = run_program(folder.path(), "info train.xyz");
  CHECK(outcome.code == 0);
  for (const char* part : {"train.xyz: data set, 20 frames, ", "elements         Si ",
                           "20 in three directions, 0 in one or two, 0 in none",
                           "energy           all frames: ", "rattled "})
    CHECK_MESSAGE(has(outcome.out, part), outcome.out);
  write_content(folder / "bohr.xyz",
                "1\nLattice=\"2 0 0 0 1 0 0 0 1\" Properties=species:S:1:pos:R:3:forces:R:3\n"
                "Si 0 0 0 90 90 90\n");
  outcome = run_program(folder.path(), "info bohr.xyz");
  CHECK(has(outcome.out, "  Forces are large: are they in eV/A? 1 Hartree/Bohr is 51.42 eV/A.\n"));
  CHECK(has(outcome.out, "  Atoms are dense: are positions and cell in A? 1 Bohr is 0.5292 A.\n"));
}

TEST_CASE("commands: check passes a trained model and prints numbers against bounds") {
  const TemporaryFolder& folder = trained();
  Outcome outcome = run_program(folder.path(), "check runs/small");
  CHECK_MESSAGE(outcome.code == 0, outcome.out);
  CHECK(has(outcome.out, "on 8 structures of 80 atoms, made at random\nproperty "));
  CHECK(has(outcome.out, "rotation            forces, f32 "));
  CHECK(outcome.out.ends_with("all 30 hold\n"));
  outcome = run_program(folder.path(), "check runs/small train.xyz --frames 2");
  CHECK_MESSAGE(outcome.code == 0, outcome.out);
  CHECK(has(outcome.out, "on 2 structures of "));
  CHECK(has(outcome.out, ", from train.xyz\n"));
}

TEST_CASE("commands: output that cannot be written is an error") {
  const TemporaryFolder& folder = trained();
  const std::string command =
      "cd '" + folder.path() + "' && '" CASIMIR_PROGRAM "' info train.xyz > /dev/full 2> full.txt";
  int status = std::system(command.c_str());
  CHECK(WEXITSTATUS(status) == 74);
  CHECK(content_of(folder / "full.txt") ==
        "casimir: error: cannot write the output: No space left on device\n");
}
