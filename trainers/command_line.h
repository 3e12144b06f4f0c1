// The command line: what was typed becomes one function of commands.h with its options.
#pragma once

#include <functional>

#include "trainers/commands.h"

namespace casimir {

// Does what was asked for and returns the exit code.
using Run = std::function<int(const Console&)>;

// argv[0] is the program. UsageError on anything not understood; nothing is run or read yet.
Run read_command_line(int argc, const char* const* argv);

}  // namespace casimir
