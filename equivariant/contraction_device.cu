#include "equivariant/contraction_device.cuh"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>

namespace casimir::cuda {
namespace {

using Node = ContractionProgram::Node;

Array upload(const std::vector<int32_t>& values) {
  return Array::from(values).to(Device::cuda);
}
Array upload(const std::vector<double>& values, DType dtype) {
  return Array::from(values).cast(dtype).to(Device::cuda);
}
Array upload(const std::vector<Node>& nodes) {
  std::vector<int32_t> values;
  for (const Node& node : nodes)
    values.insert(values.end(), {node.offset, node.begin, node.end, 0});
  return upload(values);
}

// Runs, sorted by offset, dealt to passes in which no two blocks overlap.
std::vector<std::vector<Node>> separate(const std::vector<Node>& runs, int channels) {
  std::vector<std::vector<Node>> passes;
  for (const Node& run : runs) {
    auto fits = [&](const std::vector<Node>& pass) {
      return pass.back().offset + channels <= run.offset;
    };
    auto place = std::find_if(passes.begin(), passes.end(), fits);
    if (place == passes.end()) place = passes.insert(passes.end(), std::vector<Node>());
    place->push_back(run);
  }
  return passes;
}

DevicePart upload_part(const ContractionProgram::Part& part) {
  DevicePart device;
  device.channels = part.channels;
  device.first_leaf = part.first_leaf, device.leaves = part.leaves;
  for (const auto& level : part.levels) device.levels.push_back(upload(level));
  for (const auto& pass : separate(part.runs, part.channels)) device.passes.push_back(upload(pass));
  return device;
}

// Terms in the order given, grouped by key(term).
template <class Key>
void upload_terms(const ContractionProgram& program, const std::vector<int>& order, Key key,
                  DType dtype, DeviceProgram& device) {
  const size_t scalars = program.scalar_inputs.size();
  std::vector<double> coefficients;
  std::vector<int32_t> offsets;
  std::vector<Node> groups;
  for (size_t t = 0; t < order.size(); ++t) {
    const auto& term = program.scalar_terms[order[t]];
    const auto here = static_cast<int32_t>(t);
    coefficients.push_back(term.coefficient);
    for (size_t i = 0; i < scalars; ++i)
      offsets.push_back(program.scalar_offsets[order[t] * scalars + i]);
    if (groups.empty() || groups.back().offset != key(term))
      groups.push_back({key(term), here, here});
    groups.back().end = here + 1;
  }
  device.terms = static_cast<int>(order.size());
  device.coefficients = upload(coefficients, dtype);
  device.offsets = upload(offsets);
  device.groups = upload(groups);
  device.places = static_cast<int>(groups.size());
}

// Coefficients of the leaves, added up in the type of the arrays, as on the CPU.
template <class T>
Array leaf_constants(const ContractionProgram& program) {
  std::vector<T> sums(program.leaves, T(0));
  for (const auto& term : program.scalar_terms) sums[term.leaf] += static_cast<T>(term.coefficient);
  return Array::from(sums).to(Device::cuda);
}

// The offsets in the channel inputs of every leaf, by walking the trees: [leaves, levels].
struct LeafPaths {
  std::vector<int32_t> offsets, channels;
};
void walk(const ContractionProgram::Part& part, size_t level, const Node& node,
          std::vector<int32_t>& path, LeafPaths& paths) {
  path.push_back(node.offset);
  if (level + 1 == part.levels.size()) {
    paths.offsets.insert(paths.offsets.end(), path.begin(), path.end());
    paths.channels.push_back(part.channels);
  } else {
    for (int32_t n = node.begin; n < node.end; ++n)
      walk(part, level + 1, part.levels[level + 1][n], path, paths);
  }
  path.pop_back();
}
LeafPaths leaf_paths(const ContractionProgram& program) {
  LeafPaths paths;
  for (const auto& part : program.parts) {
    if (part.levels.empty()) paths.channels.insert(paths.channels.end(), part.leaves, 1);
    std::vector<int32_t> path;
    if (!part.levels.empty())
      for (const Node& node : part.levels[0]) walk(part, 0, node, path, paths);
  }
  return paths;
}

void upload_channels(const ContractionProgram& program, const std::vector<int>& order,
                     DeviceProgram& device) {
  const LeafPaths paths = leaf_paths(program);
  const size_t levels = program.channel_inputs.size();
  std::vector<int32_t> offsets, channels;
  for (int t : order) {
    const int32_t leaf = program.scalar_terms[t].leaf;
    offsets.insert(offsets.end(), paths.offsets.begin() + leaf * levels,
                   paths.offsets.begin() + (leaf + 1) * levels);
    channels.push_back(paths.channels[leaf]);
    device.widest = std::max(device.widest, channels.back());
  }
  device.channel_offsets = upload(offsets);
  device.channel_counts = upload(channels);
}

DeviceProgram upload_program(const ContractionProgram& program, DType dtype) {
  using Term = ContractionProgram::ScalarTerm;
  DeviceProgram device;
  std::vector<int> order(program.scalar_terms.size());
  std::iota(order.begin(), order.end(), 0);
  if (program.channel_output) {
    for (const auto& part : program.parts) device.parts.push_back(upload_part(part));
    upload_terms(
        program, order, [](const Term& t) { return t.leaf; }, dtype, device);
    if (program.scalar_inputs.empty())
      device.constants =
          dtype == DType::f64 ? leaf_constants<double>(program) : leaf_constants<float>(program);
    return device;
  }
  std::stable_sort(order.begin(), order.end(), [&](int a, int b) {
    return program.scalar_terms[a].out < program.scalar_terms[b].out;
  });
  upload_terms(
      program, order, [](const Term& t) { return t.out; }, dtype, device);
  upload_channels(program, order, device);
  return device;
}

}  // namespace

const DeviceProgram& device_program(const Plan& plan, DType dtype) {
  struct Entry {
    Plan plan;
    std::unique_ptr<DeviceProgram> program;
  };
  using Key = std::pair<const ContractionProgram*, DType>;
  // Never destroyed: its buffers belong to the GPU, which may be gone by then.
  static auto* mutex = new std::mutex;
  static auto* known = new std::map<Key, Entry>;
  const ContractionProgram& program = plan.program();
  std::lock_guard lock(*mutex);
  Entry& entry = (*known)[{&program, dtype}];
  if (!entry.program) {
    entry.program = std::make_unique<DeviceProgram>(upload_program(program, dtype));
    entry.plan = plan;
  }
  return *entry.program;
}

}  // namespace casimir::cuda
