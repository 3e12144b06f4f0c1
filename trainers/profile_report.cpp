#include "trainers/profile_report.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/error.h"
#include "trainers/table.h"

namespace casimir {

namespace {

constexpr const char* loop_scope = "training loop";

bool within(const std::string& scope, const std::string& outer) {
  return scope == outer || scope.starts_with(outer + ".");
}

struct Parts {
  std::vector<ProfileRow> operations, loop;
  double seconds = 0;
};

Parts parts_of(const std::vector<ProfileRow>& rows) {
  Parts parts;
  ProfileRow validation{validation_scope, loop_scope, 0, 0};
  for (const ProfileRow& row : rows) {
    parts.seconds += row.seconds;
    if (within(row.scope, validation_scope)) {
      validation.seconds += row.seconds;
      if (row.what == validation_scope) validation.calls += row.calls;
    } else {
      (row.scope == loop_scope ? parts.loop : parts.operations).push_back(row);
    }
  }
  if (validation.seconds > 0) parts.loop.push_back(validation);
  std::stable_sort(parts.loop.begin(), parts.loop.end(),
                   [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
  return parts;
}

constexpr const char* hint =
    "Scopes in .backward make forces and gradients; a loader above a few % keeps the steps "
    "waiting.\n";

}  // namespace

void profile_part(const char* part) {
  Scope scope(loop_scope);
  profile_mark(part);
}

std::string profile_table(const std::vector<ProfileRow>& rows, int64_t steps, double least) {
  const Parts parts = parts_of(rows);
  const auto per_step = static_cast<double>(std::max<int64_t>(steps, 1));
  auto share = [&](const ProfileRow& row) { return 100 * row.seconds / parts.seconds; };
  Table table({{"operation", "", true},
               {"scope", "", true},
               {"calls", "per step"},
               {"time", "ms/step"},
               {"share", "%"}});
  auto add = [&](const ProfileRow& row) {
    table.row({row.what, row.scope, number_text(static_cast<double>(row.calls) / per_step),
               fmt::format("{:.3f}", 1e3 * row.seconds / per_step),
               fmt::format("{:.2f}", share(row))});
  };
  ProfileRow small, all{"all", "", 0, parts.seconds};
  int64_t count = 0;
  for (const ProfileRow& row : parts.operations) {
    all.calls += row.calls;
    if (share(row) >= least) {
      add(row);
      continue;
    }
    ++count;
    small.calls += row.calls;
    small.seconds += row.seconds;
  }
  small.what = plural(count, "smaller one");
  if (count > 0) add(small);
  table.rule();
  for (const ProfileRow& row : parts.loop) {
    all.calls += row.calls;
    add(row);
  }
  table.rule();
  add(all);
  return concat_text("profile of ", plural(steps, "step"), " in ", number_text(parts.seconds),
                     " s\n", table.text(), hint);
}

}  // namespace casimir
