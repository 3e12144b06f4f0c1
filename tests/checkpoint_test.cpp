#include "trainers/checkpoint.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <limits>

#include "core/files.h"
#include "tests/message_of.h"
#include "tests/temporary_folder.h"

using namespace casimir;

namespace {

Checkpoint checkpoint_at(int64_t step) {
  Checkpoint checkpoint;
  checkpoint.state.step = step;
  checkpoint.settings = {{"train.optimizer.lr", "0.01"}};
  checkpoint.config = "seed: 1\n";
  checkpoint.arrays.add("parameters",
                        Array::from(std::vector<float>{1, 2, static_cast<float>(step)}));
  return checkpoint;
}

void flip_byte(const std::string& path, size_t place) {
  std::string content = read_file(path);
  content[place] = static_cast<char>(content[place] ^ 1);
  write_file_atomic(path, content);
}

}  // namespace

TEST_CASE("checkpoint: the state reads back to the same bits") {
  TrainState state;
  state.step = 123456789012;
  state.epoch = 7;
  state.batch = 3;
  state.stage = 2;
  state.second_epoch = 5;
  state.lr = 0.1 + 0.2;
  state.best = 1.0 / 3;
  state.best_epoch = 6;
  state.best_step = 99;
  state.bad = 4;
  state.stopped = true;
  state.schedule = {2.0 / 7, 0.8 * 0.8 * 0.8, 11};
  state.loss_sum = 1e-300 / 3;
  state.gradient_norm_sum = 1e300 / 7;
  state.graphs = 40;
  state.clipped = 2;
  state.lengths = {{"metrics.jsonl", 1234}, {"lcurve.csv", 5}};
  TrainState again = TrainState::parse(state.json(), "here");
  CHECK(again.json() == state.json());
  CHECK(again.lr == state.lr);
  CHECK(again.loss_sum == state.loss_sum);
  CHECK(again.schedule == state.schedule);
  CHECK(again.lengths == state.lengths);

  TrainState fresh = TrainState::parse(TrainState().json(), "here");
  CHECK(fresh.best == std::numeric_limits<double>::infinity());
  CHECK(fresh.schedule.best == std::numeric_limits<double>::infinity());
}

TEST_CASE("checkpoint: a state that cannot be read is a data error that names the file") {
  std::string text = message_of<DataError>([] { TrainState::parse("{\"step\": 1}", "a.ckpt"); });
  CHECK(text.starts_with("a.ckpt: its state: "));
  CHECK(text.find("key 'epoch' not found") != std::string::npos);
  const std::string good = TrainState().json();
  for (const char* count : {"1.5", "1e+24", "true", "18446744073709551615", "\"1\""}) {
    std::string bad = good;
    bad.replace(bad.find("\"step\":0") + 7, 1, count);
    CHECK(message_of<DataError>([&] { TrainState::parse(bad, "a.ckpt"); }) ==
          "a.ckpt: its state: 'step' is " + std::string(count) + ", not a whole number");
  }
}

TEST_CASE("checkpoint: written and read, the newest ones kept, last and best named") {
  TemporaryFolder folder;
  CheckpointFolder checkpoints(folder / "checkpoints", 2);
  std::vector<std::string> notes;
  CHECK_FALSE(checkpoints.newest(notes).has_value());
  for (int64_t step : {90, 100, 1100}) checkpoints.save(checkpoint_at(step), step == 100);
  std::vector<std::string> left = checkpoints.list();
  REQUIRE(left.size() == 2);
  CHECK(left[0].ends_with("step-000001100.ckpt"));
  CHECK(left[1].ends_with("step-000000100.ckpt"));
  std::optional<Checkpoint> newest = checkpoints.newest(notes);
  REQUIRE(newest);
  CHECK(notes.empty());
  CHECK(newest->state.step == 1100);
  CHECK(newest->config == "seed: 1\n");
  CHECK(newest->settings == Settings{{"train.optimizer.lr", "0.01"}});
  CHECK(newest->arrays.at("parameters").to_vector<float>() == std::vector<float>{1, 2, 1100});
  CHECK(read_checkpoint(folder / "checkpoints/last.ckpt").state.step == 1100);
  CHECK(read_checkpoint(folder / "checkpoints/best.ckpt").state.step == 100);
}

TEST_CASE("checkpoint: the one before a step is the newest whose weights took a later step") {
  TemporaryFolder folder;
  CheckpointFolder checkpoints(folder.path(), 3);
  CHECK(checkpoints.before(0) == "");
  checkpoints.save(checkpoint_at(0), false);
  CHECK(checkpoints.before(0) == folder / "step-000000000.ckpt");
  checkpoints.save(checkpoint_at(5), false);
  CHECK(checkpoints.before(5) == folder / "step-000000000.ckpt");
  CHECK(checkpoints.before(7) == folder / "step-000000005.ckpt");
}

TEST_CASE("checkpoint: best stays when its number is pruned") {
  TemporaryFolder folder;
  CheckpointFolder checkpoints(folder.path(), 1);
  checkpoints.save(checkpoint_at(1), true);
  checkpoints.save(checkpoint_at(2), false);
  CHECK(checkpoints.list().size() == 1);
  CHECK(read_checkpoint(folder / "best.ckpt").state.step == 1);
  checkpoints.name(checkpoints.list()[0], true);
  checkpoints.name(checkpoints.list()[0], true);
  CHECK(read_checkpoint(folder / "best.ckpt").state.step == 2);
  for (const auto& entry : std::filesystem::directory_iterator(folder.path()))
    CHECK(entry.path().extension() == ".ckpt");
}

