// The pictures of a report.
#pragma once

#include <string>
#include <vector>

#include "trainers/report.h"

namespace casimir {

struct Picture {
  std::string name;  // of its file, without ".svg"
  std::string svg;
};

std::vector<Picture> curve_pictures(const LearningCurves& curves);
std::vector<Picture> error_pictures(const ReportErrors& errors);    // parity, error over size
std::vector<Picture> grouped_pictures(const ReportErrors& errors);  // by element, by config_type

}  // namespace casimir
