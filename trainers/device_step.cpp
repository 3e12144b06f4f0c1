#include "trainers/device_step.h"

#include <algorithm>
#include <cstring>

namespace casimir {

namespace {

constexpr int64_t alignment = 256;  // bytes, of an array in a block; as cudaMalloc gives

// f(tensor) and g(segments) for all that a step reads of its batch, in a fixed order.
template <class F, class G>
void for_parts(StepInputs& inputs, F&& f, G&& g) {
  Graph& graph = inputs.graph;
  LossTargets& targets = inputs.targets;
  for (Tensor* tensor : {&graph.edge_vectors, &graph.volumes, &targets.energy_factor})
    if (tensor->defined()) f(*tensor);
  for (LossTerm* term : {&targets.energy, &targets.forces, &targets.stress})
    for (Tensor* tensor : {&term->target, &term->weight, &term->share})
      if (tensor->defined()) f(*tensor);
  for (Segments* segments : {&graph.sender, &graph.receiver, &graph.pair, &graph.pair_edge,
                             &graph.species, &graph.node_graph, &graph.edge_graph})
    g(*segments);
}

Array host_array(std::span<const int32_t> values) {
  return Array::from(values, {static_cast<int64_t>(values.size())});
}

std::vector<Array> arrays_of(StepInputs& inputs) {
  std::vector<Array> arrays;
  for_parts(
      inputs, [&](const Tensor& tensor) { arrays.push_back(tensor.array()); },
      [&](const Segments& segments) {
        for (auto part : {segments.index(), segments.order(), segments.offsets()})
          arrays.push_back(host_array(part));
      });
  return arrays;
}

// Where each array begins in a block, in bytes, and the end of all.
std::vector<int64_t> places_of(const std::vector<Array>& arrays) {
  std::vector<int64_t> places{0};
  for (const Array& array : arrays)
    places.push_back(places.back() + (array.bytes() + alignment - 1) / alignment * alignment);
  return places;
}

// The inputs as they lie in the block.
StepInputs placed(StepInputs inputs, const std::vector<Array>& arrays,
                  const std::vector<int64_t>& places, const Array& block) {
  size_t next = 0;
  auto take = [&] {
    const size_t i = next++;
    return block.view(places[i], arrays[i].shape(), arrays[i].dtype());
  };
  for_parts(
      inputs, [&](Tensor& tensor) { tensor = Tensor(take()); },
      [&](Segments& segments) {
        Array index = take(), order = take(), offsets = take();
        segments = segments.with_device(index, order, offsets);
      });
  return inputs;
}

// All that the host looks at while it makes a step; see DeviceStep.
std::vector<int64_t> key_of(StepInputs& inputs) {
  const Graph& graph = inputs.graph;
  std::vector<int64_t> key{graph.nodes, graph.edges, graph.graphs};
  for (const LossTerm* term :
       {&inputs.targets.energy, &inputs.targets.forces, &inputs.targets.stress})
    key.push_back(term->target.defined());
  for_parts(
      inputs, [](const Tensor&) {},
      [&](const Segments& segments) {
        key.insert(key.end(), {segments.size(), segments.targets(), segments.sorted()});
      });
  const auto species = graph.species.offsets();
  key.insert(key.end(), species.begin(), species.end());
  return key;
}

}  // namespace

DeviceStep::DeviceStep(const Model& model, Optimizer& optimizer, const TaskOptions& task,
                       double clip, const std::string& graph,
                       std::function<void(const std::string&)> note)
    : model_(model),
      optimizer_(optimizer),
      task_(task),
      clip_(clip),
      graph_(graph),
      note_(std::move(note)),
      capture_(graph != "off"),
      outcome_(Shape{static_cast<int64_t>(sizeof(StepOutcome))}, DType::u8, Device::cuda),
      memory_(private_pool(Device::cuda)) {
  outcome_.fill(0);  // the kernels write its members, not what lies between them
  for (Slot& slot : slots_) slot.outcome = std::make_unique<PinnedBuffer>(sizeof(StepOutcome));
}

DeviceStep::Bucket& DeviceStep::bucket_for(const StepInputs& inputs, int64_t bytes) {
  StepInputs parts = inputs;
  const std::vector<int64_t> key = key_of(parts);
  auto found = buckets_.find(key);
  if (found != buckets_.end()) return found->second;
  Bucket& bucket = buckets_.size() < most_buckets ? buckets_[key] : passing_;
  bucket.block = Array(Shape{bytes}, DType::u8, Device::cuda);
  bucket.steps = 0;
  return bucket;
}

void DeviceStep::start(const AtomsBatch& batch, const LossWeights& weights, double lr) {
  check<Error>(started_ - finished_ < 2, "step: two steps are on their way");
  StepInputs host = step_inputs(model_, batch, task_, weights, Device::cpu);
  const Update<double> update = optimizer_.begin_step(lr);
  std::vector<Array> arrays = arrays_of(host);
  arrays.emplace_back(Shape{static_cast<int64_t>(sizeof update)}, DType::u8);
  std::memcpy(arrays.back().raw(), &update, sizeof update);
  const std::vector<int64_t> places = places_of(arrays);

  Slot& slot = slots_[started_ % 2];  // free: its step was waited for
  const auto bytes = static_cast<size_t>(places.back());
  if (!slot.inputs || slot.inputs->bytes() < bytes)
    slot.inputs = std::make_unique<PinnedBuffer>(bytes);
  for (size_t i = 0; i < arrays.size(); ++i)
    std::memcpy(static_cast<char*>(slot.inputs->data()) + places[i], arrays[i].raw(),
                arrays[i].bytes());
  Bucket& bucket = bucket_for(host, places.back());
  slot.inputs->send(bucket.block);

  run(bucket, [&] {
    const StepInputs inputs = placed(host, arrays, places, bucket.block);
    const Array numbers =
        bucket.block.view(places[arrays.size() - 1], arrays.back().shape(), DType::u8);
    LossAndGradient found = loss_and_gradient(model_, inputs, task_, weights);
    judge_step(found.loss.array(), found.flat, clip_, outcome_);
    optimizer_.apply(*model_.parameters, found.flat, numbers, outcome_);
  });
  slot.outcome->receive(outcome_);
  ++started_;
}

void DeviceStep::run(Bucket& bucket, const std::function<void()>& work) {
  const bool first = bucket.steps++ == 0;
  if (!bucket.graph && capture_ && !first) {
    try {
      bucket.graph = std::make_unique<CapturedWork>(memory_, work);
    } catch (const DeviceError& error) {
      const std::string why = concat_text("a step could not be captured: ", error.what());
      if (graph_ == "require") fail<DeviceError>("step.graph: require: ", why);
      note_("step.graph: " + why + "; steps run without graphs from here on");
      capture_ = false;
    }
  }
  bucket.graph ? bucket.graph->run() : work();
}

DeviceStep::Result DeviceStep::finish() {
  check<Error>(finished_ < started_, "step: none is on its way");
  PinnedBuffer& from = *slots_[finished_++ % 2].outcome;
  from.wait();
  StepOutcome outcome;
  std::memcpy(&outcome, from.data(), sizeof outcome);
  return {outcome.loss, outcome.norm};
}

int64_t DeviceStep::graphs() const {
  return std::count_if(buckets_.begin(), buckets_.end(),
                       [](const auto& entry) { return entry.second.graph != nullptr; });
}

}  // namespace casimir
