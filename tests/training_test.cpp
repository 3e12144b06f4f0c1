// Trainings from end to end: that they learn, and that their numbers do not depend on threads or
// interruptions.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>

#include "core/files.h"
#include "core/parallel.h"
#include "tests/message_of.h"
#include "tests/training_run.h"
#include "trainers/checkpoint.h"
#include "trainers/data.h"
#include "trainers/evaluate.h"
#include "trainers/model_file.h"
#include "trainers/run_log.h"
#include "trainers/step.h"

using namespace casimir;

namespace {

// What must not depend on how often a run was interrupted.
std::vector<std::string> outcome(const std::string& run) {
  std::vector<std::string> files;
  for (const char* name : {"/model.safetensors", "/metrics.jsonl", "/lcurve.csv"})
    files.push_back(bytes_of(run + name));
  Checkpoint last = read_checkpoint(run + "/checkpoints/last.ckpt");
  last.state.lengths.erase("timing.jsonl");
  files.push_back(last.state.json());
  for (const auto& [name, array] : last.arrays.arrays)
    files.push_back(name + std::string(static_cast<const char*>(array.raw()), array.bytes()));
  return files;
}

// Energies, forces and stresses of all frames, byte by byte.
std::string predictions_of(const std::string& model, const std::string& data) {
  std::vector<Frame> frames = read_extxyz(data);
  std::string bytes;
  auto add = [&](const double* values, size_t count) {
    bytes.append(reinterpret_cast<const char*>(values), count * sizeof(double));
  };
  for (const FramePrediction& p : evaluate_frames(load_model(model), frames).predictions) {
    add(&p.energy, 1);
    for (const Vec3& force : p.forces) add(force.data(), 3);
    if (p.stress) add(p.stress->data(), 9);
  }
  return bytes;
}

bool same(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  return a == b;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// Uses every part that has a state: plateau, second stage, warm-up, EMA, clipping.
RunOptions full_run(const std::string& data) {
  RunOptions options = small_run(data);
  options.train.schedule.warmup_steps = 3;
  options.train.schedule.patience = 0;
  options.train.clip = 1;
  options.train.stage_two.emplace();
  options.train.stage_two->start_epoch = 3;
  return options;
}

// Trains MACE and NequIP and predicts, once for each number of threads.
void check_same_bits(int64_t steps, const std::vector<int64_t>& threads) {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = steps;
  options.train.max_steps = steps;
  options.model.mace.hidden_irreps = "16x0e+16x1o";  // enough for several chunks
  options.model.nequip.r_max = 4;
  options.model.nequip.num_layers = 2;
  options.model.nequip.num_features = {16};
  options.model.nequip.radial_mlp = {8};
  for (const std::string kind : {"mace", "nequip"}) {
    options.model.kind = kind;
    std::vector<std::string> expected;
    for (size_t run = 0; run < threads.size(); ++run) {
      options.step.threads = threads[run];
      CAPTURE(kind);
      CAPTURE(options.step.threads);
      const std::string path = folder / kind + std::to_string(run);
      REQUIRE(train(request_for(options, path)) == 0);
      std::vector<std::string> found = outcome(path);
      found.push_back(predictions_of(path + "/model.safetensors", folder / "si.xyz"));
      if (run == 0) expected = found;
      CHECK(same(found, expected));
    }
  }
  set_num_threads(0);
}

}  // namespace

TEST_CASE("training: eight silicon frames are learned by heart") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.data.valid_fraction = 0;
  options.model.mace.hidden_irreps = "8x0e+8x1o";
  options.model.mace.num_bessel = 8;
  options.model.mace.radial_mlp = {16};
  options.train.epochs = options.train.save_every_epochs = 120;
  options.train.optimizer.lr = 0.03;
  options.train.ema = 0.9;
  options.train.schedule.kind = "cosine";
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  Model model = load_model(folder / "run/model.safetensors");
  Data data = load_data(options);
  Errors errors;
  double square = 0;
  for (size_t i = 0; i < data.train.size(); ++i) {
    std::vector<int64_t> which{static_cast<int64_t>(i)};
    PredictOptions all;
    all.stress = true;
    errors.add(data.train[i].frame, predict_batch(model, make_batch(data.train, which), all)[0]);
    for (const Vec3& f : data.train[i].frame.forces)
      for (double x : f) square += x * x;
  }
  double size = std::sqrt(square / static_cast<double>(errors.forces.count));
  MESSAGE("F RMSE ", errors.forces.rmse(), " of ", size, " eV/A, E RMSE ", errors.energy.rmse(),
          " eV, S RMSE ", errors.stress.rmse(), " eV/A^3");
  CHECK(errors.forces.rmse() < 0.04 * size);
}

