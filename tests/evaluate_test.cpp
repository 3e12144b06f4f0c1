// Predictions of frames, their errors as tables, and the checks of a potential: each has to find a
// potential that breaks just its property.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

#include "datasets/extxyz.h"
#include "datasets/silicon.h"
#include "tests/temporary_folder.h"
#include "trainers/check.h"
#include "trainers/check_structures.h"
#include "trainers/evaluate.h"
#include "trainers/table.h"

using namespace casimir;

namespace {

Model small_model(std::vector<int> elements = {14}) {
  ModelOptions options;
  options.dtype = "float64";
  options.mace.r_max = 4;
  options.mace.hidden_irreps = "4x0e+4x1o";
  options.mace.l_max = 2;
  options.mace.correlation = {2};
  options.mace.radial_mlp = {8};
  options.mace.readout_irreps = "4x0e";
  MaceConstants constants;
  constants.atomic_energies.assign(elements.size(), -100.5);
  constants.elements = std::move(elements);
  return make_model(options, constants, 1);
}

// Two crystals and, between them, a molecule.
std::vector<Frame> mixed_frames() {
  std::vector<Frame> frames = make_silicon({.frames = 2, .seed = 3, .repeat = {1, 1, 1}});
  Random random(1);
  frames.insert(frames.begin() + 1, random_molecule({14}, 5, random));
  frames[1].config_type = "molecule";
  for (Frame& frame : frames) frame.source = "a.xyz";
  return frames;
}

double largest_difference(const std::vector<FramePrediction>& a,
                          const std::vector<FramePrediction>& b) {
  double largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i].energy - b[i].energy));
    for (size_t k = 0; k < a[i].forces.size(); ++k)
      for (int c = 0; c < 3; ++c)
        largest = std::max(largest, std::abs(a[i].forces[k][c] - b[i].forces[k][c]));
  }
  return largest;
}

// A pair potential with switches for everything that may be wrong with it. (It sees edge vectors,
// not positions: what the check of translations guards is the neighbour list.)
class Pairs : public Potential {
 public:
  std::string fault;
  explicit Pairs(std::string name) : fault(std::move(name)) {}

  Tensor node_energies(const Graph& graph, const Tensor& vectors) const override {
    const double r_max = 4;
    Tensor length = sqrt(sum(square(vectors), {1}, true));
    // (1 - r / r_max)^3: its second derivative is 0 at r_max; (...)^2 has a step there.
    Tensor inside = relu(1.0 - length / r_max);
    Tensor each = pow(inside, fault == "curvature" ? 2 : fault == "slope" ? 1 : 4);
    if (fault == "value") each = each + 0.01;
    if (fault == "rotation") each = each * (1 + 0.1 * square(slice(vectors, 1, 0, 1)));
    if (fault == "gradient") each = each + 0.01 * detach(each);
    Tensor energies = reshape(segment_sum(each, graph.receiver), {graph.nodes});
    if (fault == "chirality") energies = energies + chirality(graph, vectors, inside);
    if (fault == "additivity") {  // the number of atoms of the structure as a factor
      Tensor ones = Tensor::ones({graph.nodes}, DType::f64);
      energies = energies * gather(segment_sum(ones, graph.node_graph), graph.node_graph);
    }
    if (fault == "permutation") {
      std::vector<double> ranks(graph.nodes);
      for (int64_t i = 0; i < graph.nodes; ++i) ranks[i] = 0.1 * static_cast<double>(i % 5);
      energies = energies * Tensor(Array::from(ranks));
    }
    if (fault == "nan") energies = energies * std::nan("");
    return energies;
  }
  double r_max() const override { return 4; }
  const std::vector<int>& elements() const override { return elements_; }
  const std::vector<double>& reference_energies() const override { return references_; }

 private:
  // det(a, b, c) of three sums over neighbours: invariant under rotation, odd under inversion.
  static Tensor chirality(const Graph& graph, const Tensor& vectors, const Tensor& inside) {
    Tensor a = segment_sum(vectors * pow(inside, 4), graph.receiver);
    Tensor b = segment_sum(vectors * pow(inside, 5), graph.receiver);
    Tensor c = segment_sum(vectors * pow(inside, 6), graph.receiver);
    auto part = [](const Tensor& x, int axis) { return slice(x, 1, axis, axis + 1); };
    Tensor total = Tensor::zeros({graph.nodes, 1}, DType::f64);
    for (int i = 0; i < 3; ++i) {
      int j = (i + 1) % 3, k = (i + 2) % 3;
      total = total + part(a, i) * (part(b, j) * part(c, k) - part(b, k) * part(c, j));
    }
    return reshape(total, {graph.nodes});
  }

  std::vector<int> elements_{6, 8};
  std::vector<double> references_{0, 0};
};

