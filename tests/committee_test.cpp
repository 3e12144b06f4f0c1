// Several models as one: mean, spread and correlations by hand, and the command as a user runs it.
#include "trainers/committee.h"

#include <doctest/doctest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "datasets/extxyz.h"
#include "tests/program.h"
#include "tests/training_run.h"

using namespace casimir;

namespace {

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

Frame pair_frame(double energy, std::vector<Vec3> forces) {
  Frame frame;
  frame.numbers = {14, 14};
  frame.positions = {{0, 0, 0}, {2.2, 0, 0}};
  frame.energy = energy;
  frame.forces = std::move(forces);
  frame.config_type = "pair";
  frame.source = "a.xyz";
  return frame;
}

FrameErrors model_of(const std::vector<Frame>& frames, const std::vector<double>& energies,
                     const std::vector<std::vector<Vec3>>& forces) {
  std::vector<FramePrediction> predictions;
  for (size_t i = 0; i < frames.size(); ++i)
    predictions.push_back({.energy = energies[i], .forces = forces[i], .stress = {}});
  return compare_frames(frames, predictions);
}

// A folder with data and small models of random weights: a and b for Si, wide for C and Si with
// another reach and number type, carbon for C.
const TemporaryFolder& workplace() {
  static const TemporaryFolder folder;
  static const bool once = [] {
    write_silicon(folder / "si.xyz", 6);
    auto make = [&](const std::string& name, std::vector<int> elements, uint64_t seed) {
      RunOptions options = small_run("si.xyz");
      if (elements.size() > 1) options.model.dtype = "float64";
      options.model.mace.r_max = elements.size() > 1 ? 3.5 : 4;
      MaceConstants constants;
      constants.atomic_energies.assign(elements.size(), -4.5);
      constants.elements = std::move(elements);
      Model model = make_model(options.model, constants, seed);
      options.model = model.options;  // with the elements
      model.config = to_yaml(options);
      save_model(folder / name, model);
    };
    make("a.safetensors", {14}, 1);
    make("b.safetensors", {14}, 2);
    make("wide.safetensors", {6, 14}, 3);
    make("carbon.safetensors", {6}, 4);
    make_folder(folder / "run");
    write_content(folder / "run/model.safetensors", content_of(folder / "a.safetensors"));
    return true;
  }();
  REQUIRE(once);
  return folder;
}

Outcome evaluate(const std::string& arguments) {
  return run_program(workplace().path(), "evaluate " + arguments);
}

// The errors as JSON, without the seconds.
nlohmann::json errors_in(const std::string& name) {
  auto json = nlohmann::json::parse(content_of(workplace() / name));
  json.erase("seconds");
  if (json.contains("models"))
    for (auto& model : json["models"]) model.erase("seconds");
  return json;
}

}  // namespace

TEST_CASE("evaluate: correlations by hand") {
  // Ranks 0 1.5 1.5 3 and 0 2 1 3: 4.5 / sqrt(4.5 * 5).
  const Correlation ties = correlate({1, 2, 2, 3}, {1, 3, 2, 40});
  CHECK(*ties.spearman == doctest::Approx(0.9486832981).epsilon(1e-9));
  CHECK(*ties.pearson == doctest::Approx(0.8372106419).epsilon(1e-9));
  CHECK(*correlate({1, 2, 3}, {6, 4, 2}).pearson == doctest::Approx(-1));
  CHECK(*correlate({1, 2, 4}, {9, 4, 3}).spearman == doctest::Approx(-1));
  const Correlation few = correlate({1, 2}, {1, 2});
  CHECK_FALSE(few.pearson);
  CHECK_FALSE(few.spearman);
  CHECK(few.lacking == "2 labels, at least 3 are needed");
  CHECK(correlate({0, 0, 0}, {1, 2, 3}).lacking == "all spreads are 0");
  CHECK(correlate({1, 2, 3}, {0.5, 0.5, 0.5}).lacking == "all errors are 500.0");
}

