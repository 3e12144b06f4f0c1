// The text of the error that f throws, for tests that compare whole messages.
#pragma once

#include <exception>
#include <string>

// Another kind of error than `Kind`, or none, gives a text that says so.
template <class Kind, class F>
std::string message_of(F f) {
  try {
    f();
  } catch (const Kind& error) {
    return error.what();
  } catch (const std::exception& error) {
    return std::string("another kind of error: ") + error.what();
  }
  return "nothing was thrown";
}