// "rotation forces, smooth at r_max slope": what does not hold.
std::string failures(const std::string& fault) {
  Model model;
  model.parameters = std::make_unique<Parameters>(DType::f64, 1);
  model.potential = std::make_unique<Pairs>(fault);
  std::vector<Frame> frames = check_structures({6, 8}, 2, 1);
  std::string names;
  auto collect = [&](const std::vector<CheckResult>& results) {
    for (const CheckResult& result : results)
      if (!result.holds())
        names += (names.empty() ? "" : ", ") + result.property + " " + result.quantity;
  };
  collect(check_symmetry(model, frames, 1));
  collect(check_derivatives(model, frames, 1));
  collect(check_smoothness(model));
  collect(check_additivity(model, frames));
  return names;
}

}  // namespace

TEST_CASE("table: columns with units, text left, numbers right") {
  Table table({{"name", "", true}, {"F", "meV/A"}});
  table.row({"a", "1.5"});
  table.rule();
  table.row({"beta, \u00e9", "-"});
  CHECK(table.text(1) ==
        " name         F\n"
        "          meV/A\n"
        " --------------\n"
        " a          1.5\n"
        " --------------\n"
        " beta, \u00e9      -\n");
  CHECK_THROWS_WITH(table.row({"a"}), "table: 1 cells for 2 columns");
}

TEST_CASE("table: numbers as people read them") {
  CHECK(number_text(12.34567) == "12.35");
  CHECK(number_text(0.0123456) == "0.01235");
  CHECK(number_text(123456.7) == "123457");
  CHECK(number_text(0.0001) == "1.000e-04");
  CHECK(number_text(2e8) == "2.000e+08");
  CHECK(number_text(0.0) == "0");
  CHECK(number_text(-3.0) == "-3.000");
  CHECK(number_text(std::nan("")) == "nan");
  CHECK(number_text(-HUGE_VAL) == "-inf");
  CHECK(number_text(std::optional<double>()) == "-");
  CHECK(count_text(1234567) == "1 234 567");
  CHECK(count_text(-999) == "-999");
  CHECK(count_text(1000) == "1 000");
  CHECK(bytes_text(1536) == "1.5 KiB");
  CHECK(bytes_text(17) == "17 B");
  CHECK(plural(1, "frame") == "1 frame");
  CHECK(plural(0, "frame") == "0 frames");
}

TEST_CASE("evaluate: the same predictions for any batch, in the order of the frames") {
  Model model = small_model();
  std::vector<Frame> frames = mixed_frames();
  FrameErrors all = evaluate_frames(model, frames);
  REQUIRE(frames.size() == 3);
  CHECK(frames[1].config_type == "molecule");
  REQUIRE(all.predictions.size() == 3);
  for (size_t i = 0; i < 3; ++i) CHECK(all.predictions[i].forces.size() == frames[i].size());
  // Stress only where three directions are periodic.
  CHECK(all.predictions[0].stress);
  CHECK_FALSE(all.predictions[1].stress);
  CHECK(all.predictions[2].stress);
  FrameErrors one = evaluate_frames(model, frames, {.batch_size = 1});
  CHECK(largest_difference(all.predictions, one.predictions) < 1e-11);
  FrameErrors two = evaluate_frames(model, frames, {.max_edges = 100});
  CHECK(largest_difference(all.predictions, two.predictions) < 1e-11);
  // Reference energies are part of the total: -100.5 eV for each atom.
  CHECK(all.predictions[1].energy == doctest::Approx(-5 * 100.5).epsilon(0.02));
}

TEST_CASE("evaluate: errors by hand") {
  Model model = small_model();
  std::vector<Frame> frames = mixed_frames();
  FrameErrors first = evaluate_frames(model, frames);
  for (size_t i = 0; i < frames.size(); ++i) {
    const FramePrediction& prediction = first.predictions[i];
    frames[i].energy = prediction.energy + 0.008 * (i == 2 ? -1 : 1);  // 8 meV
    frames[i].forces = prediction.forces;
    for (Vec3& force : frames[i].forces) force[1] += i == 1 ? 0.03 : 0.003;
    frames[i].stress.reset();
    if (prediction.stress) {
      frames[i].stress = prediction.stress;
      for (double& element : *frames[i].stress) element -= 0.0005;
    }
  }
  frames[1].energy.reset();
  FrameErrors result = evaluate_frames(model, frames);
  const Errors& crystal = result.errors.by_config_type.at("strained");
  CHECK(1000 * result.errors.total.energy.rmse() == doctest::Approx(8).epsilon(1e-9));
  CHECK(1000 * result.errors.total.energy_per_atom.mae() == doctest::Approx(1).epsilon(1e-9));
  // One of three components differs by 3 meV/A: RMSE 3 / sqrt 3, MAE 1.
  CHECK(1000 * crystal.forces.rmse() == doctest::Approx(std::sqrt(3.0)).epsilon(1e-9));
  CHECK(1000 * crystal.forces.mae() == doctest::Approx(1).epsilon(1e-9));
  CHECK(1000 * crystal.stress.rmse() == doctest::Approx(0.5).epsilon(1e-9));
  CHECK(result.without_energy == 1);
  CHECK(result.without_stress == 0);
  CHECK(result.periodic == 2);
}

