// SIGTERM, SIGINT and SIGUSR1 ask the training to save at the next step and end with exit code 75.
// A second SIGINT ends the program at once.
#pragma once

namespace casimir {

class StopSignals {
 public:
  StopSignals();   // installs the handlers
  ~StopSignals();  // restores the former ones
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  static bool asked();
  static const char* name();  // "SIGTERM"; "" when none came
};

}  // namespace casimir
