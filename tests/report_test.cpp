// The report: its numbers are those of `casimir evaluate`, it is one small well-formed file that
// fetches nothing, and a training ends well without it.
#include <doctest/doctest.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/files.h"
#include "datasets/extxyz.h"
#include "tests/markup.h"
#include "tests/program.h"
#include "tests/temporary_folder.h"
#include "tests/training_run.h"
#include "trainers/report_page.h"
#include "trainers/report_plots.h"

using namespace casimir;

namespace {

namespace fs = std::filesystem;

constexpr const char* yaml = R"(seed: 1
data: {train: [train.xyz], valid: [valid.xyz]}
model: {hidden_irreps: 4x0e, l_max: 1, correlation: 1, r_max: 4.0, num_bessel: 2, radial_mlp: [4],
        readout_irreps: 2x0e}
task: {weights: {energy: 1, forces: 10, stress: 100}}
train: {epochs: 4, batch_size: 4, stage_two: {start_epoch: 2}}
)";

// A run whose validation set is valid.xyz, of two config_types.
const TemporaryFolder& trained() {
  static const TemporaryFolder folder;
  static const bool once = [] {
    write_silicon(folder / "train.xyz", 8, 1);
    write_silicon(folder / "other.xyz", 6, 2);
    std::vector<Frame> frames = read_extxyz(folder / "other.xyz");
    for (Frame& frame : frames) frame.config_type = "a <b> & \"c\"";
    frames.at(0).config_type = "bulk";
    write_extxyz(folder / "valid.xyz", frames);
    write_content(folder / "run.yaml", yaml);
    Outcome outcome = run_program(folder.path(), "train run.yaml --run-dir run --threads 1");
    REQUIRE(outcome.err == "");
    REQUIRE(outcome.code == 0);
    REQUIRE(outcome.out.ends_with("report: run/report.html\n"));
    return true;
  }();
  REQUIRE(once);
  return folder;
}

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

// The text of the element that holds the errors.
std::string errors_of(const std::string& page) {
  const std::string start = "<script type=\"application/json\" id=\"errors\">";
  const size_t at = page.find(start);
  if (at == std::string::npos) return "";
  const size_t begin = at + start.size();
  return replaced(page.substr(begin, page.find("</script>", begin) - begin), "\\u003c", "<");
}

// What evaluate writes, without the seconds.
std::string evaluated(const TemporaryFolder& folder, const std::string& arguments) {
  Outcome outcome = run_program(folder.path(), "evaluate " + arguments + " --json errors.json");
  REQUIRE(outcome.err == "");
  std::string text = content_of(folder / "errors.json");
  const size_t at = text.find(", \"seconds\": "), end = text.find(", \"by_config_type\"");
  REQUIRE(end > at);
  text.erase(at, end - at);
  text.pop_back();
  return text;
}

// One file, whole, that asks nothing of a network.
void check_page(const std::string& page) {
  CHECK(page.starts_with("<!DOCTYPE html>"));
  CHECK(markup_fault(page) == "");
  const std::string rest = replaced(page, "xmlns=\"http://www.w3.org/2000/svg\"", "");
  for (const char* part : {"http:", "https:", "//", "url(", "@import", "src=", "href="})
    CHECK_MESSAGE(!has(rest, part), part);
}

// Frames of two atoms with all labels, and predictions that are off by known amounts.
struct Synthetic {
  std::vector<Frame> frames;
  std::vector<FramePrediction> predictions;
};
Synthetic synthetic(int count) {
  Synthetic out;
  for (int i = 0; i < count; ++i) {
    const double wave = std::sin(0.7 * i), size = std::exp(3 * std::sin(0.11 * i));
    Frame frame;
    frame.numbers = {i % 3 == 0 ? 8 : 6, 1};
    frame.positions.resize(2);
    frame.energy = -10 + wave;
    frame.forces = {{size, wave, 0.1}, {-size, -wave, -0.1}};
    frame.stress = Mat3{wave, 0, 0, 0, wave, 0, 0, 0, wave};
    frame.source = "a<b>.xyz";
    frame.number = i;
    FramePrediction prediction{*frame.energy + 0.02, frame.forces, frame.stress};
    prediction.forces[0][0] += 0.01 * size * wave;
    (*prediction.stress)[0] += 0.001;
    out.frames.push_back(std::move(frame));
    out.predictions.push_back(std::move(prediction));
  }
  return out;
}

std::string metrics_of(int epochs) {
  std::string text;
  for (int i = 1; i <= epochs; ++i)
    text +=
        concat_text("{\"epoch\": ", i, ", \"stage\": ", i > epochs / 2 ? 2 : 1,
                    ", \"lr\": 0.01, \"loss\": ", 5.0 / i + 0.3 * std::abs(std::sin(i)),
                    ", \"gradient_norm\": ", 1 + i % 7, ", \"valid_loss\": ", i % 2 ? 1.0 / i : 2,
                    ", \"valid_energy_rmse_mev_per_atom\": null, "
                    "\"valid_forces_rmse_mev_per_a\": ",
                    100.0 / i, ", \"best\": ", i == epochs - 1 ? "true" : "false", "}\n");
  return text;
}

}  // namespace

