// Where the time of a training's steps went, for people (casimir train --profile).
#pragma once

#include <string>
#include <vector>

#include "core/profile.h"

namespace casimir {

inline constexpr const char* validation_scope = "validation";

// The time since the last mark belongs to a part of the training loop: "loader", "saving".
void profile_part(const char* part);

// A row per operation and scope, longest first, then the loop's parts and the sum: calls and ms per
// step, share in %. Operations with less than `least` % are one row; those of validation belong to
// the part of that name.
std::string profile_table(const std::vector<ProfileRow>& rows, int64_t steps, double least = 0);

}  // namespace casimir
