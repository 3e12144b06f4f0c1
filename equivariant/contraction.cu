#include "equivariant/contraction_work.cuh"

namespace casimir::cuda {
namespace {

// Pieces of each output row's sum, so that few rows still keep the GPU busy.
int64_t pieces_of(const ContractionProgram& program, const DeviceProgram& device, int64_t rows,
                  int64_t targets) {
  int64_t units = device.places;  // scalar outputs: warps, eight to a block
  if (program.channel_output) {
    int64_t items = 1;
    for (const auto& part : program.parts)
      items = std::max<int64_t>(items, part.runs.size() * part.channels);
    units = ceil_div(items, block_threads) * 8;
  }
  const int64_t wanted = 8192 / std::max<int64_t>(1, units * targets);
  return std::clamp<int64_t>(wanted, 1, std::max<int64_t>(1, rows / targets / 32));
}

template <class T>
Source<T> source_of(const Operand& operand, const Array& x, const std::vector<Segments>& indices) {
  Source<T> source{x.data<T>(), operand.width, nullptr, operand.rows == Operand::Rows::shared};
  if (operand.rows == Operand::Rows::indexed)
    source.index = device_data("contract", indices[operand.index].device_index());
  return source;
}

template <class T>
void run(const Plan& plan, const std::vector<const Array*>& inputs,
         const std::vector<Segments>& indices, int64_t rows, Array& out) {
  const ContractionProgram& program = plan.program();
  const DeviceProgram& device = device_program(plan, out.dtype());
  check(program.scalar_inputs.size() <= max_scalars, "contract: at most ", max_scalars,
        " scalar inputs on cuda, found ", program.scalar_inputs.size());
  Work<T> work{};
  work.levels = static_cast<int>(program.channel_inputs.size());
  work.scalars = static_cast<int>(program.scalar_inputs.size());
  for (int i = 0; i < work.levels + work.scalars; ++i) {
    const int input =
        i < work.levels ? program.channel_inputs[i] : program.scalar_inputs[i - work.levels];
    work.sources[i] = source_of<T>(plan.operand(input), *inputs[input], indices);
  }
  work.coefficients = device.coefficients.data<T>();
  work.offsets = device.offsets.data<int32_t>();
  work.groups = reinterpret_cast<const int4*>(device.groups.raw());

  const Operand& output = plan.operand(plan.inputs());
  work.shared_output = output.rows == Operand::Rows::shared;
  if (output.rows == Operand::Rows::indexed) {
    const Segments& index = indices[output.index];
    work.target_offsets = device_data("contract", index.device_offsets());
    if (!index.sorted()) work.target_order = device_data("contract", index.device_order());
  }
  work.rows = rows, work.targets = out.shape()[0], work.width = output.width;
  work.pieces =
      output.rows == Operand::Rows::each ? 1 : pieces_of(program, device, rows, work.targets);
  Array partial;
  if (work.pieces > 1) partial = Array(Shape{work.pieces, out.size()}, out.dtype(), Device::cuda);
  Array& target = work.pieces > 1 ? partial : out;
  target.fill(0);
  work.out = target.data<T>();
  program.channel_output ? run_channels(device, work) : run_scalars(device, work);
  if (work.pieces == 1) return;
  const T* parts = work.out;
  T* to = out.data<T>();
  const int64_t size = out.size(), pieces = work.pieces;
  for_each("contract", size, [=] __device__(int64_t i) {
    T sum = parts[i];
    for (int64_t p = 1; p < pieces; ++p) sum += parts[p * size + i];
    to[i] = sum;
  });
}

}  // namespace

void contract(const Plan& plan, const std::vector<const Array*>& inputs,
              const std::vector<Segments>& indices, int64_t rows, Array& out) {
  if (out.size() == 0) return;
  if (rows == 0) return out.fill(0);
  visit_float("contract", out.dtype(),
              [&]<class T>(T) { run<T>(plan, inputs, indices, rows, out); });
}

}  // namespace casimir::cuda
