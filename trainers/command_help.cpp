#include <fmt/core.h>

#include "core/device.h"
#include "core/error.h"
#include "core/gemm.h"
#include "core/parallel.h"
#include "equivariant/convolution.h"
#include "trainers/commands.h"
#include "trainers/options.h"

namespace casimir {

namespace {

const char* vector_instructions() {
#if defined(__AVX512F__) && defined(__AVX512DQ__)
  return "AVX-512";
#elif defined(__AVX2__)
  return "AVX2";
#elif defined(__ARM_NEON)
  return "NEON";
#else
  return "baseline";
#endif
}

}  // namespace

std::string kernels_text() {
  return fmt::format("{}, convolutions unrolled up to degree {}", vector_instructions(),
                     ConvolutionPaths::unrolled_degree);
}

std::string usage_text() {
  return
      R"(casimir trains interatomic potentials that respect the symmetries of space.

The three commands to begin with:

  casimir train configs/quickstart.yaml       train; everything goes to runs/quickstart/
  casimir evaluate runs/quickstart test.xyz   errors on data the model has not seen
  casimir check runs/quickstart               symmetries, forces, smoothness: number against bound

Your own data: copy a file of configs/, name your extended XYZ files in it, and look before you leap:

  casimir info mine.xyz                       what the file holds: elements, labels, ranges
  casimir train mine.yaml --dry-run           data, model, memory, steps, time per step; writes nothing
  casimir train mine.yaml train.epochs=50     any key can be replaced on the command line

Interrupted? Give the same command again: it goes on where it stopped, to the same bits.

Commands:

  train CONFIG [key=value ...]   train the potential that a YAML file describes
  evaluate MODEL... DATA...      energy, force and stress errors; predictions with --predictions
  report MODEL [DATA]            one page: learning curves, parity plots, errors, settings
  info FILE                      what a model, checkpoint, run or data set holds
  check MODEL [DATA]             test a model against what must hold; ends with 0 only if all does
  data make silicon --out FILE   a data set from the built-in Stillinger-Weber potential
  help config                    every key of a configuration: type, default, meaning

  casimir COMMAND --help         options and examples of one command
  casimir --version              version, instruction set, libraries

Exit codes: 0 done, 1 a check failed, 2 usage, 3 diverged, 65 bad data or model file, 66 file missing,
69 device missing, 70 a fault of casimir, 74 input/output, 75 stopped and resumable, 78 bad config.
)";
}

std::string config_help_text() {
  return "Keys of a configuration, as `casimir train` reads them. On the command line the same "
         "keys "
         "are\nwritten with dots: train.optimizer.lr=1e-3\n\n" +
         to_help<RunOptions>() + "\nWith model.kind: nequip, instead of the keys of mace:\n\n" +
         to_help<NequipOptions>({}, 2);
}

std::string version_text() {
  return fmt::format("casimir {}\n{}, {} thread{}, {}{}\n", CASIMIR_VERSION, kernels_text(),
                     available_threads(), available_threads() == 1 ? "" : "s", gemm_libraries(),
                     cuda_built ? ", CUDA" : "");
}

int help_command(const std::string& topic, const Console& console) {
  if (topic.empty())
    console.out << usage_text();
  else if (topic == "config")
    console.out << config_help_text();
  else
    fail<UsageError>("help: unknown topic '", topic, "'",
                     did_you_mean(topic, {"config", "train", "evaluate", "report", "info", "check",
                                          "data", "help"}));
  return 0;
}

}  // namespace casimir
