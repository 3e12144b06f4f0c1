// The six sections of a run's YAML: every key with its default and meaning, in one place.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/config.h"
#include "equivariant/models/mace.h"
#include "equivariant/models/nequip.h"

namespace casimir {

struct DataOptions {
  std::string kind = "extxyz";
  std::vector<std::string> train, valid;  // files
  std::string index = ":";                // ASE's slice text, applied to every training file
  double valid_fraction = 0.1;            // split off the training frames when `valid` is empty
  std::optional<int64_t> valid_count;     // the same as a number of frames; stronger
  std::string energy_key = "energy", forces_key = "forces", stress_key = "stress";
  std::string virial_key = "virial", config_type_key = "config_type";
  std::map<std::string, double> config_type_weights;
  std::string E0s = "least_squares";  // isolated | least_squares | given
  std::string isolated_atoms;         // file of single atoms, for E0s: isolated
  std::map<std::string, double> E0_values;
  std::string source;  // where the files are to be had; repeated when one is missing

  void fields(Fields& f);
};

struct ModelOptions {
  std::string kind = "mace";
  std::string dtype = "float32";
  std::vector<std::string> elements;                      // empty: those of the data
  std::optional<double> avg_num_neighbors, scale, shift;  // absent: from the data
  // The keys of the kind stand in the same section.
  MaceOptions mace;
  NequipOptions nequip;

  DType type() const { return dtype == "float64" ? DType::f64 : DType::f32; }
  double r_max() const { return kind == "nequip" ? nequip.r_max : mace.r_max; }
  int64_t layers() const { return kind == "nequip" ? nequip.num_layers : mace.num_interactions; }
  std::string hidden_irreps() const {
    return kind == "nequip" ? nequip.hidden_irreps().text() : mace.hidden_irreps;
  }
  void fields(Fields& f);
};

struct LossWeights {
  double energy = 1, forces = 1000, stress = 0;

  void fields(Fields& f);
};

// loss = w_E / B sum_b l((E_b - E'_b) / N_b^k) + w_F / (3 sum_b N_b) sum_i l(F_i - F'_i)
//      + w_S / (9 B) sum_b l(s_b - s'_b)
// over the B frames of a batch; l is x^2, |x| or Huber's; every frame's terms are multiplied by
// the frame's weights. k = 0, 1, 1/2 for energy: total, per_atom, per_sqrt_atom. The objective of
// the MACE paper (appendix A.5) is mse, total, 1 : 1000.
struct TaskOptions {
  std::string kind = "energy_forces";
  std::string loss = "mse";  // mse | mae | huber
  double huber_delta = 0.01;
  std::string energy = "total";  // total | per_atom | per_sqrt_atom
  LossWeights weights;

  void fields(Fields& f);
};

struct OptimizerOptions {
  std::string kind = "amsgrad";  // adam | adamw | amsgrad
  double lr = 0.01;
  std::map<std::string, double> lr_factors = {};  // by a part of the weights' names
  std::vector<double> betas{0.9, 0.999};
  double epsilon = 1e-8;
  double weight_decay = 5e-7;  // of the parameters that MACE decays

  void fields(Fields& f);
};

struct ScheduleOptions {
  std::string kind = "plateau";  // plateau | cosine | exponential | constant
  int64_t warmup_steps = 0;
  int64_t patience = 50;  // plateau: validations without improvement
  double factor = 0.8;    // plateau: lr is multiplied by this
  double hold = 0;        // cosine: share of the stage before the rate falls
  double gamma = 0.999;   // exponential: per epoch
  double min_lr = 0;

  void fields(Fields& f);
};

struct StageTwoOptions {
  std::optional<int64_t> start_epoch;
  double start_fraction = 0.75;  // of the epochs; start_epoch is stronger
  double lr = 0.001;
  LossWeights weights{1000, 100, 10};

  void fields(Fields& f);
};

struct TrainOptions {
  int64_t epochs = 200;
  std::optional<int64_t> max_steps;
  int64_t batch_size = 5;
  std::optional<int64_t> max_edges;         // batches by edge budget instead of by frames
  std::optional<int64_t> valid_batch_size;  // absent: batch_size
  OptimizerOptions optimizer;
  double ema = 0.99;  // 0: none
  ScheduleOptions schedule;
  double clip = 10;                 // largest norm of the gradient; 0: no limit
  std::optional<int64_t> patience;  // stop after so many validations without a new best
  std::optional<StageTwoOptions> stage_two;
  int64_t valid_every = 1;  // epochs
  int64_t save_every_epochs = 1;
  std::optional<int64_t> save_every_steps;
  int64_t keep = 2;                // checkpoints kept
  std::optional<double> max_time;  // seconds; then save and stop with exit code 75
  bool report = true;              // write report.html at the end

  void fields(Fields& f);
};

struct StepOptions {
  std::string device = "cpu";
  int64_t threads = 0;         // 0: all
  std::string graph = "auto";  // auto | require | off

  Device device_kind() const { return device == "cuda" ? Device::cuda : Device::cpu; }
  void fields(Fields& f);
};

struct RunOptions {
  int64_t seed = 1;
  DataOptions data;
  ModelOptions model;
  TaskOptions task;
  TrainOptions train;
  StepOptions step;

  void fields(Fields& f);
};

// Reads all six sections, checks what depends on several keys, and reports every unknown key.
RunOptions read_options(const Config& config);

// DeviceError (exit 69) when the device was not built in or is not there. Sets the threads.
void prepare_device(const StepOptions& options);

}  // namespace casimir
