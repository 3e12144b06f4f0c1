#include "core/config.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/files.h"
#include "tests/bad_config_cases.h"
#include "tests/demo_options.h"
#include "tests/message_of.h"
#include "tests/temporary_folder.h"

using namespace casimir;

TEST_CASE("config: every bad configuration is refused with its whole message") {
  for (const BadConfig& bad : bad_config_cases) {
    CAPTURE(std::string(bad.name));
    std::string message = "nothing was thrown";
    int exit_code = 0;
    try {
      read_demo(bad.yaml, bad.overrides);
    } catch (const Error& error) {
      message = error.what();
      exit_code = error.exit_code();
    }
    CHECK(message == bad.message);
    CHECK(exit_code == bad.exit_code);
  }
}

TEST_CASE("config: values are read by type") {
  Demo demo = read_demo(R"(# a comment
seed: -42
name: "caf\u00e9"
data:
  train: 3bpa/train 300K.xyz
  r_max: +6e0
  shuffle: false
  correlation: [1, 2, 3]
  E0s: {H: -13.6, No: 1e-3}
train:
  optimizer: {kind: amsgrad, betas: .5}
  clip: null
  stage_two:
    start: 3
  metrics: []
)");
  CHECK(demo.seed == -42);
  CHECK(demo.name == "caf\xc3\xa9");
  CHECK(demo.data.train == "3bpa/train 300K.xyz");
  CHECK(demo.data.r_max == 6);
  CHECK(demo.data.shuffle == false);
  CHECK(demo.data.correlation == std::vector<int64_t>{1, 2, 3});
  CHECK(demo.data.e0s == std::map<std::string, double>{{"H", -13.6}, {"No", 1e-3}});
  CHECK(demo.train.epochs == 100);
  CHECK(demo.train.batch_size == 5);
  CHECK(demo.train.optimizer.kind == "amsgrad");
  CHECK(demo.train.optimizer.initial_lr == 0.01);
  CHECK(demo.train.optimizer.betas == std::vector<double>{0.5});  // a list of one needs no brackets
  CHECK(!demo.train.clip);
  REQUIRE(demo.train.stage_two);
  CHECK(demo.train.stage_two->start == 3);
  CHECK(demo.train.stage_two->energy_weight == 1000);
  CHECK(demo.train.metrics.empty());
}

TEST_CASE("config: byte-order mark, line ends, and markers of other editors") {
  Demo demo = read_demo("\xef\xbb\xbf---\r\ndata:\r\n  train: x.xyz\r\n...\r\n");
  CHECK(demo.data.train == "x.xyz");
}

TEST_CASE("config: sections that are absent, empty, or off") {
  CHECK(read_demo("data: {train: x}\ntrain:\n").train.epochs == 100);  // empty: every default
  CHECK(!read_demo("data: {train: x}\n").train.stage_two);
  Config config = Config::parse("train: {stage_two: null}", "a.yaml");
  DemoTrain on;
  on.stage_two = DemoStage{7, 1};
  CHECK(!config["train"].read(on).stage_two);  // switched off by the file
  config = Config::parse("train: {}", "a.yaml");
  REQUIRE(config["train"].read(on).stage_two);  // stays as it was
  CHECK(config["train"].read(on).stage_two->start == 7);
}

TEST_CASE("config: anchors and aliases copy values") {
  Config config =
      Config::parse("base: &b {lr: 0.5, names: [x, y]}\nmine: *b\nlr: &lr 3\nalso: *lr", "a.yaml");
  CHECK(config["mine"].get<double>("lr") == 0.5);
  CHECK(config["mine"].get<std::vector<std::string>>("names") ==
        std::vector<std::string>{"x", "y"});
  CHECK(config.get<int>("also") == 3);
  config.override_with("mine.lr=0.25");
  CHECK(config["mine"].get<double>("lr") == 0.25);
  CHECK(config["base"].get<double>("lr") == 0.5);
  CHECK(config["mine"].path() == "mine");
  auto read = [&] { config["mine"].get<int>("names"); };
  CHECK(message_of<ConfigError>(read) ==
        "a.yaml:1:27: mine.names: expected an integer of at most 32 bits, found a list");
}

