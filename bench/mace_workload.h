// What the MACE rows of the benchmark time: training steps and inferences on one batch, the first
// five frames of a file. bench/peers/mace_step.py does the same work with mace-torch.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "trainers/optimizer.h"
#include "trainers/step.h"

namespace casimir {

class MaceWorkload {
 public:
  // 128 channels with degrees 0 .. l_hidden; weights of `model_file`, or random ones.
  MaceWorkload(const std::string& data_file, int l_hidden, const std::string& model_file = "");

  void train();  // energy and forces, loss 1 (dE/N)^2 + 1000 dF^2, its gradient, a step of AMSGrad
  void infer();  // energy and forces

  // Interaction energy of each frame, eV, and the norm of all forces, eV/A.
  std::vector<double> fingerprint() const;

  // Arithmetic of one step, GFLOP, for the 135 atoms and 2242 edges of 3BPA's train_300K at 5 A:
  // every product of the exact model counted once per sweep, radial MLP per directed edge.
  static double train_gflop(int l_hidden);
  static double infer_gflop(int l_hidden);

 private:
  AtomsBatch batch_;
  Model model_;
  TaskOptions task_;
  std::optional<Optimizer> optimizer_;
};

// Largest rate of f32 matrix products, 1024^3, over all threads, in GFLOP/s.
double sgemm_peak();

}  // namespace casimir