TEST_CASE("report: of a run, written at its end, has the numbers of evaluate") {
  const TemporaryFolder& folder = trained();
  const std::string page = content_of(folder / "run/report.html");
  check_page(page);
  CHECK(errors_of(page) == evaluated(folder, "run valid.xyz --threads 1"));
  CHECK(nlohmann::json::parse(errors_of(page))["by_config_type"].contains("a <b> & \"c\""));
  CHECK(has(page, "a &lt;b&gt; &amp; &quot;c&quot;"));
  for (const char* part :
       {"id=\"loss\"", "id=\"forces-rmse\"", "id=\"parity-energy\"", "id=\"parity-forces\"",
        "id=\"parity-stress\"", "id=\"force-errors\"", "stage two", "Worst frames",
        "valid.xyz: frame ", "Reference energies", "hidden_irreps: 4x0e", "last epoch ended"})
    CHECK_MESSAGE(has(page, part), part);

  // The command makes the same page from the same folder.
  Outcome outcome = run_program(folder.path(), "report run --out again.html --threads 1");
  CHECK(outcome.err == "");
  CHECK(outcome.out == "report: again.html\n");
  CHECK(content_of(folder / "again.html") == page);
}

TEST_CASE("report: of a model with data, of a model alone, and its pictures as files") {
  const TemporaryFolder& folder = trained();
  fs::create_directories(folder / "alone");
  fs::copy_file(folder / "run/model.safetensors", folder / "alone/m.safetensors",
                fs::copy_options::overwrite_existing);
  Outcome outcome = run_program(
      folder.path(), "report alone/m.safetensors train.xyz valid.xyz --index :3 --svg pictures");
  CHECK(outcome.err == "");
  CHECK(outcome.out == "report: alone/report.html\npictures: pictures\n");
  const std::string page = content_of(folder / "alone/report.html");
  check_page(page);
  CHECK(errors_of(page) == evaluated(folder, "alone/m.safetensors train.xyz valid.xyz --index :3"));
  CHECK(has(page, "On train.xyz, valid.xyz: 6 frames, "));
  CHECK(!has(page, "Learning curves"));
  int pictures = 0;
  for (const auto& entry : fs::directory_iterator(folder / "pictures")) {
    const std::string svg = content_of(entry.path());
    CHECK(markup_fault(svg) == "");
    CHECK(has(page, svg));
    ++pictures;
  }
  CHECK(pictures == 5);  // three parities, error over force, by config_type

  outcome = run_program(folder.path(), "report alone/m.safetensors --out none.html");
  CHECK(outcome.code == 0);
  CHECK(outcome.err == "note: no errors are shown: the report is of a model without data\n");
  const std::string bare = content_of(folder / "none.html");
  check_page(bare);
  CHECK(errors_of(bare) == "");
  CHECK(has(bare, "No errors are shown: the report is of a model without data."));
  CHECK(has(bare, "Reference energies"));
}

TEST_CASE("report: data that are gone or others leave the rest of the page") {
  TemporaryFolder folder;
  for (const char* name : {"train.xyz", "valid.xyz", "run"})
    fs::copy(trained() / name, folder / name, fs::copy_options::recursive);
  auto note = [&] {
    Outcome outcome = run_program(folder.path(), "report run");
    CHECK(outcome.code == 0);
    const std::string page = content_of(folder / "run/report.html");
    check_page(page);
    CHECK(has(page, "id=\"loss\""));
    CHECK(errors_of(page) == "");
    return outcome.err;
  };
  const std::string start = "note: no errors are shown: ";
  write_silicon(folder / "valid.xyz", 2, 7);
  CHECK(note() == start + "valid.xyz is another file than at the training\n");
  fs::remove(folder / "train.xyz");
  CHECK(note() == start + "train.xyz is not there\n");
  fs::remove(folder / "run/resolved.yaml");
  CHECK(note() == start + "the folder has no run.json and resolved.yaml, which name the data\n");
}

TEST_CASE("report: an element that the model does not know is an error") {
  const TemporaryFolder& folder = trained();
  write_content(folder / "carbon.xyz", "1\nProperties=species:S:1:pos:R:3\nC 0 0 0\n");
  Outcome outcome = run_program(folder.path(), "report run carbon.xyz --out carbon.html");
  CHECK(outcome.code == 65);
  CHECK(outcome.err ==
        "casimir: error: run/model.safetensors: carbon.xyz: frame 0 has C; the "
        "model knows Si\n");
  CHECK(!fs::exists(folder / "carbon.html"));
}