TEST_CASE("evaluate: a committee by hand") {
  const Vec3 zero{};
  std::vector<Frame> frames{pair_frame(1, {zero, zero}), pair_frame(2, {zero, zero}),
                            pair_frame(4, {})};
  const FrameErrors a =
      model_of(frames, {1.0, 2.0, 3.0}, {{{0.3, 0, 0}, zero}, {zero, zero}, {zero, zero}});
  const FrameErrors b =
      model_of(frames, {1.2, 2.4, 3.8},
               {{{-0.3, 0.8, 0}, {0, 0, 0.2}}, {{0, 0.6, 0}, zero}, {{2, 0, 0}, zero}});
  CommitteeErrors found = compare_committee({a, b}, frames);

  const FramePrediction& mean = found.mean.predictions[0];
  CHECK(mean.energy == doctest::Approx(1.1));
  CHECK(*mean.energy_std == doctest::Approx(0.1));  // half the difference of two
  CHECK(mean.forces[0][0] == doctest::Approx(0));
  CHECK(mean.forces[0][1] == doctest::Approx(0.4));
  REQUIRE(mean.forces_std.size() == 2);
  CHECK(mean.forces_std[0] == doctest::Approx(0.5));  // (0.3, 0.4, 0)
  CHECK(mean.forces_std[1] == doctest::Approx(0.1));
  // Errors of the mean: 0.1, 0.2, 0.6 eV.
  CHECK(found.mean.errors.total.energy.mae() == doctest::Approx(0.3));

  CHECK(found.energy.labelled[1] == doctest::Approx(0.1));  // per atom
  CHECK(found.energy.errors[2] == doctest::Approx(0.3));
  auto numbers = found.energy.numbers();
  CHECK(*numbers[0].second == doctest::Approx(1000 * std::sqrt(0.0525 / 3)));  // 0.05, 0.1, 0.2
  CHECK(*numbers[1].second == doctest::Approx(350.0 / 3));
  CHECK(*numbers[2].second == doctest::Approx(200));
  CHECK(*numbers[3].second == doctest::Approx(1000 * std::sqrt(0.1025 / 3)));
  CHECK(*numbers[4].second == doctest::Approx(0.02 / std::sqrt(0.035 / 3 * 0.035)));
  CHECK(*numbers[5].second == doctest::Approx(1));
  // Atoms of the third frame have a spread but no label.
  CHECK(found.forces.all.count == 6);
  CHECK(found.forces.largest == doctest::Approx(1));
  CHECK(found.forces.errors == std::vector<double>{0.4, 0.1, 0.3, 0.0});

  CHECK("\n" + committee_text(found, {"a (f32, Si)", "b (f32, Si)"}, false) == R"(
model             frames  E RMSE  E MAE    E RMSE     E MAE  F RMSE  F MAE  F RMSE   S RMSE
                             meV    meV  meV/atom  meV/atom   meV/A  meV/A       %  meV/A^3
-------------------------------------------------------------------------------------------
a (f32, Si)            3   577.4  333.3     288.7     166.7   86.60  25.00       -        -
b (f32, Si)            3   282.8  266.7     141.4     133.3   306.9  158.3       -        -
-------------------------------------------------------------------------------------------
mean of 2 models       3   369.7  300.0     184.8     150.0   147.2  66.67       -        -

mean of 2 models
config_type  frames  E RMSE  E MAE    E RMSE     E MAE  F RMSE  F MAE  F RMSE   S RMSE
                        meV    meV  meV/atom  meV/atom   meV/A  meV/A       %  meV/A^3
--------------------------------------------------------------------------------------
pair              3   369.7  300.0     184.8     150.0   147.2  66.67       -        -
No forces in 1 of 3 frames.

spread                   RMS   mean  largest  error RMS  Pearson  Spearman
--------------------------------------------------------------------------
E of frames, meV/atom  132.3  116.7    200.0      184.8   0.9897     1.000
F of atoms, meV/A      474.3  316.7     1000      255.0   0.9881     1.000
)");
}

