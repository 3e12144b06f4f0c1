// Training steps on the GPU, one ahead of the host, each bucket of batches as a captured graph.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/capture.h"
#include "trainers/optimizer.h"
#include "trainers/step.h"

namespace casimir {

// A step reads its batch and the optimizer's numbers from one block of device memory and leaves its
// outcome in another, so that the same work at the same addresses serves every batch of a bucket:
// all that the host looks at while it makes a step (sizes, whether indices are sorted, how many
// nodes each species has, the terms of the loss). The first step of a bucket runs as it is called,
// which also makes what is made once; the second is captured; later ones replay that graph.
class DeviceStep {
 public:
  struct Result {
    double loss, gradient_norm;  // not finite: the step changed nothing
  };

  // graph: auto | require | off. note() gets the line that says why there are no graphs.
  DeviceStep(const Model& model, Optimizer& optimizer, const TaskOptions& task, double clip,
             const std::string& graph, std::function<void(const std::string&)> note);

  // Forces, loss, gradients, clipping and the optimizer's step; at most two steps wait for their
  // finish(). With graph: require, a step that cannot be captured is a DeviceError.
  void start(const AtomsBatch& batch, const LossWeights& weights, double lr);
  Result finish();  // waits for the oldest step

  int64_t graphs() const;  // captured so far

 private:
  struct Bucket {
    Array block;
    int64_t steps = 0;
    std::unique_ptr<CapturedWork> graph;
  };
  struct Slot {  // of one of the two steps on their way
    std::unique_ptr<PinnedBuffer> inputs, outcome;
  };
  static constexpr size_t most_buckets = 64;  // further ones run as they are called

  Bucket& bucket_for(const StepInputs& inputs, int64_t bytes);
  void run(Bucket& bucket, const std::function<void()>& work);

  const Model& model_;
  Optimizer& optimizer_;
  const TaskOptions task_;
  const double clip_;
  const std::string graph_;
  const std::function<void(const std::string&)> note_;
  bool capture_;
  Array outcome_;                 // u8, a StepOutcome
  std::shared_ptr<Pool> memory_;  // of all graphs, which run one after the other
  std::map<std::vector<int64_t>, Bucket> buckets_;
  Bucket passing_;  // one that is not kept
  std::array<Slot, 2> slots_;
  int64_t started_ = 0, finished_ = 0;
};

}  // namespace casimir
