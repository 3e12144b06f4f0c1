#include "equivariant/radial_table.h"

#include <algorithm>
#include <cmath>

namespace casimir {

namespace {

// Coefficients c of the cubic B-splines from values f at the knots: (c[k-1] + 4 c[k] + c[k+1]) / 6
// = f[k], c[-1] = c[1] and c[knots] = c[knots-2] for slopes of 0. Column j belongs to f[j] alone;
// row k holds c[k-1]. By elimination; the matrix is diagonally dominant.
Array spline_matrix(int64_t knots) {
  Array matrix(Shape{knots + 2, knots}, DType::f64);
  matrix.fill(0);
  double* c = matrix.data<double>() + knots;  // row of c[0]
  std::vector<double> above(knots);           // c[k] = row k - above[k] c[k+1]
  for (int64_t k = 0; k < knots; ++k) {
    const double left = k + 1 == knots ? 2 : 1, right = k == 0 ? 2 : 1;
    const double pivot = k == 0 ? 4 : 4 - left * above[k - 1];
    above[k] = right / pivot;
    c[k * knots + k] = 6 / pivot;
    for (int64_t j = 0; j < k; ++j) c[k * knots + j] = -left * c[(k - 1) * knots + j] / pivot;
  }
  for (int64_t k = knots - 2; k >= 0; --k)
    for (int64_t j = 0; j < knots; ++j) c[k * knots + j] -= above[k] * c[(k + 1) * knots + j];
  std::copy_n(c + knots, knots, c - knots);
  std::copy_n(c + (knots - 2) * knots, knots, c + knots * knots);
  return matrix;
}

}  // namespace

RadialTable::RadialTable(double r_max, int64_t knots, DType dtype, Device device)
    : step_(r_max / static_cast<double>(knots - 1)), intervals_(knots - 1) {
  check(r_max > 0, "RadialTable: expected r_max > 0, found ", r_max);
  check(knots >= 4, "RadialTable: expected at least 4 knots, found ", knots);
  auto tensor = [&](const Array& values) { return Tensor(values.cast(dtype).to(device)); };
  std::vector<double> lengths(knots);
  for (int64_t k = 0; k < knots; ++k) lengths[k] = static_cast<double>(k) * step_;
  // Features may divide by the length; even functions do not change by 1e-11 of themselves.
  lengths.front() = 1e-4 * step_;
  lengths.back() = r_max;
  lengths_ = tensor(Array::from(lengths));
  spline_ = tensor(spline_matrix(knots));
  std::vector<double> powers{1, 4, 1, 0, -3, 0, 3, 0, 3, -6, 3, 0, -1, 3, -3, 1};
  for (double& value : powers) value /= 6;
  powers_ = tensor(Array::from(powers).reshaped({4, 4}));
  std::vector<int32_t> rows;
  for (int64_t i = 0; i <= intervals_; ++i)
    for (int64_t j = 0; j < 4; ++j)
      rows.push_back(static_cast<int32_t>(i < intervals_ ? i + j : knots + 2 + j));
  overlapping_ = Segments(std::move(rows), knots + 6).to(device);
}

RadialTable::Place RadialTable::place(const Tensor& lengths) const {
  check(lengths.defined() && lengths.rank() == 1, "RadialTable: expected lengths [pairs], found ",
        lengths.shape());
  const int64_t pairs = lengths.size();
  const Tensor steps = lengths * (1 / step_);
  const std::vector<double> along =
      steps.array().to(Device::cpu).cast(DType::f64).to_vector<double>();
  std::vector<int32_t> interval(pairs);
  std::vector<double> begin(pairs);
  for (int64_t p = 0; p < pairs; ++p) {
    const bool inside = along[p] < static_cast<double>(intervals_);
    interval[p] = static_cast<int32_t>(inside ? std::floor(along[p]) : intervals_);
    begin[p] = inside ? interval[p] : along[p];
  }
  const Tensor start(Array::from(begin).cast(lengths.dtype()).to(lengths.device()));
  const Tensor t = reshape(steps - start, {pairs, 1});
  const Tensor ones = Tensor::ones(t.shape(), t.dtype(), t.device()), t2 = square(t);
  const Tensor basis = matmul(concat({ones, t, t2, t2 * t}, 1), powers_);
  return {Segments(std::move(interval), intervals_ + 1).to(lengths.device()),
          reshape(basis, {pairs, 1, 4})};
}

Tensor RadialTable::operator()(const RadialMlp& network, const Tensor& features,
                               const Place& place) const {
  check(features.defined() && features.rank() == 2 && features.dim(0) == lengths_.size(),
        "RadialTable: expected features of ", lengths_.size(), " knots, found ", features.shape());
  const Tensor coefficients = pad(network(features, spline_), 0, 0, 4);
  const int64_t width = coefficients.dim(1);
  const Tensor local = reshape(gather(coefficients, overlapping_), {intervals_ + 1, 4, width});
  return reshape(grouped_matmul(place.basis, local, place.interval),
                 {place.interval.size(), width});
}

RadialInput::RadialInput(const std::optional<RadialTable>& table, const Tensor& lengths,
                         const Basis& basis)
    : table_(table ? &*table : nullptr) {
  check(lengths.defined() && lengths.rank() == 1 && is_float(lengths.dtype()),
        "RadialInput: expected real lengths [pairs], found ", lengths.dtype(), " of shape ",
        lengths.shape());
  features_ = basis(table ? table->lengths() : lengths);
  if (table_) place_ = table_->place(lengths);
}

Tensor RadialInput::operator()(const RadialMlp& network) const {
  return table_ ? (*table_)(network, features_, place_) : network(features_);
}

}  // namespace casimir
