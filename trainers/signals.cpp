#include "trainers/signals.h"

#include <csignal>

namespace casimir {

namespace {

volatile std::sig_atomic_t received = 0;
constexpr int watched[] = {SIGTERM, SIGINT, SIGUSR1};
struct sigaction former[3];

extern "C" void remember(int signal) {
  received = signal;
  if (signal == SIGINT) std::signal(SIGINT, SIG_DFL);
}

}  // namespace

StopSignals::StopSignals() {
  received = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (int i = 0; i < 3; ++i) sigaction(watched[i], &action, &former[i]);
}

StopSignals::~StopSignals() {
  for (int i = 0; i < 3; ++i) sigaction(watched[i], &former[i], nullptr);
}

bool StopSignals::asked() {
  return received != 0;
}

const char* StopSignals::name() {
  int signal = received;
  return signal == SIGTERM   ? "SIGTERM"
         : signal == SIGINT  ? "SIGINT"
         : signal == SIGUSR1 ? "SIGUSR1"
                             : "";
}

}  // namespace casimir
