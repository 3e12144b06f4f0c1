// A configuration up to the first zero byte, then assignments of the command line, one per line.
#include "core/config.h"
#include "tests/fuzz/fuzz.h"
#include "trainers/options.h"

using namespace casimir;
using namespace casimir::fuzz;

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view input = text_of(data, size);
  const size_t end = std::min(input.find('\0'), input.size());
  std::string_view rest = input.substr(std::min(end + 1, input.size()));
  accepts([&] {
    Config config = Config::parse(std::string(input.substr(0, end)), "a.yaml");
    while (!rest.empty()) {
      const size_t line = std::min(rest.find('\n'), rest.size());
      accepts([&] { config.override_with(std::string(rest.substr(0, line))); });
      rest.remove_prefix(std::min(line + 1, rest.size()));
    }
    const std::string text = config.dump();
    require(Config::parse(text, "dump").dump() == text, "a dump reads back as itself:\n" + text);
    const std::string options = to_yaml(read_options(config));
    require(to_yaml(read_options(Config::parse(options, "options"))) == options,
            "options read back as themselves:\n" + options);
  });
  return 0;
}