TEST_CASE("checkpoint: a damaged newest one is reported and the one before used") {
  TemporaryFolder folder;
  CheckpointFolder checkpoints(folder.path(), 3);
  for (int64_t step : {1, 2}) checkpoints.save(checkpoint_at(step), false);
  std::string path = folder / "step-000000002.ckpt";
  flip_byte(path, read_file(path).size() - 1);
  std::vector<std::string> notes;
  std::optional<Checkpoint> found = checkpoints.newest(notes);
  REQUIRE(found);
  CHECK(found->state.step == 1);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].starts_with("damaged checkpoint: " + path + ": "));
  CHECK(std::filesystem::exists(path + ".damaged"));
  CHECK(checkpoints.list().size() == 1);
}

TEST_CASE("checkpoint: a folder that cannot be listed is an error, not a training without one") {
  TemporaryFolder folder;
  write_file_atomic(folder / "checkpoints", "a file");
  CheckpointFolder checkpoints(folder / "checkpoints", 3);
  std::vector<std::string> notes;
  CHECK(message_of<IoError>([&] { checkpoints.newest(notes); }) ==
        folder / "checkpoints: cannot list this folder: Not a directory");
}

TEST_CASE("checkpoint: when all are damaged the training does not quietly start over") {
  TemporaryFolder folder;
  CheckpointFolder checkpoints(folder.path(), 3);
  checkpoints.save(checkpoint_at(5), false);
  std::string path = folder / "step-000000005.ckpt";
  write_file_atomic(path, read_file(path).substr(0, 40));
  std::vector<std::string> notes;
  std::string text = message_of<DataError>([&] { checkpoints.newest(notes); });
  CHECK(text.starts_with(folder.path() + ": no checkpoint is whole:\n  " + path + ": "));
  CHECK(text.ends_with("\n  --resume never starts the training over"));
}

TEST_CASE("checkpoint: half-written files are cleaned away, whole ones stay") {
  TemporaryFolder folder;
  CheckpointFolder checkpoints(folder.path(), 3);
  checkpoints.save(checkpoint_at(5), false);
  write_file_atomic(folder / "other.txt", "kept");
  std::string stray = folder / "step-000000006.ckpt.tmp.4711";
  write_file_atomic(stray, "half");
  checkpoints.clean();
  CHECK_FALSE(std::filesystem::exists(stray));
  CHECK(std::filesystem::exists(folder / "other.txt"));
  CHECK(checkpoints.list().size() == 1);
}

TEST_CASE("checkpoint: other files are refused by name") {
  TemporaryFolder folder;
  Safetensors file;
  file.add("x", Array::from(std::vector<float>{1}));
  write_safetensors(folder / "a.safetensors", file);
  auto text = [&] {
    return message_of<DataError>([&] { read_checkpoint(folder / "a.safetensors"); });
  };
  CHECK(text() ==
        folder / "a.safetensors: no 'format' in its metadata: not a checkpoint of casimir");
  file.metadata = {{"format", "casimir-model"}, {"version", "1"}};
  write_safetensors(folder / "a.safetensors", file);
  CHECK(text() ==
        folder / "a.safetensors: expected format 'casimir-checkpoint', found 'casimir-model'");
  file.metadata = {{"format", "casimir-checkpoint"}, {"version", "9"}};
  write_safetensors(folder / "a.safetensors", file);
  CHECK(text() == folder / "a.safetensors: expected version 1 of the checkpoint format, found '9'");
  message_of<MissingError>([&] { read_checkpoint(folder / "none.ckpt"); });
}

TEST_CASE("checkpoint: settings that decide numbers must agree, the others may differ") {
  RunOptions options;
  options.data.train = {"a.xyz"};
  std::vector<DataFile> files{{"data.train", "a.xyz", 10, "00ff"}};
  Settings one = settings_of(options, files);
  CHECK(one.at("train.optimizer.lr") == "0.01");
  CHECK(one.at("train.stage_two") == "off");
  CHECK(one.at("checksum of data.train") == "00ff");

  options.data.train = {"moved/a.xyz"};
  files[0].path = "moved/a.xyz";
  options.train.epochs = 999;
  options.train.max_time = 60;
  options.step.threads = 7;
  options.train.keep = 9;
  CHECK(differences(settings_of(options, files), one) == "");

  options.train.optimizer.lr = 0.5;
  options.train.stage_two.emplace();
  files[0].checksum = "0100";
  std::string text = differences(settings_of(options, files), one);
  CHECK(text.find("train.optimizer.lr is 0.5 here, 0.01 there") != std::string::npos);
  CHECK(text.find("checksum of data.train is 0100 here, 00ff there") != std::string::npos);
  CHECK(text.find("train.stage_two is on here, off there") != std::string::npos);
  CHECK(text.find("epochs") == std::string::npos);
}

TEST_CASE("checkpoint: a key that is newer than the checkpoint stands at its default there") {
  RunOptions options;
  Settings older = settings_of(options, {});
  REQUIRE(older.erase("train.schedule.hold") == 1);
  CHECK(differences(settings_of(options, {}), older) == "");
  options.train.schedule.hold = 0.5;
  CHECK(differences(settings_of(options, {}), older) ==
        "train.schedule.hold is 0.5 here, 0.0 there");
}
