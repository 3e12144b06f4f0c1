// Predictions of a model for frames as read, their errors against the labels, and the frames with
// the predictions added.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "datasets/frame.h"
#include "trainers/metrics.h"
#include "trainers/model_file.h"
#include "trainers/table.h"

namespace casimir {

struct EvaluateOptions {
  int64_t batch_size = 0;     // frames per batch; 0: by max_edges
  int64_t max_edges = 16384;  // of a batch
};

struct FrameErrors {
  std::vector<FramePrediction> predictions;  // in the order of the frames
  ErrorTable errors;
  std::map<std::string, ErrorTable> by_file;
  std::map<std::string, ErrorSum> label_forces;  // by config_type: the size of the labels
  int64_t without_energy = 0, without_forces = 0;
  int64_t without_stress = 0;  // periodic frames only: others have no stress to predict
  int64_t periodic = 0;        // frames with three periodic directions
  double seconds = 0;          // neighbour lists and predictions
};

// Energy and forces of every frame, stress of those with three periodic directions; while one batch
// is computed a thread prepares the next ones.
FrameErrors evaluate_frames(const Model& model, std::vector<Frame>& frames,
                            const EvaluateOptions& options = {});

// The errors of predictions of these frames, in their order.
FrameErrors compare_frames(const std::vector<Frame>& frames,
                           std::vector<FramePrediction> predictions);

// A table of errors, whose first column has this name, and a row of it for all frames.
Table errors_table(const char* first);
std::vector<std::string> errors_row(const std::string& name, const FrameErrors& evaluation);

// RMSE of errors in % of that of the labels: "12.35"; "-" where these are 0 or none.
std::string relative_text(const ErrorSum& errors, const ErrorSum& labels);
ErrorSum all_label_forces(const FrameErrors& evaluation);

// A row per config_type, per file when there are several, and all; a line for each label that
// frames lack; and both as text.
Table errors_by_type(const FrameErrors& evaluation, bool by_file = false);
std::string lacking_text(const FrameErrors& evaluation);
std::string errors_text(const FrameErrors& evaluation, bool by_file = false);

// The frame as read plus casimir_energy (eV), the column casimir_forces (eV/A) and, with three
// periodic directions, casimir_stress (nine numbers, eV/A^3); of several models also
// casimir_energy_std and the column casimir_forces_std. Those it had already are replaced.
Frame with_prediction(const Frame& frame, const FramePrediction& prediction);

bool is_bulk(const Frame& frame);  // three periodic directions

}  // namespace casimir
