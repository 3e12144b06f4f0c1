// The report of a run or a model: all its numbers gathered (here), drawn (report_plots.h) and set
// as one HTML file (report_page.h) that needs nothing else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainers/describe_model.h"
#include "trainers/report_errors.h"

namespace casimir {

// metrics.jsonl by columns, with a row per epoch; nan where there was no validation or no label;
// and the interruptions, of timing.jsonl.
struct LearningCurves {
  std::vector<double> epoch, loss, lr, gradient_norm;
  std::vector<double> valid_loss;
  std::vector<double> energy, forces, stress;  // RMSE of the validation: meV/atom, meV/A, meV/A^3
  std::optional<double> second_stage, best;    // epochs
  std::vector<double> resumed;                 // epochs after which the run was interrupted
};
LearningCurves learning_curves(const std::string& metrics, const std::string& timing);

struct ReportData {
  std::string title, subtitle;
  LearningCurves curves;               // no rows: of a model alone
  std::optional<ReportErrors> errors;  // absent: `lacking` says why
  std::string lacking;
  Facts model, training, machine;
  std::optional<Table> energies, parameters, files;
  std::string data;    // summary of the evaluated frames
  std::string config;  // the resolved one
};

// Everything but the errors. `path`: a model file, or the folder of a run; what this lacks is left
// out.
ReportData describe(const std::string& path, const Model& model);

// The errors of the model on these frames: "validation set: ...", or files.
void add_errors(ReportData& report, const Model& model, std::vector<Frame>& frames,
                const std::string& source);

// The frames that the training of this folder validated on. None, and the reason, where the files
// of data are gone or are others now, or nothing was validated on.
std::vector<Frame> validation_of_run(const std::string& folder, std::string& lacking);

// report.html of a finished training.
void write_run_report(const std::string& folder, std::vector<Frame> validation, Device device);

}  // namespace casimir
