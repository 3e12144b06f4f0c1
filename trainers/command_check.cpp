#include "core/error.h"
#include "core/parallel.h"
#include "trainers/check.h"
#include "trainers/command_inputs.h"
#include "trainers/commands.h"
#include "trainers/table.h"

namespace casimir {

namespace {

// Of all frames, `wanted` evenly spaced ones.
std::vector<Frame> choose(std::vector<Frame> frames, int64_t wanted) {
  const auto have = static_cast<int64_t>(frames.size());
  if (have <= wanted) return frames;
  std::vector<Frame> chosen;
  for (int64_t i = 0; i < wanted; ++i) chosen.push_back(std::move(frames[i * have / wanted]));
  return chosen;
}

void append(std::vector<CheckResult>& all, std::vector<CheckResult> more, const char* type) {
  for (CheckResult& result : more) {
    result.quantity += type;
    all.push_back(std::move(result));
  }
}

}  // namespace

int check_command(const CheckCommand& command, const Console& console) {
  const std::string path = model_file_of(command.model);
  set_num_threads(static_cast<int>(command.threads));
  const Model stored = load_model(path);
  const Model exact = load_model(path, DType::f64);
  const auto seed = static_cast<uint64_t>(command.seed);
  std::vector<Frame> frames =
      command.data.empty() ? check_structures(exact.potential->elements(), command.frames, seed)
                           : choose(read_extxyz(command.data, command.keys), command.frames);
  check<DataError>(!frames.empty(), command.data, ": no frames");

  int64_t atoms = 0;
  for (const Frame& frame : frames) atoms += static_cast<int64_t>(frame.size());
  console.out << path << " (" << stored.dtype() << ", " << symbols_of(exact.potential->elements())
              << ") on " << plural(static_cast<int64_t>(frames.size()), "structure") << " of "
              << plural(atoms, "atom")
              << (command.data.empty() ? ", made at random" : ", from " + command.data) << "\n";
  std::vector<CheckResult> results;
  append(results, check_symmetry(exact, frames, seed), "");
  append(results, check_derivatives(exact, frames, seed), "");
  append(results, check_smoothness(exact), "");
  append(results, check_additivity(exact, frames), "");
  if (stored.dtype() != DType::f64) append(results, check_symmetry(stored, frames, seed), ", f32");

  console.out << check_text(results);
  int64_t failed = 0;
  for (const CheckResult& result : results) failed += !result.holds();
  const auto total = static_cast<int64_t>(results.size());
  if (failed == 0)
    console.out << console.green("all " + count_text(total) + " hold") << "\n";
  else
    console.out << console.red(count_text(failed) + " of " + count_text(total) + " do not hold")
                << "\n";
  return failed == 0 ? 0 : 1;
}

}  // namespace casimir
