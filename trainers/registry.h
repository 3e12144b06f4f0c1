// The three tables: what a `kind` may be. Explicit rows, because the list is documentation and a
// linker drops unreferenced objects of a static library.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "datasets/batch.h"
#include "trainers/options.h"
#include "trainers/tasks.h"

namespace casimir {

struct ModelRow {
  const char* name;
  const char* meaning;
  std::unique_ptr<Potential> (*make)(Parameters::Scope scope, const ModelOptions& options,
                                     const MaceConstants& constants);
};
struct DatasetRow {
  const char* name;
  const char* meaning;
  std::vector<Frame> (*read)(const std::string& path, const DataOptions& options,
                             const std::string& index);
};
struct TaskRow {
  const char* name;
  const char* meaning;
  PredictOptions (*needed)(const LossWeights& weights);
  LossTargets (*targets)(const AtomsBatch& batch, const std::vector<double>& references,
                         const TaskOptions& task, const LossWeights& weights, DType dtype,
                         Device device);
  Tensor (*loss)(const Prediction& prediction, const LossTargets& targets, const Tensor& volumes,
                 const TaskOptions& task);
};

const std::vector<ModelRow>& models();
const std::vector<DatasetRow>& datasets();
const std::vector<TaskRow>& tasks();

// The row of that name; a ConfigError that lists the names (and the nearest) when there is none.
const ModelRow& find_model(const std::string& name);
const DatasetRow& find_dataset(const std::string& name);
const TaskRow& find_task(const std::string& name);

}  // namespace casimir