TEST_CASE("config: depth and size are bounded") {
  auto message = [](const std::string& text) {
    return message_of<ConfigError>([&] { Config::parse(text, "a.yaml"); });
  };
  auto nested = [](int depth) { return "a: " + std::string(depth, '[') + std::string(depth, ']'); };
  CHECK(message(nested(63)) == "nothing was thrown");
  CHECK(message(nested(64)) == "a.yaml:1:67: nested more than 64 levels deep");
  CHECK(message(nested(100000)) == "a.yaml:1:67: nested more than 64 levels deep");
  std::string half = std::string(40, '[') + "1" + std::string(40, ']');
  CHECK(message("a: &a " + half + "\nb: " + std::string(40, '[') + "*a" + std::string(40, ']')) ==
        "a.yaml:2:44: nested more than 64 levels deep");

  std::string many = "a: [";
  for (int i = 0; i < 100000; ++i) many += "1,";
  CHECK(message(many + "]") == "a.yaml:1:199999: more than 100000 values");

  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 10; ++i) {
    std::string before = "*a" + std::to_string(i - 1), name = "a" + std::to_string(i);
    bomb += name + ": &" + name + " [" + before;
    for (int k = 1; k < 9; ++k) bomb += ", " + before;
    bomb += "]\n";
  }
  CHECK(message(bomb) == "a.yaml:6:10: more than 100000 values");
}

TEST_CASE("config: overrides replace, extend and create") {
  Demo demo =
      read_demo("data: {train: x.xyz, correlation: [1, 2]}\ntrain: {epochs: 2}\n",
                {"train.epochs=9", "train.optimizer.initial_lr=1e-3",
                 "train.clip=", "data.train=a=b.xyz", "data.correlation=3", "data.E0s={H: -13.5}",
                 "train.metrics=[energy, stress]", "train.stage_two.start=4"});
  CHECK(demo.train.epochs == 9);
  CHECK(demo.train.optimizer.initial_lr == 1e-3);
  CHECK(!demo.train.clip);
  CHECK(demo.data.train == "a=b.xyz");
  CHECK(demo.data.correlation == std::vector<int64_t>{3});
  CHECK(demo.data.e0s == std::map<std::string, double>{{"H", -13.5}});
  CHECK(demo.train.metrics == std::vector<std::string>{"energy", "stress"});
  CHECK(demo.train.stage_two->start == 4);
  CHECK(read_demo("", {"data.train=x"}).data.train == "x");
}

TEST_CASE("config: a node knows its place, path and keys, and what was read") {
  Config config = Config::parse("model:\n  kind: mace\n  size: {l: 2}\nfree: {a: 1, b: {c: 2}}\n",
                                "configs/a.yaml");
  CHECK(config.keys() == std::vector<std::string>{"model", "free"});
  CHECK(config.has("model"));
  CHECK(!config.has("data"));
  Config model = config["model"];
  CHECK(model.is_map());
  CHECK(!model["kind"].is_map());
  CHECK(model["kind"].where() == "configs/a.yaml:2:9");
  CHECK(model["kind"].path() == "model.kind");
  CHECK(model["size"].where() == "configs/a.yaml:3:3");
  CHECK(model.get("kind", "none") == "mace");
  CHECK(model.get("depth", 5) == 5);
  CHECK(model["size"].get<int>("l") == 2);
  CHECK(message_of<ConfigError>([&] { config.check_all_read(); }) ==
        "configs/a.yaml:4:1: unknown key 'free' at the top level; known keys are model, data");
  config["free"].mark_read();
  config.check_all_read();
  CHECK(message_of<ConfigError>([&] { model["kind"].reject("expected love"); }) ==
        "configs/a.yaml:2:9: model.kind: expected love");
  CHECK(message_of<ConfigError>([&] { config["data"]; }) ==
        "configs/a.yaml:1:1: data: required key is missing");
  CHECK(message_of<ConfigError>([&] { model["kind"].keys(); }) ==
        "configs/a.yaml:2:9: model.kind: expected a section of 'key: value', found 'mace'");
}

TEST_CASE("config: a file is read under its path") {
  TemporaryFolder folder;
  std::string path = folder / "a.yaml";
  write_file_atomic(path, "seed: one\n");
  CHECK(message_of<ConfigError>([&] { Config::load(path).get<int>("seed"); }) ==
        path + ":1:7: seed: expected an integer of at most 32 bits, found 'one'");
  path = folder / "none.yaml";
  CHECK(message_of<MissingError>([&] { Config::load(path); }) == path + ": no such file");
}

TEST_CASE("config: options written as YAML") {
  Demo demo;
  demo.data.train = "x.xyz";
  demo.data.e0s = {{"H", -13.6}, {"No", 1e-6}};
  CHECK(to_yaml(demo) == R"(seed: 1
name: demo
data:
  train: x.xyz
  r_max: 5.0
  shuffle: true
  correlation: [3]
  E0s: {H: -13.6, "No": 1.0e-06}
train:
  epochs: 100
  batch_size: 5
  optimizer:
    kind: adam
    initial_lr: 0.01
    betas: [0.9, 0.999]
  clip: 10.0
  stage_two: null
  metrics: [energy, forces]
step: {}
)");
  CHECK(to_yaml(DemoStage(), 2) == "  start: 1\n  energy_weight: 1000.0\n");
}

