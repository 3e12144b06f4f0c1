// model.radial: table against model.radial: network, for MACE and NequIP.
#include "equivariant/radial_table.h"

#include <doctest/doctest.h>

#include <cmath>

#include "core/parallel.h"
#include "equivariant/radial.h"
#include "tests/random_models.h"

using namespace casimir;

namespace {

ModelOptions with_table(ModelOptions options, int64_t knots) {
  options.mace.radial = options.nequip.radial = "table";
  options.mace.radial_knots = options.nequip.radial_knots = knots;
  return options;
}

std::vector<ModelOptions> small_options(const std::string& dtype = "float64") {
  return {mace_options("4x0e+4x1o", dtype), nequip_options("natural", dtype),
          nequip_options("all options", dtype)};
}

// Energies, forces and stresses of all structures.
std::vector<double> all_of(const std::vector<FramePrediction>& predictions) {
  std::vector<double> values;
  for (const FramePrediction& p : predictions) {
    values.push_back(p.energy);
    for (const Vec3& f : p.forces) values.insert(values.end(), f.begin(), f.end());
    if (p.stress) values.insert(values.end(), p.stress->begin(), p.stress->end());
  }
  return values;
}

// Of forces and interaction energies, over the largest force component of the network's.
double distance(const Model& network, const Model& table) {
  const Prepared p = labelled(network);
  const std::vector<double> a = all_of(predict_batch(network, p.batch, {.stress = true})),
                            b = all_of(predict_batch(table, p.batch, {.stress = true}));
  REQUIRE(a.size() == b.size());
  double largest_force = 0, difference = 0;
  for (const FramePrediction& f : predict_batch(network, p.batch))
    for (const Vec3& force : f.forces)
      for (double x : force) largest_force = std::max(largest_force, std::abs(x));
  for (size_t i = 0; i < a.size(); ++i) difference = std::max(difference, std::abs(a[i] - b[i]));
  return difference / largest_force;
}

// exp(-r^2) times the cutoff: even, as the Bessel functions are.
double bump(double r) {
  const double u = r / 4, u6 = std::pow(u, 6);
  return u < 1 ? std::exp(-r * r) * (1 - 28 * u6 + 48 * u6 * u - 21 * u6 * u * u) : 0;
}
// Of a table of that function: the values, and with order their derivatives, at lengths r.
std::vector<double> bumps(int64_t knots, const std::vector<double>& r, int order = 0) {
  Parameters store(DType::f64, 1);
  RadialMlp identity(store.root(), {1, 1});
  identity.weights = {Tensor::ones({1, 1}, DType::f64)};
  const RadialTable table(4, knots, DType::f64);
  std::vector<double> values(knots);
  for (int64_t k = 0; k < knots; ++k) values[k] = bump(table.lengths().array().data<double>()[k]);
  Tape tape;
  const auto pairs = static_cast<int64_t>(r.size());
  const Tensor lengths = tape.watch(Tensor::from(r, {pairs}));
  Tensor y =
      reshape(table(identity, Tensor::from(values, {knots, 1}), table.place(lengths)), {pairs});
  for (int k = 0; k < order; ++k) y = tape.grad({sum(y)}, {lengths}, {}, {.create_graph = true})[0];
  return y.array().to_vector<double>();
}

}  // namespace

TEST_CASE("radial table: it goes through the values at its knots") {
  const RadialTable table(4, 17, DType::f64);
  std::vector<double> knots = table.lengths().array().to_vector<double>();
  CHECK(knots.front() < 1e-4);
  CHECK(knots.back() == 4);
  knots.front() = 0;
  const std::vector<double> found = bumps(17, knots);
  for (size_t k = 0; k < knots.size(); ++k) CHECK(std::abs(found[k] - bump(knots[k])) < 1e-9);
}

TEST_CASE("radial table: the error falls with the fourth power of the distance of the knots") {
  std::vector<double> r;
  for (int i = 0; i < 1000; ++i) r.push_back(0.004 * i + 0.001);
  auto error = [&](int64_t knots) {
    const std::vector<double> found = bumps(knots, r);
    double largest = 0;
    for (size_t i = 0; i < r.size(); ++i)
      largest = std::max(largest, std::abs(found[i] - bump(r[i])));
    return largest;
  };
  const double coarse = error(65), fine = error(129);
  CHECK(coarse < 12 * 5.0 / 384 * std::pow(4.0 / 64, 4));  // the fourth derivative is 12 at r = 0
  CHECK(coarse / fine > 14);
  CHECK(coarse / fine < 18);
}

