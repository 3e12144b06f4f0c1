#include "trainers/metrics.h"

#include <doctest/doctest.h>

#include <cmath>

#include "trainers/epoch_report.h"
#include "trainers/run_log.h"

using namespace casimir;

namespace {

// Two atoms; labels all zero.
Frame label(const std::string& type) {
  Frame frame;
  frame.numbers = {1, 1};
  frame.positions = {{0, 0, 0}, {1, 0, 0}};
  frame.energy = 0;
  frame.forces = {{0, 0, 0}, {0, 0, 0}};
  frame.config_type = type;
  return frame;
}

FramePrediction prediction(double energy, double force) {
  FramePrediction p;
  p.energy = energy;
  p.forces = {{force, 0, 0}, {0, 0, -force}};
  p.stress = Mat3{force, 0, 0, 0, 0, 0, 0, 0, 0};
  return p;
}

}  // namespace

TEST_CASE("metrics: root mean square and mean magnitude by hand, in total and by config_type") {
  ErrorTable table;
  table.add(label("a"), prediction(0.3, 0.6));
  table.add(label("b"), prediction(-0.4, 0));
  CHECK(table.total.frames == 2);
  CHECK(table.total.atoms == 4);
  CHECK(table.total.energy.rmse() == doctest::Approx(std::sqrt(0.125)));
  CHECK(table.total.energy.mae() == doctest::Approx(0.35));
  CHECK(table.total.energy_per_atom.mae() == doctest::Approx(0.175));
  // 12 components, two of size 0.6
  CHECK(table.total.forces.count == 12);
  CHECK(table.total.forces.rmse() == doctest::Approx(std::sqrt(0.72 / 12)));
  CHECK(table.total.forces.mae() == doctest::Approx(0.1));
  CHECK(table.by_config_type.at("a").forces.rmse() == doctest::Approx(std::sqrt(0.72 / 6)));
  CHECK(table.by_config_type.at("b").forces.rmse() == 0);
  CHECK(table.total.stress.count == 0);
}

TEST_CASE("metrics: labels that a frame lacks do not count") {
  Frame frame = label("a");
  frame.energy.reset();
  frame.forces.clear();
  frame.stress = Mat3{};
  Errors errors;
  errors.add(frame, prediction(5, 0.9));
  CHECK(errors.energy.count == 0);
  CHECK(errors.forces.count == 0);
  CHECK(errors.stress.rmse() == doctest::Approx(0.3));
  CHECK(errors.energy.rmse() == 0);
}

TEST_CASE("metrics: sums of parts are the sum of all") {
  Errors all, one, two;
  for (int i = 0; i < 4; ++i) {
    FramePrediction p = prediction(0.1 * i, 0.2 * i);
    all.add(label("a"), p);
    (i < 2 ? one : two).add(label("a"), p);
  }
  one.add(two);
  CHECK(one.frames == 4);
  CHECK(one.energy.rmse() == doctest::Approx(all.energy.rmse()));
  CHECK(one.forces.mae() == doctest::Approx(all.forces.mae()));
}

TEST_CASE("metrics: an epoch as console line, as JSON and as CSV") {
  EpochReport report;
  report.epoch = 12;
  report.epochs = 200;
  report.step = 1080;
  report.lr = 0.01;
  report.loss = 0.0123;
  report.gradient_norm = 0.5;
  report.seconds = 0.9;
  CHECK(report.console_line() == "epoch  12/200  step 1080  loss 0.0123  lr 1.0e-02  0.9 s");
  CHECK(report.metrics_json() ==
        "{\"epoch\": 12, \"step\": 1080, \"stage\": 1, \"lr\": 0.01, \"loss\": 0.0123, "
        "\"gradient_norm\": 0.5, \"clipped\": 0, \"best\": false}");
  CHECK(report.curve_line() == "12,1080,0.01,0.0123,,,,,");
  report.valid_loss = 0.25;
  report.valid.add(label("a"), prediction(0.0123, 0.0456));
  report.best = true;
  CHECK(report.console_line() ==
        "epoch  12/200  step 1080  loss 0.0123  valid E 12.3 meV (6.15 meV/atom)  F 26.3 meV/A"
        "  lr 1.0e-02  0.9 s  *best*");
  CHECK(report.curve_line().starts_with("12,1080,0.01,0.0123,0.25,12.3"));
  CHECK(report.curve_line().ends_with(","));  // no stress labels
  CHECK(report.metrics_json().ends_with("\"valid_stress_rmse_mev_per_a3\": null, \"best\": true}"));
  report.remaining = 151;
  CHECK(report.console_line().find("  eta 2:31 at ") != std::string::npos);
}

TEST_CASE("metrics: numbers and durations as text") {
  CHECK(json_number(0.1) == "0.1");
  CHECK(json_number(1.0 / 3) == "0.3333333333333333");
  CHECK(json_number(std::nan("")) == "null");
  CHECK(json_number(INFINITY) == "null");
  CHECK(duration(0.94) == "0.9 s");
  CHECK(duration(42) == "42 s");
  CHECK(duration(151) == "2:31");
  CHECK(duration(3723) == "1:02:03");
}
