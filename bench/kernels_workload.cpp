// The dearest operations of MACE by themselves, on pseudo-random inputs: value; value and gradient;
// value, gradient and that gradient's own gradient, as a training on forces asks for. The
// cotangents are pseudo-random inputs too. bench/peers/kernels.py does the same work with e3nn and
// mace-torch.
#include <memory>

#include "bench/workload.h"
#include "equivariant/layers.h"
#include "equivariant/spherical_harmonics.h"

namespace casimir {

namespace {

// The batch of five 3BPA molecules.
constexpr int64_t channels = 128, nodes = 135, edges = 2242, elements = 4;

const Irreps hidden = Irreps::parse("128x0e + 128x1o + 128x2e");

enum class Order { value, gradient, double_gradient };

Segments neighbors_of_molecules(bool senders) {
  std::vector<int32_t> index(edges);
  const Input random("sender");
  constexpr int64_t atoms = 27;
  for (int64_t e = 0; e < edges; ++e) {
    const int64_t receiver = e * nodes / edges, molecule = receiver / atoms;
    const auto place = static_cast<int64_t>(1e6 * (random[e] + 2)) % atoms;
    index[e] = static_cast<int32_t>(senders ? atoms * molecule + place : receiver);
  }
  return Segments(std::move(index), nodes);
}

Segments one_to_one(int64_t rows) {
  std::vector<int32_t> index(rows);
  for (int64_t i = 0; i < rows; ++i) index[i] = static_cast<int32_t>(i);
  return Segments(std::move(index), rows);
}

// The tensor product of MACE's second layer, 17 paths, with weights per edge, summed by receiver.
Workload convolution_workload(Order order) {
  const Irreps harmonics = Irreps::spherical_harmonics(3);
  auto convolution = std::make_shared<Convolution>(
      hidden, harmonics, Irreps::parse("128x0e + 128x1o + 128x2e + 128x3o"));
  const Tensor x = Input("x").tensor({nodes, hidden.dim()}, DType::f32);
  const Tensor y = Input("y").tensor({edges, harmonics.dim()}, DType::f32);
  const Tensor w = Input("w").tensor({edges, convolution->weight_numel}, DType::f32);
  const Tensor seed = Input("seed").tensor({nodes, convolution->irreps_out.dim()}, DType::f32);
  const Tensors seeds{Input("seed_x").tensor(x.shape(), DType::f32),
                      Input("seed_y").tensor(y.shape(), DType::f32),
                      Input("seed_w").tensor(w.shape(), DType::f32)};
  const Segments sender = neighbors_of_molecules(true), receiver = neighbors_of_molecules(false);
  const Segments edge = one_to_one(edges);
  return tensor_workload([=]() -> Tensors {
    if (order == Order::value) return {(*convolution)(x, y, w, sender, receiver, edge)};
    Tape tape;
    const Tensors inputs{tape.watch(x), tape.watch(y), tape.watch(w)};
    const Tensor z = (*convolution)(inputs[0], inputs[1], inputs[2], sender, receiver, edge);
    const bool twice = order == Order::double_gradient;
    const Tensors gradient = tape.grad({z}, inputs, {seed}, {.create_graph = twice});
    return twice ? tape.grad(gradient, inputs, seeds) : gradient;
  });
}

// The parameters by name, divided by their number of paths.
void fill(const Parameters& parameters) {
  for (const Parameters::Entry& entry : parameters.entries()) {
    const Shape& shape = entry.tensor.shape();
    Array values = Input(entry.name).tensor(shape, DType::f64).array();
    for (int64_t i = 0; i < shape.size(); ++i)
      values.data<double>()[i] /= static_cast<double>(shape[1]);
    Array target = entry.tensor.array();  // shares the buffer
    target.copy_from(values.cast(parameters.dtype()));
  }
}

// MACE's symmetric contraction to L = 0, 1, 2 with its weights. Here the second gradient is of x's
// gradient alone, as of forces.
Workload contraction_workload(Order order) {
  struct Layer {
    Parameters parameters{DType::f32, 1};
    SymmetricContraction contraction{parameters.root(), 3, channels, hidden, 3, elements};
  };
  auto layer = std::make_shared<Layer>();
  fill(layer->parameters);
  const Tensor x = Input("x").tensor({nodes, 16 * channels}, DType::f32);
  const Tensor seed = Input("seed").tensor({nodes, hidden.dim()}, DType::f32);
  const Tensor seed_x = Input("seed_x").tensor(x.shape(), DType::f32);
  std::vector<int32_t> kinds(nodes);
  for (int64_t n = 0; n < nodes; ++n) kinds[n] = static_cast<int32_t>(n % elements);
  const Segments species(std::move(kinds), elements);
  return tensor_workload([=]() -> Tensors {
    if (order == Order::value) return {layer->contraction(x, species)};
    Tape tape;
    layer->parameters.watch(tape);
    Tensors inputs = layer->parameters.all();
    const Tensor watched = tape.watch(x);
    inputs.insert(inputs.begin(), watched);
    const Tensor z = layer->contraction(watched, species);
    if (order == Order::gradient) return tape.grad({z}, inputs, {seed});
    const Tensors gradient = tape.grad({z}, {watched}, {seed}, {.create_graph = true});
    return tape.grad(gradient, inputs, {seed_x});
  });
}

// To l = 3, of 100 000 edge vectors, normalised.
Workload harmonics_workload(Order order) {
  constexpr int64_t rows = 100000;
  const Tensor vectors = Input("vectors").tensor({rows, 3}, DType::f32);
  const Tensor seed = Input("seed").tensor({rows, 16}, DType::f32);
  return tensor_workload([=]() -> Tensors {
    if (order == Order::value) return {spherical_harmonics(vectors, 3)};
    Tape tape;
    const Tensor watched = tape.watch(vectors);
    return tape.grad({spherical_harmonics(watched, 3)}, {watched}, {seed});
  });
}

template <class Make>
Row row_of(const std::string& name, double gflop, Make make, Order order) {
  return {name, DType::f32, gflop, [=](const WorkloadOptions&) { return make(order); }};
}

}  // namespace

// GFLOP: products of the sparse couplings, forward, backward (adjoints of all inputs), tangent and
// second adjoint.
std::vector<Row> kernel_rows() {
  return {
      row_of("convolution", 0.125, convolution_workload, Order::value),
      row_of("convolution_gradient", 0.423, convolution_workload, Order::gradient),
      row_of("convolution_double", 1.21, convolution_workload, Order::double_gradient),
      row_of("contraction", 0.044, contraction_workload, Order::value),
      row_of("contraction_gradient", 0.139, contraction_workload, Order::gradient),
      row_of("contraction_double", 0.536, contraction_workload, Order::double_gradient),
      row_of("harmonics", 0, harmonics_workload, Order::value),
      row_of("harmonics_gradient", 0, harmonics_workload, Order::gradient),
  };
}

}  // namespace casimir