TEST_CASE("radial table: two continuous derivatives at a knot, and nothing from r_max on") {
  const double knot = 4.0 / 16 * 5, near = 1e-9;
  for (int order : {0, 1, 2}) {
    CAPTURE(order);
    const std::vector<double> sides = bumps(17, {knot - near, knot + near}, order);
    CHECK(std::abs(sides[1] - sides[0]) < 1e-7);
    const std::vector<double> end = bumps(257, {4 - near, 4, 4.5, 1e30}, order);
    CHECK(std::abs(end[0]) < 1e-8);
    for (int i : {1, 2, 3}) CHECK(end[i] == 0);
  }
  const std::vector<double> third = bumps(17, {knot - near, knot + near}, 3);
  CHECK(std::abs(third[1] - third[0]) > 1e-3);  // the test can tell
}

TEST_CASE("radial table: with 512 knots and the same weights the network's results to 1e-6") {
  for (const ModelOptions& options : small_options()) {
    CAPTURE(options.kind);
    const Model network = random_model(options);
    const double fine = distance(network, random_model(with_table(options, 512)));
    MESSAGE(options.kind, ": ", fine, " of the largest force");
    CHECK(fine < 1e-6);
    CHECK(fine > 1e-14);  // it is a table
  }
}

TEST_CASE("radial table: forces are -dE/dr and the virial is dE/dstrain to 1e-8") {
  for (const ModelOptions& options : small_options()) {
    CAPTURE(options.kind);
    const Model model = random_model(with_table(options, 64));
    CHECK(largest(check_derivatives(model, check_structures(small_elements, 2, 5), 1)) < 1e-8);
  }
}

TEST_CASE("radial table: symmetric, smooth at r_max, additive") {
  const std::vector<Frame> frames = check_structures(small_elements, 2, 9);
  for (const ModelOptions& options : small_options()) {
    CAPTURE(options.kind);
    const Model model = random_model(with_table(options, 256));
    CHECK(largest(check_symmetry(model, frames, 1)) < 1e-12);
    for (const CheckResult& r : check_smoothness(model)) CHECK(r.holds());
    for (const CheckResult& r : check_additivity(model, frames)) CHECK(r.holds());
  }
  for (const ModelOptions& options : small_options("float32")) {
    CAPTURE(options.kind);
    const Model model = random_model(with_table(options, 256));
    CHECK(largest(check_symmetry(model, frames, 1)) < 1e-5);
  }
}

TEST_CASE("radial table: the loss has the network's gradient, with the same bits for any threads") {
  constexpr LossWeights weights{1, 10, 5};
  for (const ModelOptions& options : small_options()) {
    CAPTURE(options.kind);
    const Model network = random_model(options), table = random_model(with_table(options, 512));
    const Prepared p = labelled(network);
    const std::vector<double> expected =
        loss_gradient(network, p.batch, {}, weights).flat.to_vector<double>();
    std::vector<double> found;
    for (int64_t threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      const std::vector<double> again =
          loss_gradient(table, p.batch, {}, weights).flat.to_vector<double>();
      if (found.empty()) found = again;
      CHECK(found == again);
    }
    set_num_threads(0);
    double size = 0, difference = 0;
    for (size_t i = 0; i < expected.size(); ++i) {
      size = std::max(size, std::abs(expected[i]));
      difference = std::max(difference, std::abs(found[i] - expected[i]));
    }
    CHECK(difference < 1e-5 * size);
  }
}

TEST_CASE("radial table: the model file keeps the option") {
  const Model model = random_model(with_table(mace_options("4x0e"), 48));
  const Model read = read_model(model_content(model), "m.safetensors");
  CHECK(read.options.mace.radial == "table");
  CHECK(read.options.mace.radial_knots == 48);
  CHECK(distance(model, read) == 0);
}