TEST_CASE("report: can be left out; that it cannot be written is a warning") {
  TemporaryFolder folder;
  write_silicon(folder / "si.xyz", 4);
  RunOptions options = small_run(folder / "si.xyz");
  options.train.epochs = 1;
  options.train.report = false;
  CHECK(train(request_for(options, folder / "run")) == 0);
  CHECK(!fs::exists(folder / "run/report.html"));
  options.train.report = true;
  options.train.epochs = 2;  // goes on: no number depends on the report
  fs::create_directories(folder / "run/report.html/x");
  CHECK(train(request_for(options, folder / "run")) == 0);
  fs::remove_all(folder / "run/report.html");  // as killed before it was there
  CHECK(train(request_for(options, folder / "run")) == 0);
  CHECK(fs::exists(folder / "run/report.html"));
  CHECK(has(read_file(folder / "run/train.log"),
            "\nwarning: no report: " + (folder / "run/report.html")));
}

TEST_CASE("report: curves are one row per epoch, with what happened on the way") {
  const LearningCurves curves =
      learning_curves(metrics_of(10) + "{\"epoch\": 11, \"lo",
                      "{\"epoch\": 3, \"step\": 30, \"seconds\": 1.5, \"time\": 9}\n"
                      "{\"resumed\": true, \"epoch\": 4, \"step\": 35, \"time\": 10}\n"
                      "{\"resumed\": true, \"epoch\": 4, \"step\": 37, \"time\": 11}\n"
                      "{\"resumed\": true, \"epoch\": 8, \"step\": 71, \"time\": 15}\n");
  CHECK(curves.epoch.size() == 10);
  CHECK(curves.forces.at(3) == 25);
  CHECK(std::isnan(curves.energy.at(0)));
  CHECK(curves.second_stage == 6);
  CHECK(curves.best == 9);
  CHECK(curves.resumed == std::vector<double>{3, 3, 7});
  const std::string loss = curve_pictures(curves).at(0).svg;
  CHECK(count(loss, ">resumed</text>") == 1);
  CHECK(count(loss, "stroke-dasharray") == 5);  // three times resumed, stage two, best
  CHECK(learning_curves("", "").epoch.empty());
}

TEST_CASE("report: R2, elements and worst frames by hand") {
  Synthetic set = synthetic(30);
  set.predictions.at(17).forces[1][2] += 5;
  set.frames.at(4).forces.clear();
  set.frames.at(5).energy.reset();
  const ReportErrors errors = report_errors(set.frames, compare_frames(set.frames, set.predictions),
                                            {{1, -1}, {6, -4}, {8, -5}}, "x");
  CHECK(errors.numbers.predictions.empty());
  double mean = 0, spread = 0;
  auto label = [&](int i) { return (*set.frames[i].energy + 1 + (i % 3 ? 4 : 5)) / 2; };
  for (int i = 0; i < 30; ++i) mean += i == 5 ? 0 : label(i) / 29;
  for (int i = 0; i < 30; ++i) spread += i == 5 ? 0 : std::pow(label(i) - mean, 2);
  CHECK(errors.energy.count == 29);
  CHECK(errors.energy.r2 == doctest::Approx(1 - 29 * 1e-4 / spread));
  CHECK(errors.forces.count == 29 * 6);
  CHECK(errors.elements.at(1).atoms == 29);
  CHECK(errors.elements.at(8).atoms + errors.elements.at(6).atoms == 29);
  ErrorSum all;
  for (const auto& [number, element] : errors.elements) all.add(element.forces);
  CHECK(all.rmse() == doctest::Approx(errors.numbers.errors.total.forces.rmse()));
  REQUIRE(errors.worst.size() == 10);
  CHECK(errors.worst[0].where == "a<b>.xyz: frame 17");
  CHECK(errors.worst[0].atom == "H 1");
  CHECK(errors.worst[0].largest == doctest::Approx(5));
  CHECK(errors.worst[0].formula == "C H");
  CHECK(errors.worst[0].energy == doctest::Approx(0.01));
  int64_t points = 0;
  for (int64_t count : errors.force_errors.density.counts) points += count;
  CHECK(points == 58);
  const ReportErrors nothing = report_errors({}, {}, {}, "nothing");
  CHECK(nothing.worst.empty());
  CHECK(error_pictures(nothing).empty());
}

TEST_CASE("report: 5 000 epochs and 100 000 frames are a small file") {
  Synthetic set = synthetic(100000);
  FrameErrors evaluation = compare_frames(set.frames, std::move(set.predictions));
  const std::string metrics = metrics_of(5000);
  const auto start = std::chrono::steady_clock::now();
  ReportData report;
  report.title = "large";
  report.curves = learning_curves(metrics, "");
  report.errors = report_errors(set.frames, std::move(evaluation), {}, "synthetic");
  const std::string page = report_page(report);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  check_page(page);
  const size_t kilobytes = page.size() / 1000;
  MESSAGE(kilobytes, " kB in ", passed.count(), " s");
  CHECK(page.size() < 200000);
  if (const char* path = std::getenv("CASIMIR_LARGE_REPORT")) write_file_atomic(path, page);
}
