// A small training on silicon for tests: data, options, and what a run left.
#pragma once

#include <fstream>
#include <iterator>
#include <string>

#include "datasets/extxyz.h"
#include "datasets/silicon.h"
#include "tests/temporary_folder.h"
#include "trainers/trainer.h"

namespace casimir {

inline std::string bytes_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_silicon(const std::string& path, int64_t frames, uint64_t seed = 1) {
  SiliconOptions options;
  options.frames = frames;
  options.seed = seed;
  options.repeat = {1, 1, 1};
  write_extxyz(path, make_silicon(options));
}

// A few thousand weights; a step takes milliseconds.
inline RunOptions small_run(const std::string& data) {
  RunOptions options;
  options.data.train = {data};
  options.data.valid_fraction = 0.25;
  options.model.mace.r_max = 4;
  options.model.mace.hidden_irreps = "4x0e+4x1o";
  options.model.mace.l_max = 2;
  options.model.mace.correlation = {2};
  options.model.mace.num_bessel = 4;
  options.model.mace.radial_mlp = {8};
  options.model.mace.readout_irreps = "4x0e";
  options.task.weights = {1, 10, 100};
  options.train.epochs = 4;
  options.train.batch_size = 2;
  options.train.schedule.patience = 1;
  options.step.threads = 1;
  return options;
}

inline RunRequest request_for(const RunOptions& options, const std::string& folder) {
  RunRequest request;
  request.options = options;
  request.config_text = to_yaml(options);
  request.folder = folder;
  request.quiet = true;
  return request;
}

}  // namespace casimir
