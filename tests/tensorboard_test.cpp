// TensorBoard's event file: bytes that its own writer makes too, and one continuous curve however
// often a run is interrupted.
#include "core/tensorboard.h"

#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "core/parallel.h"
#include "tests/training_run.h"
#include "trainers/checkpoint.h"

using namespace casimir;

namespace {

std::string from_hex(const std::string& text) {
  std::string bytes;
  for (size_t i = 0; i < text.size(); i += 2)
    bytes += static_cast<char>(std::stoi(text.substr(i, 2), nullptr, 16));
  return bytes;
}

template <class T>
T value_at(const std::string& bytes, size_t at) {
  T value;
  REQUIRE(at + sizeof value <= bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

uint32_t masked(const std::string& bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8;
}

struct Record {
  double wall_time = 0;
  std::string rest;  // all of the event but its wall time
};

// The frames of an event file, each with both checksums right and none cut short.
std::vector<Record> records_of(const std::string& bytes) {
  std::vector<Record> records;
  for (size_t at = 0; at < bytes.size();) {
    const auto length = value_at<uint64_t>(bytes, at);
    CHECK(value_at<uint32_t>(bytes, at + 8) == masked(bytes.substr(at, 8)));
    REQUIRE(at + 16 + length <= bytes.size());
    const std::string data = bytes.substr(at + 12, length);
    CHECK(value_at<uint32_t>(bytes, at + 12 + length) == masked(data));
    CHECK(data[0] == 9);  // wall_time, eight bytes
    records.push_back({value_at<double>(data, 1), data.substr(9)});
    at += 16 + length;
  }
  return records;
}

std::vector<Record> records_in(const std::string& run) {
  return records_of(bytes_of(run + "/" + event_file_name));
}

std::vector<std::string> rests(const std::vector<Record>& records) {
  std::vector<std::string> texts;
  for (const Record& record : records) texts.push_back(record.rest);
  return texts;
}

struct Fixture {
  TemporaryFolder folder;
  RunOptions options;
  Fixture() {
    write_silicon(folder / "si.xyz", 8);
    options = small_run(folder / "si.xyz");
  }
  ~Fixture() { set_num_threads(0); }
  int train_in(const std::string& run, int64_t stop_after = -1) {
    RunRequest request = request_for(options, folder / run);
    request.stop_after = stop_after;
    return train(request);
  }
};

}  // namespace

TEST_CASE("tensorboard: checksums as in RFC 3720") {
  CHECK(crc32c("") == 0);
  CHECK(crc32c("123456789") == 0xE3069283);
  CHECK(crc32c(std::string(32, '\0')) == 0x8A9136AA);
  CHECK(crc32c(std::string(32, '\xFF')) == 0x62A8AB43);
}

// By tensorboard 2.21.0: summary.writer.record_writer.RecordWriter with Event.SerializeToString().
TEST_CASE("tensorboard: the bytes that its own writer makes") {
  CHECK(
      event_file_start(1.5) ==
      from_hex("1800000000000000a37f4b2209000000000000f83f1a0d627261696e2e4576656e743a322a28646c"));
  CHECK(
      event_record(2.25, 300, {{"train/loss", 0.125}, {"valid/forces_rmse_mev_per_a", -3.5}}) ==
      from_hex("4500000000000000ebe668b009000000000000024010ac022a370a110a0a747261696e2f6c6f737315"
               "0000003e0a220a1b76616c69642f666f726365735f726d73655f6d65765f7065725f6115000060c0ff"
               "96284e"));
}

TEST_CASE_FIXTURE(Fixture, "tensorboard: a record per epoch, with the numbers of metrics.jsonl") {
  const double before = wall_time();
  REQUIRE(train_in("run") == 0);
  const std::vector<Record> records = records_in(folder / "run");
  REQUIRE(records.size() == 5);
  CHECK(records[0].rest ==
        "\x1A\x0D"
        "brain.Event:2");
  for (const Record& record : records) {
    CHECK(record.wall_time >= before);
    CHECK(record.wall_time <= wall_time());
  }
  std::ifstream lines(folder / "run/metrics.jsonl");
  std::string line;
  for (size_t epoch = 1; epoch < records.size(); ++epoch) {
    REQUIRE(std::getline(lines, line));
    const auto json = nlohmann::ordered_json::parse(line);
    Scalars scalars;
    for (const auto& [key, value] : json.items())
      if (value.is_number() && key != "step")
        scalars.emplace_back(key.starts_with("valid_") ? "valid/" + key.substr(6) : "train/" + key,
                             value.get<double>());
    CHECK(scalars.size() == 13);  // stress too
    CHECK(records[epoch].rest == records_of(event_record(0, json["step"], scalars))[0].rest);
  }
}

TEST_CASE_FIXTURE(Fixture, "tensorboard: one curve, whether or not a run was interrupted") {
  REQUIRE(train_in("whole") == 0);
  REQUIRE(train_in("parts", 4) == 75);  // three steps an epoch
  // What a killed process wrote after its last checkpoint, and half a record.
  const std::string path = folder / "parts/" + event_file_name;
  std::ofstream(path, std::ios::app | std::ios::binary)
      << event_record(0, 999, {{"train/loss", 1}}) << "half";
  REQUIRE(train_in("parts", 4) == 75);
  REQUIRE(train_in("parts") == 0);
  CHECK(rests(records_in(folder / "parts")) == rests(records_in(folder / "whole")));
}

TEST_CASE_FIXTURE(Fixture, "tensorboard: a checkpoint of a version without event files goes on") {
  REQUIRE(train_in("whole") == 0);
  REQUIRE(train_in("old", 7) == 75);
  Checkpoint old = read_checkpoint(folder / "old/checkpoints/last.ckpt");
  REQUIRE(old.state.lengths.erase(event_file_name) == 1);
  CheckpointFolder(folder / "old/checkpoints", 2).save(old, false);
  remove_file(folder / "old/" + event_file_name);
  REQUIRE(train_in("old") == 0);
  CHECK(bytes_of(folder / "old/metrics.jsonl") == bytes_of(folder / "whole/metrics.jsonl"));
  CHECK(bytes_of(folder / "old/train.log")
            .find("note: the checkpoint is of a version without events.out.tfevents.0.casimir: it "
                  "begins here\n") != std::string::npos);
  std::vector<std::string> expected = rests(records_in(folder / "whole"));
  expected.erase(expected.begin() + 1, expected.begin() + 3);  // two epochs were over
  CHECK(rests(records_in(folder / "old")) == expected);
}

TEST_CASE_FIXTURE(Fixture, "tensorboard: a file that lacks records begins anew") {
  REQUIRE(train_in("run", 7) == 75);
  const std::string path = folder / "run/" + event_file_name;
  write_file_atomic(path, read_file(path).substr(0, 100));
  REQUIRE(train_in("run") == 0);
  CHECK(records_in(folder / "run").size() == 3);  // its start, and two epochs
  CHECK(
      bytes_of(folder / "run/train.log")
          .find("note: events.out.tfevents.0.casimir holds 100 bytes, the checkpoint recorded ") !=
      std::string::npos);
}
