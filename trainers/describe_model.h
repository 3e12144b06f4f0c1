// A model in words and tables: what `casimir info` prints and a report shows.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "trainers/model_file.h"
#include "trainers/table.h"

namespace casimir {

using Facts = std::vector<std::pair<std::string, std::string>>;  // name, value with its unit

// Elements, reach, size, constants, kernels, training files, and the file's own metadata.
Facts model_facts(const Model& model);
Table energies_table(const Model& model);               // E0 of each element
Table parameters_table(const Parameters& parameters);   // their number in each block, and in all
std::string training_files(const std::string& config);  // those of data.train; "" when unknown

}  // namespace casimir