TEST_CASE("evaluate: a committee of one model twice has its errors, and no spread") {
  Outcome outcome = evaluate("a.safetensors si.xyz --json one.json --predictions one.xyz");
  CHECK(outcome.err == "");
  CHECK(outcome.out.starts_with("a.safetensors (f32, Si)\nconfig_type  frames"));
  outcome = evaluate("a.safetensors run si.xyz --json two.json --predictions two.xyz");
  CHECK(outcome.err == "");
  CHECK(outcome.code == 0);
  for (const char* part :
       {"a.safetensors (f32, Si) ", "run/model.safetensors (f32, Si) ", "mean of 2 models ",
        "No correlation for E: all spreads are 0.\n", "No correlation for F: all spreads are 0.\n"})
    CHECK_MESSAGE(has(outcome.out, part), outcome.out);
  CHECK_FALSE(has(outcome.out, "nan"));

  const nlohmann::json one = errors_in("one.json");
  nlohmann::json two = errors_in("two.json");
  for (const auto& [name, numbers] : two["spread"].items()) {
    for (const char* key : {"rms", "mean", "max"}) CHECK(numbers.at(key) == 0);
    CHECK(numbers.at("error_rms").get<double>() > 0);
    for (const char* key : {"pearson", "spearman"}) CHECK(numbers.at(key).is_null());
  }
  REQUIRE(two["models"].size() == 2);
  CHECK(two["models"][1]["model"] == "run/model.safetensors");
  for (auto& model : two["models"]) {
    model.erase("model");
    CHECK(model == one);
  }
  two.erase("models");
  two.erase("spread");
  CHECK(two == one);

  ExtxyzKeys keys{"casimir_energy", "casimir_forces", "casimir_stress", "none"};
  const std::vector<Frame> single = read_extxyz(workplace() / "one.xyz", keys),
                           mean = read_extxyz(workplace() / "two.xyz", keys);
  for (size_t i = 0; i < single.size(); ++i) {
    CHECK(mean[i].energy == single[i].energy);
    CHECK(mean[i].forces == single[i].forces);
    CHECK(mean[i].stress == single[i].stress);
    CHECK(mean[i].columns.back().name == "casimir_forces_std");
    CHECK(mean[i].columns.back().text == std::vector<std::string>(mean[i].size(), "0"));
  }
  // The spread of a former committee does not stay beside another prediction.
  evaluate("b.safetensors two.xyz --predictions again.xyz");
  CHECK(has(content_of(workplace() / "two.xyz"), "casimir_energy_std=0 "));
  CHECK_FALSE(has(content_of(workplace() / "again.xyz"), "_std"));
}

TEST_CASE("evaluate: a committee of other models, with the same bits for any number of threads") {
  for (const std::string threads : {"1", "2"}) {
    Outcome outcome =
        evaluate("a.safetensors b.safetensors wide.safetensors si.xyz --json " + threads +
                 ".json --predictions " + threads + ".xyz --threads " + threads);
    CHECK(outcome.err == "");
    CHECK(has(outcome.out, "wide.safetensors (f64, C Si) "));
    CHECK_FALSE(has(outcome.out, "No correlation"));
  }
  const nlohmann::json one = errors_in("1.json");
  CHECK(one == errors_in("2.json"));
  CHECK(content_of(workplace() / "1.xyz") == content_of(workplace() / "2.xyz"));
  for (const auto& [name, numbers] : one["spread"].items())
    for (const char* key : {"rms", "mean", "max", "error_rms"})
      CHECK(numbers.at(key).get<double>() > 0);
}

TEST_CASE("evaluate: what is a model, and what it has to know") {
  Outcome outcome = evaluate("a.safetensors wide.safetensors carbon.safetensors si.xyz");
  CHECK(outcome.code == 65);
  CHECK(outcome.err ==
        "casimir: error: carbon.safetensors: si.xyz: frame 0 has Si; the model knows C\n");
  outcome = evaluate("a.safetensors si.xyz b.safetensors");
  CHECK(outcome.code == 2);
  CHECK(outcome.err ==
        "casimir: error: evaluate: models come before data: 'b.safetensors' is a model, after "
        "'si.xyz'\n");
  outcome = evaluate("a.safetensors run");
  CHECK(outcome.code == 2);
  CHECK(outcome.err == "casimir: error: evaluate: DATA is missing; see casimir help evaluate\n");
  outcome = evaluate("a.safetensors none.safetensors si.xyz");
  CHECK(outcome.code == 66);
  CHECK(outcome.err == "casimir: error: none.safetensors: no such file\n");
  outcome = evaluate("a.safetensors b.safetensors si.xyz --json ./b.safetensors");
  CHECK(outcome.code == 2);
  CHECK(outcome.err == "casimir: error: evaluate: --json ./b.safetensors would replace an input\n");
  // By content, not by name.
  write_content(workplace() / "other", content_of(workplace() / "b.safetensors"));
  CHECK(has(evaluate("a.safetensors other si.xyz").out, "mean of 2 models"));
}