TEST_CASE("training: stopped and resumed anywhere, it ends with the same bytes") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = full_run(folder / "si.xyz");
  options.train.save_every_steps = 2;
  REQUIRE(train(request_for(options, folder / "whole")) == 0);
  std::vector<std::string> whole = outcome(folder / "whole");
  CHECK(std::count(whole[1].begin(), whole[1].end(), '\n') == 4);
  for (int64_t steps : {1, 2, 5}) {
    CAPTURE(steps);
    RunRequest request = request_for(options, folder / "run" + std::to_string(steps));
    request.stop_after = steps;
    int code = 75, processes = 0;
    for (; code == 75 && processes < 50; ++processes) code = train(request);
    CHECK(code == 0);
    CHECK(processes == (12 + steps - 1) / steps + (12 % steps == 0));
    CHECK(same(outcome(request.folder), whole));
  }
}

TEST_CASE("training: 6 steps and an evaluation are the same bits on 1, 3 and 8 threads") {
  check_same_bits(6, {1, 3, 8});
}

TEST_CASE(
    "training: 50 steps and an evaluation are the same bits on 1, 2, 3, 4 and 8 threads, twice" *
    doctest::test_suite("slow")) {
  check_same_bits(50, {1, 2, 3, 4, 8, 1, 2, 3, 4, 8});
}

TEST_CASE("training: a damaged newest checkpoint is reported and the one before goes on") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = full_run(folder / "si.xyz");
  REQUIRE(train(request_for(options, folder / "whole")) == 0);
  RunRequest request = request_for(options, folder / "run");
  request.stop_after = 8;
  REQUIRE(train(request) == 75);
  std::string newest = CheckpointFolder(folder / "run/checkpoints", 2).list().at(0);
  CHECK(newest.ends_with("step-000000008.ckpt"));
  std::string content = read_file(newest);
  content[content.size() / 2] ^= 4;
  write_file_atomic(newest, content);
  request.stop_after = -1;
  REQUIRE(train(request) == 0);
  std::string log = read_file(folder / "run/train.log");
  CHECK(contains(log, "damaged checkpoint: " + newest + ": "));
  CHECK(contains(log,
                 "resumed from " + folder.path() + "/run/checkpoints/step-000000006.ckpt: step 6"));
  CHECK(contains(read_file(folder / "run/timing.jsonl"),
                 "{\"resumed\": true, \"epoch\": 3, \"step\": 6,"));
  CHECK(same(outcome(folder / "run"), outcome(folder / "whole")));
}

TEST_CASE("training: resumes from a named checkpoint, and refuses a missing one") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = full_run(folder / "si.xyz");
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  std::vector<std::string> whole = outcome(folder / "run");
  RunRequest request = request_for(options, folder / "run");
  request.resume = folder / "run/checkpoints/step-000000009.ckpt";
  REQUIRE(train(request) == 0);
  CHECK(same(outcome(folder / "run"), whole));
  request.resume = folder / "none.ckpt";
  CHECK(message_of<MissingError>([&] { train(request); }).find("none.ckpt") != std::string::npos);
}

TEST_CASE("training: a second stage that would begin too late is said to be missing") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = 2;
  options.train.stage_two.emplace();
  for (int64_t begin : {1, 2}) {
    options.train.stage_two->start_epoch = begin;
    const std::string run = folder / ("from_" + std::to_string(begin));
    REQUIRE(train(request_for(options, run)) == 0);
    const std::string warning =
        "warning: no second stage: it begins after epoch 2, train.epochs is 2";
    CHECK(contains(read_file(run + "/train.log"), warning) == (begin == 2));
    CHECK(contains(read_file(run + "/metrics.jsonl"), "\"stage\": 2") == (begin == 1));
  }
}

TEST_CASE("training: max_time ends with exit code 75 and can go on") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.max_time = 1e-6;
  CHECK(train(request_for(options, folder / "run")) == 75);
  CHECK(contains(read_file(folder / "run/train.log"),
                 "stopped by train.max_time: saved at step 1 of epoch 1; the same command goes on "
                 "from here"));
}

