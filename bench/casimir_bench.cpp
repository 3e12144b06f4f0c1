// Google Benchmark rows of the whole training step and inference of MACE, 128 channels.
//
//   casimir_bench --data train_300K.xyz [--threads N] [--benchmark_filter=train.* ...]
//   casimir_bench --data train_300K.xyz --serve [--lmax-hidden L] [--model FILE]
//
// With --serve each line of the standard input is answered by one line, so that scripts/bench can
// alternate with a peer: "train", "infer": milliseconds; "gflop": of train and infer; "peak":
// GFLOP/s of sgemm; "fingerprint": energies and force norm; "threads".
#include <benchmark/benchmark.h>

#include <chrono>
#include <cstdio>
#include <iostream>
#include <map>

#include "bench/mace_workload.h"
#include "core/parallel.h"

namespace casimir {

namespace {

struct Arguments {
  std::string data, model;
  int l_hidden = 2, threads = 0;
  bool serve = false;
};

int whole_number(const std::string& name, const std::string& text, int most) {
  char* end = nullptr;
  long value = std::strtol(text.c_str(), &end, 10);
  check<UsageError>(!text.empty() && *end == '\0' && value >= 0 && value <= most, name,
                    ": expected a whole number from 0 to ", most, ", found '", text, "'");
  return static_cast<int>(value);
}

// Takes our own options out of argv; the rest is Google Benchmark's.
Arguments take_arguments(int& argc, char** argv) {
  std::map<std::string, std::string> given;
  Arguments arguments;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    std::string name = argv[i];
    if (name == "--serve") {
      arguments.serve = true;
    } else if (name == "--data" || name == "--model" || name == "--lmax-hidden" ||
               name == "--threads") {
      check<UsageError>(i + 1 < argc, name, ": expected a value");
      given[name] = argv[++i];
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  arguments.data = given["--data"];
  arguments.model = given["--model"];
  check<UsageError>(!arguments.data.empty(),
                    "expected --data FILE: train_300K.xyz of the 3BPA set, "
                    "https://github.com/davkovacs/BOTNet-datasets (dataset_3BPA)");
  if (given.count("--lmax-hidden"))
    arguments.l_hidden = whole_number("--lmax-hidden", given["--lmax-hidden"], 2);
  if (given.count("--threads"))
    arguments.threads = whole_number("--threads", given["--threads"], 1024);
  return arguments;
}

template <class F>
double milliseconds(F work) {
  auto start = std::chrono::steady_clock::now();
  work();
  std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
  return time.count();
}

std::string answer(MaceWorkload& work, const Arguments& arguments, const std::string& line) {
  if (line == "train") return concat_text(milliseconds([&] { work.train(); }));
  if (line == "infer") return concat_text(milliseconds([&] { work.infer(); }));
  if (line == "peak") return concat_text(sgemm_peak());
  if (line == "threads") return concat_text(num_threads());
  if (line == "gflop")
    return concat_text(MaceWorkload::train_gflop(arguments.l_hidden), " ",
                       MaceWorkload::infer_gflop(arguments.l_hidden));
  if (line == "fingerprint") {
    std::ostringstream out;
    out.precision(9);
    for (double number : work.fingerprint()) out << number << " ";
    return out.str();
  }
  return "unknown: train, infer, gflop, peak, fingerprint or threads";
}

void serve(const Arguments& arguments) {
  MaceWorkload work(arguments.data, arguments.l_hidden, arguments.model);
  for (std::string line; std::getline(std::cin, line);)
    std::cout << answer(work, arguments, line) << std::endl;
}

void run_row(benchmark::State& state, const Arguments& arguments, int l_hidden, bool train) {
  MaceWorkload work(arguments.data, l_hidden);
  for (int i = 0; i < 3; ++i) train ? work.train() : work.infer();  // allocator and caches
  for (auto _ : state) train ? work.train() : work.infer();
  double gflop = train ? MaceWorkload::train_gflop(l_hidden) : MaceWorkload::infer_gflop(l_hidden);
  state.counters["GFLOP/s"] =
      benchmark::Counter(gflop, benchmark::Counter::kIsIterationInvariantRate);
}

void add_rows(const Arguments& arguments) {
  for (bool train : {true, false})
    for (int l = 0; l < 3; ++l)
      benchmark::RegisterBenchmark(
          concat_text(train ? "train_step_mace_l" : "infer_mace_l", l).c_str(),
          [=](benchmark::State& state) { run_row(state, arguments, l, train); })
          ->Unit(benchmark::kMillisecond)
          ->UseRealTime();
  benchmark::RegisterBenchmark("sgemm_peak",
                               [](benchmark::State& state) {
                                 for (auto _ : state) state.counters["GFLOP/s"] = sgemm_peak();
                               })
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

int run(int argc, char** argv) {
  Arguments arguments = take_arguments(argc, argv);
  set_num_threads(arguments.threads);
  if (arguments.serve) {
    check<UsageError>(argc == 1, "--serve: unknown option '", argv[argc - 1], "'");
    serve(arguments);
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  add_rows(arguments);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace

}  // namespace casimir

int main(int argc, char** argv) {
  try {
    return casimir::run(argc, argv);
  } catch (const casimir::Error& error) {
    std::cerr << "casimir_bench: " << error.what() << "\n";
    return error.exit_code();
  }
}