TEST_CASE("config: what is written reads back equal, whatever the text or number") {
  const std::string texts[] = {"",           "x",
                               "null",       "~",
                               "Yes",        "no",
                               "true",       "1",
                               "1e3",        "0x1f",
                               "1:30",       ".5",
                               "-",          "- a",
                               "a: b",       "a:",
                               "#a",         "a #b",
                               "[a]",        "{a",
                               "*a",         "&a",
                               "!a",         "|",
                               ">",          "'",
                               "\"",         "\\n",
                               "a\nb",       "a\tb",
                               " a",         "a ",
                               "%a",         "@a",
                               "`a",         "a,b",
                               "\x01\x7f",   "64x0e+1o",
                               "0e",         "=",
                               "...",        "---",
                               "2020-01-01", "\xc3\xa9",
                               "C:\\x\\y",   "/data/a.xyz",
                               "<<",         "?",
                               "? a",        "\xf0\x9f\x98\x80 x"};
  for (const std::string& text : texts) {
    CAPTURE(text);
    Demo demo;
    demo.data.train = text;
    demo.train.metrics = {text, "x", text};
    demo.data.e0s = {{text, 1}};
    std::string yaml = to_yaml(demo);
    Demo found = read_demo(yaml);
    CHECK(found.data.train == text);
    CHECK(found.train.metrics == demo.train.metrics);
    CHECK(found.data.e0s == demo.data.e0s);
    CHECK(to_yaml(found) == yaml);
    Config config = Config::parse(yaml, "a.yaml");  // and the document itself
    CHECK(to_yaml(Config::parse(config.dump(), "b.yaml").read<Demo>()) == yaml);
  }
  const double numbers[] = {0.0,
                            -0.0,
                            0.1,
                            1.0 / 3,
                            1e22,
                            123456789,
                            1e-6,
                            5e-324,
                            1e100,
                            -2.5e9,
                            1e16,
                            2.2250738585072014e-308,
                            1.7976931348623157e308};
  for (double number : numbers) {
    CAPTURE(number);
    Demo demo;
    demo.data.train = "x";
    demo.data.e0s = {{"H", number}};
    double found = read_demo(to_yaml(demo)).data.e0s["H"];
    CHECK(found == number);
    CHECK(std::signbit(found) == std::signbit(number));
  }
  Demo demo;
  demo.data.r_max = std::numeric_limits<double>::infinity();
  CHECK(message_of<ConfigError>([&] { to_yaml(demo); }) == "config: cannot write the number inf");
}

TEST_CASE("config: a document is dumped with its overrides") {
  Config config = Config::parse(
      "seed: 1  # fixed\ndata:\n  train: 'x y'\n  E0s: {H: -13.6}\n  list:\n  - 1\n  - a\n  "
      "none:\n",
      "a.yaml");
  config.override_with("train.optimizer.lr=1e-3");
  config.override_with("seed=2");
  CHECK(config.dump() == R"(seed: 2
data:
  train: "x y"
  E0s: {H: -13.6}
  list: [1, a]
  none: null
train:
  optimizer:
    lr: 1e-3
)");
}

TEST_CASE("config: the help text") {
  CHECK(to_help<Demo>() == R"(seed               integer     1                 of everything random
name               text        demo              of the run
data               section                       what is learnt
  train            text        required          file with the training frames
  r_max            number      5.0               cutoff in A; a number from 0.5 to 20
  shuffle          true/false  true              new order in every epoch
  correlation      integers    [3]               body order per layer; a positive integer
  E0s              map         {}                energy of the isolated atoms in eV
train              section                       how it is learnt
  epochs           integer     100               passes over the data; a positive integer
  batch_size       integer     5                 frames per step; a positive integer
  optimizer        section                       how the weights move
    kind           text        adam              update rule; one of adam, adamw, amsgrad
    initial_lr     number      0.01              learning rate of the first step; a positive number
    betas          numbers     [0.9, 0.999]      decay of the moments; a number from 0 to 1
  clip             number      10.0              largest norm of the gradient; a positive number
  stage_two        section     none              other weights from an epoch on
    start          integer     1                 first epoch; a positive integer
    energy_weight  number      1000.0            weight of the energy; a non-negative number
  metrics          texts       [energy, forces]  columns of the log
step               section                       where it runs
)");
}
