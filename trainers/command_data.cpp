#include <algorithm>
#include <filesystem>

#include "core/error.h"
#include "datasets/extxyz.h"
#include "datasets/silicon.h"
#include "trainers/commands.h"
#include "trainers/table.h"

namespace casimir {

int data_silicon_command(const SiliconCommand& command, const Console& console) {
  SiliconOptions options;
  options.frames = command.frames;
  options.seed = static_cast<uint64_t>(command.seed);
  if (!command.repeat.empty()) std::copy_n(command.repeat.begin(), 3, options.repeat.begin());
  options.rattle_max = command.rattle_max.value_or(options.rattle_max);
  options.rattle_min =
      command.rattle_min.value_or(std::min(options.rattle_min, options.rattle_max));
  options.strain = command.strain.value_or(options.strain);
  options.vacancies = command.vacancies.value_or(options.vacancies);
  check<UsageError>(options.rattle_min <= options.rattle_max, "silicon: --rattle-min ",
                    options.rattle_min, " is above --rattle-max ", options.rattle_max);
  std::vector<Frame> frames = make_silicon(options);
  const std::filesystem::path folder = std::filesystem::path(command.out).parent_path();
  std::error_code error;  // what cannot be made is named by the write
  if (!folder.empty()) std::filesystem::create_directories(folder, error);
  write_extxyz(command.out, frames);
  int64_t atoms = 0;
  for (const Frame& frame : frames) atoms += static_cast<int64_t>(frame.size());
  console.out << command.out << ": " << plural(static_cast<int64_t>(frames.size()), "frame") << ", "
              << count_text(atoms)
              << " silicon atoms, Stillinger-Weber energy, forces and stress\n";
  return 0;
}

}  // namespace casimir
