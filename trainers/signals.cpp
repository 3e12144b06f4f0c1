#include "trainers/signals.h"

#include <csignal>

namespace casimir {

namespace {

volatile std::sig_atomic_t received = 0;
constexpr int watched[] = {SIGTERM, SIGINT, SIGUSR1};
struct sigaction former[3];

// The handler's own (core/parallel.h says why).
alignas(64) char handler_stack[1 << 16];
stack_t former_stack;

extern "C" void remember(int signal) {
  received = signal;
  if (signal == SIGINT) std::signal(SIGINT, SIG_DFL);
}

}  // namespace

StopSignals::StopSignals() {
  received = 0;
  struct sigaction action {};
  action.sa_handler = remember;
  action.sa_flags = SA_RESTART | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  stack_t own{};
  own.ss_sp = handler_stack;
  own.ss_size = sizeof handler_stack;
  sigaltstack(&own, &former_stack);
  for (int i = 0; i < 3; ++i) sigaction(watched[i], &action, &former[i]);
}

StopSignals::~StopSignals() {
  for (int i = 0; i < 3; ++i) sigaction(watched[i], &former[i], nullptr);
  sigaltstack(&former_stack, nullptr);
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
