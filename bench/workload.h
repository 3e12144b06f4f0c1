// The rows of the benchmark: what is timed, and the numbers by which a peer shows that it does the
// same work.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "autograd/tensor.h"

namespace casimir {

using Results = std::vector<std::vector<double>>;

struct Workload {
  std::function<void()> run;
  std::function<Results()> results;  // of one run, in the order of the peer's; before any run
};

struct WorkloadOptions {
  std::string data;     // extended XYZ; models only: the first five frames
  std::string model;    // file with the peer's weights; empty: random ones
  std::string library;  // matmul only: instead of casimir's own product
};

struct Row {
  std::string name;
  DType dtype = DType::f32;
  double gflop = 0;  // arithmetic of one run; 0: nobody counted
  std::function<Workload(const WorkloadOptions&)> make;
};

std::vector<Row> model_rows();     // model_workload.cpp
std::vector<Row> kernel_rows();    // kernels_workload.cpp
std::vector<Row> neighbor_rows();  // neighbors_workload.cpp
std::vector<Row> matmul_rows();    // matmul_workload.cpp
std::vector<Row> all_rows();
const Row& find_row(const std::vector<Row>& rows, const std::string& name);

// Number i of the pseudo-random input of that name: uniform with mean 0 and variance 1. SplitMix64
// of i in the stream FNV-1a(name); bench/peers/server.py has the same formula.
class Input {
 public:
  explicit Input(const std::string& name);
  double operator[](uint64_t i) const;
  std::vector<double> values(int64_t count) const;
  Tensor tensor(const Shape& shape, DType dtype) const;

 private:
  uint64_t stream_;
};

// Norm of each result and its product with the input "projection": what is compared.
std::vector<double> fingerprint(const Results& results);

// A workload whose results are the tensors of `compute`.
Workload tensor_workload(std::function<Tensors()> compute);

// Milliseconds of one run: the mean of as many as fill 20 ms.
double time_run(const Workload& workload);

// Largest rate of matrix products of that type, 1024^3, over all threads, in GFLOP/s.
double matmul_peak(DType dtype);

}  // namespace casimir
