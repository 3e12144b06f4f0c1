#include "trainers/signals.h"

#include <doctest/doctest.h>

#include <csignal>
#include <string>

using namespace casimir;

namespace {

using Handler = void (*)(int);
Handler handler_of(int signal) {
  struct sigaction now {};
  sigaction(signal, nullptr, &now);
  return now.sa_handler;
}

}  // namespace

TEST_CASE("signals: SIGTERM, SIGINT and SIGUSR1 ask to stop, and the former handlers come back") {
  Handler before = handler_of(SIGTERM);
  for (int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    StopSignals signals;
    CHECK_FALSE(StopSignals::asked());
    CHECK(std::string(StopSignals::name()).empty());
    std::raise(signal);
    CHECK(StopSignals::asked());
    std::string name = signal == SIGTERM ? "SIGTERM" : signal == SIGINT ? "SIGINT" : "SIGUSR1";
    CHECK(StopSignals::name() == name);
  }
  bool back = handler_of(SIGTERM) == before;
  CHECK(back);
}

TEST_CASE("signals: after one SIGINT the next has its usual effect") {
  StopSignals signals;
  std::raise(SIGINT);
  bool usual = handler_of(SIGINT) == SIG_DFL;
  CHECK(usual);
}
