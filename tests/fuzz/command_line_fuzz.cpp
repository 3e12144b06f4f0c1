// Words of the command line, one per line. Nothing is run; assignments go as far as the options.
#include "trainers/command_line.h"

#include "core/config.h"
#include "tests/fuzz/fuzz.h"
#include "trainers/options.h"

using namespace casimir;
using namespace casimir::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::string> words{"casimir"};
  for (char c : text_of(data, size)) {
    if (c == '\n' || c == '\0')
      words.emplace_back();
    else if (words.size() == 1)
      words.emplace_back(1, c);
    else
      words.back() += c;
  }
  std::vector<const char*> argv;
  for (const std::string& word : words) argv.push_back(word.c_str());
  const bool understood = accepts([&] {
    const Run run = read_command_line(static_cast<int>(argv.size()), argv.data());
    require(static_cast<bool>(run), "a command line that is understood asks for something");
  });
  if (!understood) return 0;
  Config config = Config::parse("data: {train: a.xyz}", "a.yaml");
  for (const std::string& word : words)
    if (word.find('=') != std::string::npos) accepts([&] { config.override_with(word); });
  accepts([&] { read_options(config); });
  return 0;
}
