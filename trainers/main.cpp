// The program: errors become messages and exit codes (docs/exit-codes.md).
#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <new>

#include "core/error.h"
#include "core/parallel.h"
#include "trainers/command_line.h"

namespace casimir {

namespace {

bool wants_colour() {
  const char* off = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && (off == nullptr || *off == '\0') &&
         (term == nullptr || std::string(term) != "dumb");
}

// What was printed has to have arrived; a reader that closed the pipe has had enough.
int finish(int code) {
  errno = 0;
  std::cout.flush();
  if (std::cout.good() || errno == EPIPE || errno == 0) return code;
  fmt::print(stderr, "casimir: error: cannot write the output: {}\n", std::strerror(errno));
  return code == 0 ? 74 : code;
}

}  // namespace

}  // namespace casimir

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  casimir::flush_denormals(true);
  int code = 70;
  try {
    const casimir::Console console{std::cout, std::cerr, casimir::wants_colour()};
    code = casimir::read_command_line(argc, argv)(console);
  } catch (const casimir::Error& error) {
    std::cout.flush();
    fmt::print(stderr, "casimir: error: {}\n", error.what());
    code = error.exit_code();
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "casimir: error: out of memory\n");
  } catch (const std::exception& error) {
    fmt::print(stderr, "casimir: error: {}\n", error.what());
  }
  return casimir::finish(code);
}
