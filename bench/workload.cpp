#include "bench/workload.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/gemm.h"

namespace casimir {

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::vector<double> numbers_of(const Tensor& x) {
  return x.array().cast(DType::f64).to_vector<double>();
}

}  // namespace

std::vector<Row> all_rows() {
  std::vector<Row> rows;
  for (auto some : {model_rows(), kernel_rows(), neighbor_rows(), matmul_rows()})
    rows.insert(rows.end(), some.begin(), some.end());
  return rows;
}

const Row& find_row(const std::vector<Row>& rows, const std::string& name) {
  std::vector<std::string> names;
  for (const Row& row : rows) {
    if (row.name == name) return row;
    names.push_back(row.name);
  }
  fail<UsageError>("--serve: no row '", name, "'", did_you_mean(name, names));
}

Input::Input(const std::string& name) {
  uint32_t hash = 2166136261;
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 16777619;
  stream_ = static_cast<uint64_t>(hash) << 32;
}

double Input::operator[](uint64_t i) const {
  uint64_t z = (stream_ + i + 1) * 0x9E3779B97F4A7C15;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
  z ^= z >> 31;
  return std::sqrt(3.0) * (2 * (static_cast<double>(z >> 11) * 0x1p-53) - 1);
}

std::vector<double> Input::values(int64_t count) const {
  std::vector<double> values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = (*this)[i];
  return values;
}

Tensor Input::tensor(const Shape& shape, DType dtype) const {
  return Tensor(Array::from(values(shape.size()), shape).cast(dtype));
}

std::vector<double> fingerprint(const Results& results) {
  const Input direction("projection");
  std::vector<double> numbers;
  for (const std::vector<double>& result : results) {
    double squares = 0, projection = 0;
    for (size_t i = 0; i < result.size(); ++i) {
      squares += result[i] * result[i];
      projection += result[i] * direction[i];
    }
    numbers.push_back(std::sqrt(squares));
    numbers.push_back(projection);
  }
  return numbers;
}

Workload tensor_workload(std::function<Tensors()> compute) {
  Workload workload;
  workload.run = [compute] { compute(); };
  workload.results = [compute] {
    Results results;
    for (const Tensor& tensor : compute()) results.push_back(numbers_of(tensor));
    return results;
  };
  return workload;
}

double time_run(const Workload& workload) {
  double seconds = 0;
  int runs = 0;
  for (; seconds < 0.02; ++runs) seconds += seconds_of(workload.run);
  return 1e3 * seconds / runs;
}

namespace {

template <class T>
double peak_of() {
  constexpr int64_t n = 1024;
  const std::vector<T> a(n * n, T(0.5)), b(n * n, T(0.25));
  std::vector<T> c(n * n);
  Gemm<T> product;
  product.m = product.n = product.k = product.lda = product.ldb = product.ldc = n;
  product.a = a.data(), product.b = b.data(), product.c = c.data();
  double best = 0;
  for (int i = 0; i < 50; ++i)
    best = std::max(best, 2e-9 * n * n * n / seconds_of([&] { gemm(product); }));
  return best;
}

}  // namespace

double matmul_peak(DType dtype) {
  return dtype == DType::f64 ? peak_of<double>() : peak_of<float>();
}

}  // namespace casimir
