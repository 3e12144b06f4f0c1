// The commands of the program as functions of plain options; command_line.cpp fills these in. Each
// returns the exit code (docs/exit-codes.md) or throws an Error, which carries its own.
#pragma once

#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "datasets/extxyz.h"

namespace casimir {

// Where a command writes what people read. Colours only on a terminal, and not with NO_COLOR set.
struct Console {
  std::ostream& out;
  std::ostream& notes;  // progress and remarks: stderr, so that output can be piped
  bool colour = false;

  std::string green(const std::string& text) const { return paint("32", text); }
  std::string red(const std::string& text) const { return paint("31", text); }
  std::string bold(const std::string& text) const { return paint("1", text); }

 private:
  std::string paint(const char* code, const std::string& text) const {
    return colour ? concat(code, text) : text;
  }
  static std::string concat(const char* code, const std::string& text) {
    return std::string("\033[") + code + "m" + text + "\033[0m";
  }
};

struct TrainCommand {
  std::string config;
  std::vector<std::string> overrides;  // "train.epochs=10"
  std::string run_dir;                 // empty: runs/<stem of config>
  std::string resume = "auto";         // auto | never | path of a checkpoint
  bool dry_run = false, check_finite = false, profile = false;
  std::optional<int64_t> threads;  // stronger than step.threads
};
int train_command(const TrainCommand& command, const Console& console);

struct EvaluateCommand {
  std::string model;              // file, or the folder of a run
  std::vector<std::string> data;  // after any further models, with which it is a committee
  std::string index = ":";
  ExtxyzKeys keys;
  std::string json, predictions;  // files to write; empty: none
  int64_t batch_size = 0;         // frames; 0: as many as fill a batch of edges
  std::string dtype;              // float32 | float64; empty: as stored
  std::string device = "cpu";
  int64_t threads = 0;
};
int evaluate_command(const EvaluateCommand& command, const Console& console);

struct ReportCommand {
  std::string model;              // file, or the folder of a run
  std::vector<std::string> data;  // none: a run's validation set
  std::string index = ":";
  ExtxyzKeys keys;
  std::string out, svg;  // file and folder; out empty: report.html beside the model
  std::string dtype;     // float32 | float64; empty: as stored
  std::string device = "cpu";
  int64_t threads = 0;
};
int report_command(const ReportCommand& command, const Console& console);

struct InfoCommand {
  std::string path;  // model, checkpoint, data set, or the folder of a run; empty: the program
  ExtxyzKeys keys;
  bool full_config = false;  // print the whole configuration of a model
};
int info_command(const InfoCommand& command, const Console& console);

struct CheckCommand {
  std::string model, data;  // no data: structures made from the model's elements
  ExtxyzKeys keys;
  int64_t frames = 4;
  int64_t seed = 1;
  int64_t threads = 0;
};
int check_command(const CheckCommand& command, const Console& console);

struct SiliconCommand {
  std::string out;
  int64_t frames = 250, seed = 1;
  std::vector<int64_t> repeat;  // three numbers; empty: a mix of small cells
  std::optional<double> rattle_min, rattle_max, strain, vacancies;
};
int data_silicon_command(const SiliconCommand& command, const Console& console);

std::string usage_text();        // casimir --help: how to begin
std::string config_help_text();  // casimir help config: every key
std::string version_text();      // casimir --version
// The instruction set of this program's own loops, and the degrees up to which the convolution's
// have lengths known when it was built: "AVX2, convolutions unrolled up to degree 3".
std::string kernels_text();
int help_command(const std::string& topic, const Console& console);

}  // namespace casimir
