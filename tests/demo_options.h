// Options of an invented program, for the tests of Config: every kind of value, sections in
// sections, one that may be off and one without keys.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"

namespace casimir {

struct DemoOptimizer {
  std::string kind = "adam";
  double initial_lr = 0.01;
  std::vector<double> betas = {0.9, 0.999};
  void fields(Fields& f) {
    f("kind", kind, "update rule", one_of({"adam", "adamw", "amsgrad"}));
    f("initial_lr", initial_lr, "learning rate of the first step", positive());
    f("betas", betas, "decay of the moments", between(0, 1));
  }
};

struct DemoStage {
  int64_t start = 1;
  double energy_weight = 1000;
  void fields(Fields& f) {
    f("start", start, "first epoch", positive());
    f("energy_weight", energy_weight, "weight of the energy", non_negative());
  }
};

struct DemoTrain {
  int64_t epochs = 100;
  int batch_size = 5;
  DemoOptimizer optimizer;
  std::optional<double> clip = 10;
  std::optional<DemoStage> stage_two;
  std::vector<std::string> metrics = {"energy", "forces"};
  void fields(Fields& f) {
    f("epochs", epochs, "passes over the data", positive());
    f("batch_size", batch_size, "frames per step", positive());
    f("optimizer", optimizer, "how the weights move");
    f("clip", clip, "largest norm of the gradient", positive());
    f("stage_two", stage_two, "other weights from an epoch on");
    f("metrics", metrics, "columns of the log");
  }
};

struct DemoData {
  std::string train;
  double r_max = 5;
  bool shuffle = true;
  std::vector<int64_t> correlation = {3};
  std::map<std::string, double> e0s;
  void fields(Fields& f) {
    f("train", train, "file with the training frames", required());
    f("r_max", r_max, "cutoff in A", between(0.5, 20));
    f("shuffle", shuffle, "new order in every epoch");
    f("correlation", correlation, "body order per layer", positive());
    f("E0s", e0s, "energy of the isolated atoms in eV");
  }
};

struct DemoStep {
  void fields(Fields&) {}
};

struct Demo {
  int64_t seed = 1;
  std::string name = "demo";
  DemoData data;
  DemoTrain train;
  DemoStep step;
  void fields(Fields& f) {
    f("seed", seed, "of everything random");
    f("name", name, "of the run");
    if (f.reading() && name.find(' ') != std::string::npos) {
      f.reject("name", "expected one word, found '" + name + "'");
    }
    f("data", data, "what is learnt");
    f("train", train, "how it is learnt");
    f("step", step, "where it runs");
  }
};

// Reads a whole document under the name "a.yaml", as the program does.
inline Demo read_demo(const std::string& yaml, const std::vector<std::string>& overrides = {}) {
  Config config = Config::parse(yaml, "a.yaml");
  for (const std::string& assignment : overrides) config.override_with(assignment);
  Demo demo = config.read<Demo>();
  config.check_all_read();
  return demo;
}

}  // namespace casimir
