#include "autograd/tape.h"
#include "core/config.h"
#include "core/files.h"
#include "trainers/commands.h"
#include "trainers/trainer.h"

namespace casimir {

int train_command(const TrainCommand& command, const Console&) {
  Config config = Config::load(command.config);
  for (const std::string& assignment : command.overrides) config.override_with(assignment);
  RunOptions options = read_options(config);
  if (command.threads) options.step.threads = *command.threads;
  set_check_finite(command.check_finite);
  prepare_device(options.step);
  if (command.dry_run) return dry_run(options);

  RunRequest request;
  request.options = options;
  request.config_text = read_file(command.config);
  if (!command.overrides.empty()) request.config_text += "\n# Replaced on the command line:\n";
  for (const std::string& assignment : command.overrides)
    request.config_text += "#   " + assignment + "\n";
  request.folder = command.run_dir.empty() ? default_run_folder(command.config) : command.run_dir;
  request.resume = command.resume;
  request.profile = command.profile;
  return train(request);
}

}  // namespace casimir
