// Event files as TensorBoard reads them: TFRecord frames, each around an Event of protobuf. How
// long a record is follows from its step and tags alone, since a wall time always takes eight
// bytes.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace casimir {

// TensorBoard looks for "tfevents" in a name. Always the same one: a run has one file.
inline constexpr const char* event_file_name = "events.out.tfevents.0.casimir";

using Scalars = std::vector<std::pair<std::string, double>>;  // tag, value; stored as f32

double wall_time();  // seconds since 1970

std::string event_file_start(double wall_time);  // the record that every file begins with
std::string event_record(double wall_time, int64_t step, const Scalars& scalars);

}  // namespace casimir
