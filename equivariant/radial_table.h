// A radial network read from a table: the cubic spline through its values at equidistant lengths.
//
// The network runs on the knots, once per step, instead of on every pair; the spline is linear in
// the knots' values, through which gradients flow to the network. Its slopes at 0 and r_max are 0,
// as are the network's: the Bessel functions are even in r, and the cutoff ends flat. So it has the
// full order of a spline everywhere, two continuous derivatives, and a value and slope of 0 at
// r_max. With knots a distance h apart, values are off by up to 5/384 h^4 times the fourth
// derivative (de Boor, A Practical Guide to Splines, ch. V).
#pragma once

#include <functional>
#include <optional>

#include "equivariant/layers.h"

namespace casimir {

class RadialTable {
 public:
  // At least 4 knots, from 0 to r_max.
  RadialTable(double r_max, int64_t knots, DType dtype, Device device = Device::cpu);

  const Tensor& lengths() const { return lengths_; }  // of the knots: [knots], A
  // Where lengths [pairs] are in the table.
  struct Place {
    Segments interval;  // pairs -> intervals; from r_max on a further one, whose function is 0
    Tensor basis;       // [pairs, 1, 4], the B-splines that overlap in the interval
  };
  Place place(const Tensor& lengths) const;
  // The network of features of the knots [knots, features], at the places: [pairs, width].
  Tensor operator()(const RadialMlp& network, const Tensor& features, const Place& place) const;

 private:
  double step_;  // A
  int64_t intervals_;
  Tensor lengths_;
  Tensor spline_;         // [knots + 2, knots]: values at the knots -> coefficients of B-splines
  Tensor powers_;         // [4, 4]: 1, t, t^2, t^3 -> the four B-splines
  Segments overlapping_;  // 4 (intervals + 1) -> coefficients, and four rows of zeros behind them
};

// What the radial networks of a model read, from lengths [pairs].
class RadialInput {
 public:
  using Basis = std::function<Tensor(const Tensor& lengths)>;  // [rows] -> [rows, features]
  // table: where the model has one; must outlive this.
  RadialInput(const std::optional<RadialTable>& table, const Tensor& lengths, const Basis& basis);
  // The network's values for each pair: [pairs, width].
  Tensor operator()(const RadialMlp& network) const;

 private:
  const RadialTable* table_;
  Tensor features_;  // of the pairs, or of the table's knots
  RadialTable::Place place_;
};

}  // namespace casimir