TEST_CASE("training: a larger max_steps or epochs goes on as if it had always been so") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = 3;
  REQUIRE(train(request_for(options, folder / "whole")) == 0);
  options.train.max_steps = 4;  // within the second epoch of three steps
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  std::string metrics = read_file(folder / "run/metrics.jsonl");
  CHECK(std::count(metrics.begin(), metrics.end(), '\n') == 2);
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  CHECK(read_file(folder / "run/metrics.jsonl") == metrics);
  options.train.max_steps.reset();
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  CHECK(same(outcome(folder / "run"), outcome(folder / "whole")));
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  CHECK(contains(read_file(folder / "run/train.log"), "already finished at step 9, epoch 3"));
  CHECK(!contains(read_file(folder / "whole/timing.jsonl"), "resumed"));
  REQUIRE(train(request_for(options, folder / "whole")) == 0);  // has nothing left to go on with
  CHECK(!contains(read_file(folder / "whole/timing.jsonl"), "resumed"));
}

TEST_CASE("training: another configuration does not resume, never starts over") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = 1;
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  std::vector<std::string> first = outcome(folder / "run");
  RunOptions other = options;
  other.train.optimizer.lr = 0.02;
  std::string text = message_of<ConfigError>([&] { train(request_for(other, folder / "run")); });
  CHECK(text ==
        folder.path() +
            "/run/checkpoints/step-000000003.ckpt: made with other settings: "
            "train.optimizer.lr is 0.02 here, 0.01 there; give another --run-dir, or --resume "
            "never to start over in '" +
            folder.path() + "/run'");
  RunRequest request = request_for(other, folder / "run");
  request.resume = "never";
  REQUIRE(train(request) == 0);
  CHECK_FALSE(same(outcome(folder / "run"), first));
  request.options = options;
  REQUIRE(train(request) == 0);
  CHECK(same(outcome(folder / "run"), first));
}

TEST_CASE("training: foreign, locked and emptied folders are left alone") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = 1;
  write_file_atomic(folder / "model.safetensors", "somebody's");
  CHECK(message_of<UsageError>([&] { train(request_for(options, folder.path())); }) ==
        folder.path() + "/model.safetensors is there, but no run.json: '" + folder.path() +
            "' is not the folder of a training; give another --run-dir");
  CHECK(read_file(folder / "model.safetensors") == "somebody's");
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  {
    RunLock lock(folder / "run");
    std::string text = message_of<UsageError>([&] { train(request_for(options, folder / "run")); });
    CHECK(text.starts_with(folder / "run: in use by another training (process "));
  }
  std::filesystem::remove_all(folder / "run/checkpoints");
  CHECK(message_of<UsageError>([&] { train(request_for(options, folder / "run")); }) ==
        folder /
            "run: holds model.safetensors but no checkpoint to go on from; give another "
            "--run-dir, or --resume never to start over");
}

TEST_CASE("training: divergence ends with exit code 3 and names step and frames") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.optimizer.lr = 1e30;
  RunRequest request = request_for(options, folder / "run");
  std::string text = message_of<DivergedError>([&] { train(request); });
  CHECK(text.starts_with("step 2 (epoch 1, batch 2): the loss is "));
  CHECK(contains(text, "si.xyz frame "));
  CHECK(contains(
      text, "the last good checkpoint: " + folder.path() + "/run/checkpoints/step-000000000.ckpt"));
  CHECK(contains(text, "try a lower train.optimizer.lr or train.clip from there (--resume "));
  CHECK(DivergedError("").exit_code() == 3);
  CHECK_FALSE(std::filesystem::exists(folder / "run/model.safetensors"));
}

TEST_CASE("training: patience ends the run, or the first stage of two") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 8);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.optimizer.lr = 1e-12;  // a hundred epochs without a change worth the name
  options.train.ema = 0;
  options.train.epochs = 40;
  options.train.patience = 2;
  options.model.dtype = "float32";
  REQUIRE(train(request_for(options, folder / "run")) == 0);
  std::string log = read_file(folder / "run/train.log");
  CHECK(contains(log, "validations without a new best: stopped by train.patience"));
  options.train.stage_two.emplace();
  options.train.stage_two->lr = 1e-12;
  REQUIRE(train(request_for(options, folder / "two")) == 0);
  CHECK(contains(read_file(folder / "two/train.log"),
                 "stage two: lr 1e-12, weights of energy 1000, forces 100, stress 10"));
  CHECK(contains(read_file(folder / "two/metrics.jsonl"), "\"stage\": 2"));
}
