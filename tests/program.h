// Runs the real program, as a user does, and gives back what came out of it.
#pragma once

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

struct Outcome {
  int code = -1;   // exit code; -1: ended by a signal
  int signal = 0;  // that signal
  std::string out, err;
};

inline std::string content_of(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_content(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
}

// `arguments` are separated by blanks; a word in 'single quotes' may hold blanks. Runs in `folder`.
inline std::vector<std::string> words_of(const std::string& arguments) {
  std::vector<std::string> words;
  std::string word;
  bool quoted = false, begun = false;
  for (char c : arguments + " ") {
    if (c == '\'') {
      quoted = !quoted;
      begun = true;
    } else if (c == ' ' && !quoted) {
      if (begun) words.push_back(word);
      word.clear();
      begun = false;
    } else {
      word += c;
      begun = true;
    }
  }
  return words;
}

// The program at work, its output in two files of `folder`.
struct Running {
  pid_t process = -1;
  std::string out, err;
};

inline Running start_program(const std::string& folder, const std::string& arguments) {
  Running running{-1, folder + "/stdout.txt", folder + "/stderr.txt"};
  std::vector<std::string> words = words_of(arguments);
  words.insert(words.begin(), CASIMIR_PROGRAM);
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  running.process = ::fork();
  if (running.process == 0) {
    // Where the program is built with AddressSanitizer: no memory is an error as without it.
    ::setenv("ASAN_OPTIONS", "detect_leaks=1:allocator_may_return_null=1", 1);
    const int o = ::open(running.out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    const int e = ::open(running.err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    if (::chdir(folder.c_str()) != 0 || ::dup2(o, 1) < 0 || ::dup2(e, 2) < 0) ::_exit(126);
    ::execv(CASIMIR_PROGRAM, argv.data());
    ::_exit(127);
  }
  return running;
}

inline Outcome outcome_of(const Running& running) {
  int status = 0;
  Outcome outcome;
  if (running.process < 0 || ::waitpid(running.process, &status, 0) != running.process)
    return outcome;
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  if (WIFSIGNALED(status)) outcome.signal = WTERMSIG(status);
  outcome.out = content_of(running.out);
  outcome.err = content_of(running.err);
  ::unlink(running.out.c_str());
  ::unlink(running.err.c_str());
  return outcome;
}

inline Outcome run_program(const std::string& folder, const std::string& arguments) {
  return outcome_of(start_program(folder, arguments));
}