TEST_CASE("evaluate: a table per config_type, with what is missing") {
  FrameErrors errors;
  Frame frame;
  frame.numbers = {14, 14};
  frame.forces = {{1, 0, 0}, {-1, 0, 0}};
  frame.config_type = "pair";
  FramePrediction prediction;
  prediction.energy = 1;
  prediction.forces = {{1.1, 0, 0}, {-1.1, 0, 0}};
  errors.errors.add(frame, prediction);
  errors.label_forces["pair"].add(1);
  errors.label_forces["pair"].add(0);
  errors.without_energy = 1;
  CHECK(errors_text(errors) ==
        "config_type  frames  E RMSE  E MAE    E RMSE     E MAE  F RMSE  F MAE  F RMSE   S RMSE\n"
        "                        meV    meV  meV/atom  meV/atom   meV/A  meV/A       %  meV/A^3\n"
        "--------------------------------------------------------------------------------------\n"
        "pair              1       -      -         -         -   57.74  33.33   8.165        -\n"
        "No energy in 1 of 1 frame.\n");
}

TEST_CASE("evaluate: predictions are added to the frames as read") {
  TemporaryFolder folder;
  Model model = small_model();
  std::vector<Frame> frames = mixed_frames();
  frames[0].info.emplace_back("note", "\"as read\"");
  FrameErrors result = evaluate_frames(model, frames);
  std::vector<Frame> added;
  for (size_t i = 0; i < frames.size(); ++i)
    added.push_back(with_prediction(with_prediction(frames[i], {}), result.predictions[i]));
  write_extxyz(folder / "out.xyz", added);

  std::vector<Frame> again = read_extxyz(folder / "out.xyz");  // the labels
  REQUIRE(again.size() == 3);
  CHECK(again[0].energy == frames[0].energy);
  CHECK(again[0].forces == frames[0].forces);
  CHECK(again[0].info[0] == std::pair<std::string, std::string>("note", "\"as read\""));
  ExtxyzKeys keys{"casimir_energy", "casimir_forces", "casimir_stress", "none"};
  again = read_extxyz(folder / "out.xyz", keys);  // the predictions, to the last bit
  for (size_t i = 0; i < 3; ++i) {
    CHECK(again[i].energy == result.predictions[i].energy);
    CHECK(again[i].forces == result.predictions[i].forces);
    CHECK(again[i].stress.has_value() == result.predictions[i].stress.has_value());
    CHECK(again[i].positions == frames[i].positions);
    if (again[i].stress) CHECK(*again[i].stress == *result.predictions[i].stress);
  }
}

TEST_CASE("evaluate: the trained models of configs are read, and as good as they were") {
  struct Trained {
    const char* path;
    double energy, forces;  // RMSE in eV and eV/A, as casimir evaluate printed them
  };
  for (const Trained& t : {Trained{"3bpa/trained/mace-l2.safetensors", 2.833e-3, 3.854e-3}}) {
    const Model model = load_model(std::string(CASIMIR_SOURCE_DIR "/configs/") + t.path);
    std::vector<Frame> frames = read_extxyz(CASIMIR_SOURCE_DIR "/tests/reference/3bpa_20.xyz");
    const FrameErrors found = evaluate_frames(model, frames);
    CHECK(found.errors.total.energy.rmse() == doctest::Approx(t.energy).epsilon(0.02));
    CHECK(found.errors.total.forces.rmse() == doctest::Approx(t.forces).epsilon(0.002));
  }
}

TEST_CASE("check: a sound potential passes") {
  CHECK(failures("") == "");
  Model model = small_model({1, 6, 8});
  std::vector<Frame> frames = check_structures({1, 6, 8}, 2, 5);
  CHECK(frames.size() == 4);
  for (const auto& results : {check_symmetry(model, frames, 7), check_derivatives(model, frames, 7),
                              check_smoothness(model), check_additivity(model, frames)})
    for (const CheckResult& result : results)
      CHECK_MESSAGE(result.holds(), result.property, " ", result.quantity, ": ", result.found);
}

TEST_CASE("check: each fault is found, by the check that looks for it") {
  CHECK(failures("rotation") == "rotation energy, rotation forces, rotation virial");
  CHECK(failures("chirality") == "inversion energy, inversion forces, inversion virial");
  CHECK(failures("permutation").starts_with("permutation energy, permutation forces"));
  CHECK(failures("gradient") == "energy differences forces, energy differences stress");
  CHECK(failures("curvature") == "smooth at r_max curvature");
  CHECK(failures("slope").ends_with("smooth at r_max slope"));
  CHECK(failures("value").ends_with("smooth at r_max energy"));
  CHECK(failures("additivity") == "two copies energy");
  CHECK(failures("nan").starts_with("rotation energy, rotation forces"));
}

TEST_CASE("check: the text shows each number against its bound") {
  CHECK(check_text({{"rotation", "forces", "relative", 2.5e-15, 1e-11},
                    {"smooth at r_max", "slope", "eV/A", 0.5, 1e-5}}) ==
        "property         of        found  bound            result\n"
        "---------------------------------------------------------\n"
        "rotation         forces  2.5e-15  1e-11  relative  ok\n"
        "smooth at r_max  slope      0.50  1e-05  eV/A      FAILED\n");
}
