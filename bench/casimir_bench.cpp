// The rows of the benchmark, by Google Benchmark or as a program that answers.
//
//   casimir_bench --data train_300K.xyz [--threads N] [--benchmark_filter=train.* ...]
//   casimir_bench --data train_300K.xyz --serve ROW [--threads N] [--model FILE] [--library NAME]
//
// With --serve each line of the standard input is answered by one line, so that bench/compare.py
// can alternate with a peer: "run": milliseconds; "fingerprint": norm and projection of each
// result; "peak": GFLOP/s of matrix products of the row's type; "gflop"; "threads"; "memory": MB of
// the largest resident memory above what the program held before it made the row.
#include <benchmark/benchmark.h>

#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <map>

#include "bench/workload.h"
#include "core/parallel.h"

namespace casimir {

namespace {

struct Arguments {
  WorkloadOptions workload;
  std::string serve;  // a row
  int threads = 0;
};

int whole_number(const std::string& name, const std::string& text, int most) {
  char* end = nullptr;
  const long value = std::strtol(text.c_str(), &end, 10);
  check<UsageError>(!text.empty() && *end == '\0' && value >= 0 && value <= most, name,
                    ": expected a whole number from 0 to ", most, ", found '", text, "'");
  return static_cast<int>(value);
}

// Takes our own options out of argv; the rest is Google Benchmark's.
Arguments take_arguments(int& argc, char** argv) {
  Arguments arguments;
  std::string threads = "0";
  const std::map<std::string, std::string*> options{{"--data", &arguments.workload.data},
                                                    {"--model", &arguments.workload.model},
                                                    {"--library", &arguments.workload.library},
                                                    {"--serve", &arguments.serve},
                                                    {"--threads", &threads}};
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const auto option = options.find(argv[i]);
    if (option == options.end()) {
      argv[kept++] = argv[i];
      continue;
    }
    check<UsageError>(i + 1 < argc, argv[i], ": expected a value");
    *option->second = argv[++i];
  }
  argc = kept;
  arguments.threads = whole_number("--threads", threads, 1024);
  return arguments;
}

constexpr double megabyte = 1e6;

double resident_now() {
  int64_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages >> pages;
  return static_cast<double>(pages * sysconf(_SC_PAGESIZE)) / megabyte;
}

double resident_peak() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) * 1024 / megabyte;
}

std::string answer(const Row& row, const Workload& work, double base, const std::string& line) {
  if (line == "run") return concat_text(time_run(work));
  if (line == "peak") return concat_text(matmul_peak(row.dtype));
  if (line == "gflop") return concat_text(row.gflop);
  if (line == "threads") return concat_text(num_threads());
  if (line == "memory") return concat_text(resident_peak() - base);
  if (line == "fingerprint") {
    std::ostringstream out;
    out.precision(17);
    for (double number : fingerprint(work.results())) out << number << " ";
    return out.str();
  }
  return "unknown: run, fingerprint, peak, gflop, threads or memory";
}

void serve(const Arguments& arguments) {
  const std::vector<Row> rows = all_rows();
  const Row& row = find_row(rows, arguments.serve);
  const double base = resident_now();
  const Workload work = row.make(arguments.workload);
  for (std::string line; std::getline(std::cin, line);)
    std::cout << answer(row, work, base, line) << std::endl;
}

void run_row(benchmark::State& state, const Row& row, const WorkloadOptions& options) {
  const Workload work = row.make(options);
  for (int i = 0; i < 2; ++i) work.run();  // allocator and caches
  for (auto _ : state) work.run();
  if (row.gflop > 0)
    state.counters["GFLOP/s"] =
        benchmark::Counter(row.gflop, benchmark::Counter::kIsIterationInvariantRate);
}

void add_peak(const std::string& name, DType dtype) {
  benchmark::RegisterBenchmark(name.c_str(),
                               [=](benchmark::State& state) {
                                 for (auto _ : state)
                                   state.counters["GFLOP/s"] = matmul_peak(dtype);
                               })
      ->Iterations(1)
      ->Unit(benchmark::kMillisecond)
      ->UseRealTime();
}

void add_rows(const Arguments& arguments) {
  for (const Row& row : all_rows())
    benchmark::RegisterBenchmark(
        row.name.c_str(), [=](benchmark::State& state) { run_row(state, row, arguments.workload); })
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  add_peak("peak_f32", DType::f32);
  add_peak("peak_f64", DType::f64);
}

int run(int argc, char** argv) {
  Arguments arguments = take_arguments(argc, argv);
  set_num_threads(arguments.threads);
  if (!arguments.serve.empty()) {
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
