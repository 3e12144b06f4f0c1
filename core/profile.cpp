#include "core/profile.h"

#include <algorithm>
#include <chrono>
#include <map>

#include "core/error.h"

namespace casimir {

namespace {

using Clock = std::chrono::steady_clock;

struct Profile {
  bool on = false;
  Clock::time_point last;
  std::map<std::pair<std::string, std::string>, ProfileRow> rows;
};
thread_local Profile profile;

}  // namespace

void start_profile() {
  profile.rows.clear();
  profile.last = Clock::now();
  profile.on = true;
}

void stop_profile() {
  profile.on = false;
}

void profile_mark(const char* what) {
  if (!profile.on) return;
  const Clock::time_point now = Clock::now();
  std::string scope = Scope::path();
  ProfileRow& row = profile.rows[{what, scope}];
  row.what = what;
  row.scope = std::move(scope);
  ++row.calls;
  row.seconds += std::chrono::duration<double>(now - profile.last).count();
  profile.last = Clock::now();
}

std::vector<ProfileRow> profile_rows() {
  std::vector<ProfileRow> rows;
  for (const auto& [key, row] : profile.rows) rows.push_back(row);
  std::stable_sort(rows.begin(), rows.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
  return rows;
}

}  // namespace casimir
