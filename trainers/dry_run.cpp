#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "core/memory.h"
#include "core/parallel.h"
#include "datasets/loader.h"
#include "trainers/optimizer.h"
#include "trainers/run_folder.h"
#include "trainers/run_log.h"
#include "trainers/step.h"
#include "trainers/trainer.h"

namespace casimir {

namespace {

double mebibytes(int64_t bytes) {
  return static_cast<double>(bytes) / (1024 * 1024);
}

// The batches of the first epoch by number of edges: the largest decides the memory, the middle one
// the time.
std::vector<std::vector<int64_t>> sorted_batches(const std::vector<Sample>& samples,
                                                 const BatchOptions& options) {
  std::vector<std::vector<int64_t>> batches = plan_batches(samples, options, 0);
  auto edges = [&](const std::vector<int64_t>& batch) {
    int64_t sum = 0;
    for (int64_t i : batch) sum += samples[i].edges();
    return sum;
  };
  std::stable_sort(batches.begin(), batches.end(),
                   [&](const auto& a, const auto& b) { return edges(a) < edges(b); });
  return batches;
}

// Seconds of one optimisation step.
double time_step(Model& model, Optimizer& optimizer, const AtomsBatch& batch,
                 const RunOptions& options) {
  auto start = std::chrono::steady_clock::now();
  Gradient gradient = loss_gradient(model, batch, options.task, options.task.weights);
  optimizer.step(*model.parameters, gradient.flat, options.train.optimizer.lr);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int dry_run(const RunOptions& options) {
  prepare_device(options.step);
  Data data = load_data(options);
  std::fputs(data.table.c_str(), stdout);
  Model model = make_model(options.model, data.constants, static_cast<uint64_t>(options.seed),
                           options.step.device_kind());
  Optimizer optimizer(*model.parameters, options.train.optimizer, options.train.ema);
  BatchOptions batches;
  batches.batch_size = options.train.batch_size;
  batches.max_edges = options.train.max_edges.value_or(0);
  batches.seed = static_cast<uint64_t>(options.seed);
  std::vector<std::vector<int64_t>> sorted = sorted_batches(data.train, batches);

  AtomsBatch largest = make_batch(data.train, sorted.back());
  AtomsBatch middle = make_batch(data.train, sorted[sorted.size() / 2]);
  time_step(model, optimizer, largest, options);
  double seconds = time_step(model, optimizer, middle, options);
  for (int i = 0; i < 2; ++i)
    seconds = std::min(seconds, time_step(model, optimizer, middle, options));

  int64_t per_epoch = static_cast<int64_t>(sorted.size());
  int64_t steps = per_epoch * options.train.epochs;
  if (options.train.max_steps) steps = std::min(steps, *options.train.max_steps);
  std::string text =
      fmt::format("model {} {}  {} parameters in {}\n", options.model.kind,
                  options.model.hidden_irreps(), model.parameters->size(), options.model.dtype);
  text +=
      fmt::format("device {}  threads {}  {}\n", options.step.device, num_threads(), cpu_name());
  text += fmt::format("largest batch: {} frames, {} atoms, {} edges\n", largest.graphs,
                      largest.nodes, largest.edges);
  text += fmt::format("memory at most {:.0f} MiB\n", mebibytes(memory_statistics().peak));
  text += fmt::format("{} epochs of {} steps: {} steps of {:.1f} ms, about {} and validation\n",
                      options.train.epochs, per_epoch, steps, 1000 * seconds,
                      duration(seconds * static_cast<double>(steps)));
  text += "dry run: nothing written\n";
  std::fputs(text.c_str(), stdout);
  return 0;
}

}  // namespace casimir
