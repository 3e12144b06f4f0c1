#include "trainers/options.h"

#include <cmath>

#include "core/parallel.h"
#include "trainers/registry.h"

namespace casimir {

namespace {

template <class Row>
std::vector<std::string> names_of(const std::vector<Row>& rows) {
  std::vector<std::string> names;
  for (const Row& row : rows) names.push_back(row.name);
  return names;
}

Rule at_least(double low, std::string text) {
  Rule rule;
  rule.text = std::move(text);
  rule.low = low;
  return rule;
}

Rule count() {
  return at_least(1, "a number of at least 1");
}

}  // namespace

void DataOptions::fields(Fields& f) {
  f("kind", kind, "format of the files", one_of(names_of(datasets())));
  f("train", train, "training files", required());
  f("valid", valid, "validation files; none: a part of the training frames");
  f("index", index, "which training frames, as a slice: ':', '0:450', '::2', '-50:'");
  f("valid_fraction", valid_fraction, "share of the training frames split off; 0: no validation",
    between(0, 0.99));
  f("valid_count", valid_count, "the same as a number of frames; stronger", non_negative());
  f("energy_key", energy_key, "name of the energy (eV)");
  f("forces_key", forces_key, "name of the forces (eV/A)");
  f("stress_key", stress_key, "name of the stress (eV/A^3, positive = tension)");
  f("virial_key", virial_key, "name of the virial (eV; stress = -virial / volume)");
  f("config_type_key", config_type_key, "name of the kind of a frame");
  f("config_type_weights", config_type_weights, "weight of the frames of a kind: {surface: 2}");
  f("E0s", E0s, "energies of the isolated atoms", one_of({"isolated", "least_squares", "given"}));
  f("isolated_atoms", isolated_atoms,
    "E0s isolated: file of single atoms; none: the single atoms in the training files");
  f("E0_values", E0_values, "E0s given: eV per atom: {H: -13.6, O: -2042.0}");
  f("source", source, "where the files are to be had; repeated when one is missing");
  if (!f.reading()) return;
  if (E0s == "given" && E0_values.empty())
    f.reject("E0_values", "expected {element: eV, ...} with E0s: given, found nothing");
  for (const auto& [type, weight] : config_type_weights)
    if (!(weight >= 0))
      f.reject("config_type_weights",
               concat_text("expected weights of at least 0, found ", weight, " for '", type, "'"));
}

void ModelOptions::fields(Fields& f) {
  f("kind", kind, "kind of potential", one_of(names_of(models())));
  f("dtype", dtype, "type of the weights and of the arithmetic", one_of({"float32", "float64"}));
  f("elements", elements, "chemical symbols; none: those of the data");
  f("avg_num_neighbors", avg_num_neighbors, "divides the messages; absent: mean of the data",
    positive());
  f("scale", scale, "scale of the interaction energy, eV; absent: RMS force component", positive());
  f("shift", shift, "energy added per atom, eV; absent: mean of (E - sum of E0) / atoms");
  if (kind == "nequip")
    nequip.fields(f);
  else
    mace.fields(f);
}

void LossWeights::fields(Fields& f) {
  f("energy", energy, "weight of the energies", non_negative());
  f("forces", forces, "weight of the forces", non_negative());
  f("stress", stress, "weight of the stress", non_negative());
  if (f.reading() && energy == 0 && forces == 0 && stress == 0)
    f.reject("energy", "expected at least one weight above 0, found none");
}

void TaskOptions::fields(Fields& f) {
  f("kind", kind, "what is learned", one_of(names_of(tasks())));
  f("loss", loss, "of each difference x: x^2, |x|, or Huber's", one_of({"mse", "mae", "huber"}));
  f("huber_delta", huber_delta, "where Huber's loss turns from square to linear", positive());
  f("energy", energy, "energy differences divided by 1, N or sqrt(N) atoms",
    one_of({"total", "per_atom", "per_sqrt_atom"}));
  f("weights", weights, "of the terms of the loss");
}

void OptimizerOptions::fields(Fields& f) {
  f("kind", kind, "update rule", one_of({"adam", "adamw", "amsgrad"}));
  f("lr", lr, "initial learning rate", positive());
  f("lr_factors", lr_factors,
    "times this for the weights with such a part in their name: {contraction: 0.1}");
  f("betas", betas, "decay of the first and second moments: two numbers in [0, 1)");
  f("epsilon", epsilon, "added to the root of the second moment", positive());
  f("weight_decay", weight_decay,
    "of the weights that MACE decays: linear maps of the messages "
    "and symmetric contractions",
    non_negative());
  for (const auto& [part, factor] : lr_factors)
    if (!(factor >= 0) || std::isinf(factor))
      f.reject("lr_factors", concat_text("expected finite factors of at least 0, found ", factor,
                                         " for '", part, "'"));
  bool ok = betas.size() == 2;
  for (double beta : betas) ok = ok && beta >= 0 && beta < 1;
  if (f.reading() && !ok)
    f.reject("betas", concat_text("expected two numbers in [0, 1), found ", betas.size(),
                                  betas.size() == 2 ? " with one outside" : " numbers"));
}

void ScheduleOptions::fields(Fields& f) {
  f("kind", kind, "how the learning rate falls",
    one_of({"plateau", "cosine", "exponential", "constant"}));
  f("warmup_steps", warmup_steps, "steps over which the rate rises from 0", non_negative());
  f("patience", patience, "plateau: validations without improvement before the rate is cut",
    non_negative());
  f("factor", factor, "plateau: the rate is multiplied by this", between(0.001, 1));
  f("hold", hold, "cosine: share of the stage before the rate begins to fall", between(0, 0.999));
  f("gamma", gamma, "exponential: the rate is multiplied by this every epoch", between(0.001, 1));
  f("min_lr", min_lr, "the rate never falls below", non_negative());
  const ScheduleOptions usual;
  auto only = [&](const char* key, bool changed, const char* of) {
    if (f.reading() && changed && kind != of)
      f.reject(key, concat_text("only kind: ", of, " has it, found kind: ", kind));
  };
  only("patience", patience != usual.patience, "plateau");
  only("factor", factor != usual.factor, "plateau");
  only("hold", hold != usual.hold, "cosine");
  only("gamma", gamma != usual.gamma, "exponential");
}

void StageTwoOptions::fields(Fields& f) {
  f("start_epoch", start_epoch, "first epoch of the second stage, from 0; absent: start_fraction",
    non_negative());
  f("start_fraction", start_fraction, "the same as a share of the epochs", between(0, 1));
  f("lr", lr, "learning rate of the second stage", positive());
  f("weights", weights, "of the terms of the loss in the second stage");
}

void TrainOptions::fields(Fields& f) {
  f("epochs", epochs, "passes over the training frames", count());
  f("max_steps", max_steps, "at most so many optimisation steps", count());
  f("batch_size", batch_size, "frames of a batch", count());
  f("max_edges", max_edges, "edges of a batch, instead of batch_size", count());
  f("valid_batch_size", valid_batch_size, "frames of a validation batch; absent: batch_size",
    count());
  f("optimizer", optimizer, "how the weights follow the gradient");
  f("ema", ema, "decay of the averaged weights that are validated and saved; 0: none",
    between(0, 0.999999));
  f("schedule", schedule, "the learning rate over time");
  f("clip", clip, "largest norm of the gradient; 0: no limit", non_negative());
  f("patience", patience, "stop after so many validations without a new best; absent: never",
    count());
  f("stage_two", stage_two, "a second stage with other weights of the loss");
  f("valid_every", valid_every, "epochs between validations", count());
  f("save_every_epochs", save_every_epochs, "epochs between checkpoints", count());
  f("save_every_steps", save_every_steps, "steps between checkpoints within an epoch", count());
  f("keep", keep, "how many of the newest checkpoints are kept", count());
  f("max_time", max_time, "seconds; then save and stop with exit code 75", positive());
  f("report", report, "write report.html into the folder of the run at the end");
}

void StepOptions::fields(Fields& f) {
  f("device", device, "where the arithmetic is done", one_of({"cpu", "cuda"}));
  f("threads", threads, "threads of the CPU; 0: all", non_negative());
  f("graph", graph, "cuda: steps as captured graphs; auto: where that works; require: or an error",
    one_of({"auto", "require", "off"}));
  if (f.reading() && graph == "require" && device == "cpu")
    f.reject("graph",
             "expected auto or off with device: cpu, which has no graphs, found 'require'");
}

void RunOptions::fields(Fields& f) {
  f("seed", seed, "decides initial weights, split and order of the frames", non_negative());
  f("data", data, "the frames to learn from");
  f("model", model, "the potential");
  f("task", task, "the loss");
  f("train", train, "the training");
  f("step", step, "the machine");
}

RunOptions read_options(const Config& config) {
  RunOptions options = config.read<RunOptions>();
  config.check_all_read();
  return options;
}

void prepare_device(const StepOptions& options) {
  if (options.device_kind() == Device::cuda) {
    check<DeviceError>(cuda_built,
                       "step.device: cuda was asked for, this program was built without "
                       "it (CASIMIR_CUDA=OFF)");
    check<DeviceError>(cuda_available(), "step.device: cuda was asked for, no GPU was found");
  }
  set_num_threads(static_cast<int>(options.threads));
}

}  // namespace casimir
