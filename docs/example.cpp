// Builds a potential with random weights and prints the energy and forces of a water molecule.
#include <iomanip>
#include <iostream>

#include "trainers/evaluate.h"

int main() {
  using namespace casimir;
  ModelOptions options;
  options.mace.hidden_irreps = "32x0e + 32x1o";
  const MaceConstants constants{.elements = {1, 8}, .atomic_energies = {-13.6, -2042.0}};
  const Model model = make_model(options, constants, /*seed=*/1);

  std::vector<Frame> water(1);
  water[0].numbers = {8, 1, 1};
  water[0].positions = {{0, 0, 0}, {0.76, 0.55, 0.2}, {-0.71, 0.59, 0.25}};

  const FramePrediction found = evaluate_frames(model, water).predictions[0];
  std::cout << std::fixed << std::setprecision(4) << "energy " << found.energy << " eV\n";
  for (const Vec3& force : found.forces)
    std::cout << "force " << force[0] << " " << force[1] << " " << force[2] << " eV/A\n";
}
