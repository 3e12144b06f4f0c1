// contract(plan, inputs): the one equivariant op.
//
// A plan is a sum of products. For every row and every term it adds
//     coefficient * input_0[i_0 ..] * input_1[i_1 ..] * ...   into   output[o ..],
// channel by channel: a channel operand contributes `channels` consecutive numbers from its index
// on, a scalar operand one number. It is linear in each input, so the cotangent of an input is the
// same op with that input and the output exchanged: contract is closed under differentiation, to
// any order. (cuEquivariance calls the family segmented polynomials, uniform_1d.)
//
// Tensor products (uuu, uvu), message passing (gather by sender, sum by receiver) and symmetric
// products (one tensor in several places) are plans. Mixing channels is mix() in
// equivariant/mixing.h.
#pragma once

#include <memory>
#include <vector>

#include "autograd/ops.h"

namespace casimir {

struct Operand {
  enum class Rows {
    each,     // row e of the plan uses row e
    indexed,  // row e uses row index[e]; an output sums over the rows with that index
    shared,   // all rows use the single row 0; an output sums over all rows
  };
  int64_t width = 0;     // numbers in one row
  bool channels = true;  // false: a scalar operand
  Rows rows = Rows::each;
  int index = -1;  // which of the Segments given to contract(), for indexed
};

struct Term {
  std::vector<int32_t> at;  // first element in each operand's row, inputs in order, then the output
  double coefficient = 1;
  int32_t channels = 1;  // as many consecutive numbers of every channel operand
};

struct ContractionProgram;

class Plan {
 public:
  Plan() = default;
  // operands: the inputs, then the output. Every term is checked against the widths.
  Plan(std::vector<Operand> operands, std::vector<Term> terms);

  size_t inputs() const { return order_.size() - 1; }
  // Operand i of this plan: the inputs in order, then (i = inputs()) the output.
  const Operand& operand(size_t i) const;
  size_t terms() const;
  // The plan whose output is input a and whose input a is this plan's output.
  Plan with_output(size_t a) const;
  // d(output)/dx of a plan whose first `power` inputs are one tensor x, with g for the output:
  // inputs x (power - 1 times), the other inputs, g; output x. Terms that become equal are merged.
  // Kept.
  Plan derivative(int power) const;
  // Terms grouped for the kernels (contraction_program.h); made at the first call.
  const ContractionProgram& program() const;

 private:
  struct Family;  // operands and terms, shared by all exchanges of output and inputs
  Plan(std::shared_ptr<Family> family, std::vector<int> order);
  std::shared_ptr<Family> family_;
  std::vector<int> order_;  // operand i here is operand order_[i] of the family
};

// inputs[i]: [rows_i, width_i], contiguous with any trailing shape of that many numbers (for
// example [nodes, 16, 128]). `rows` is the number of rows of the plan. Output: [targets of its
// index | rows | 1, width].
Tensor contract(const Plan& plan, const Tensors& inputs, const std::vector<Segments>& indices,
                int64_t rows);

// The same with one tensor x as the first `power` inputs: a polynomial of that degree in x. Its
// cotangent of x is one product with the plan's derivative, instead of one for each place.
Tensor contract_power(const Plan& plan, int power, const Tensor& x, const Tensors& others,
                      const std::vector<Segments>& indices, int64_t rows);

}  // namespace casimir
