// What a data set holds, as text for people, with a word where the numbers look like other units.
#pragma once

#include <string>
#include <vector>

#include "datasets/frame.h"

namespace casimir {

// Frames, atoms, elements, cells, labels, ranges of energy, forces, stress and volume per atom, a
// table of the config_types when there are several, and hints.
std::string data_summary(const std::string& path, const std::vector<Frame>& frames);

}  // namespace casimir
