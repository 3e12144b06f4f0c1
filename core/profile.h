// Where the time of the calling thread goes, by op and scope; for `casimir train --profile`.
//
// Ops run one after the other, so the time between the ends of two ops is the second one's: what
// stands between them (shapes, memory, the tape) counts as part of it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace casimir {

void start_profile();  // forgets what was measured before
void stop_profile();

// The time since the last mark is `what`'s, in the current scope. Costs nothing when off.
void profile_mark(const char* what);

struct ProfileRow {
  std::string what, scope;
  int64_t calls = 0;
  double seconds = 0;
};
std::vector<ProfileRow> profile_rows();  // longest first

}  // namespace casimir
