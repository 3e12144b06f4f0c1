#include "equivariant/contraction.h"

#include <algorithm>
#include <map>
#include <mutex>

#include "equivariant/contraction_program.h"

namespace casimir {

// CPU: contraction_kernel.cpp; CUDA: contraction.cu.
void contract_kernel(const Plan& plan, const std::vector<const Array*>& inputs,
                     const std::vector<Segments>& indices, int64_t rows, Array& out);
namespace cuda {
void contract(const Plan& plan, const std::vector<const Array*>& inputs,
              const std::vector<Segments>& indices, int64_t rows, Array& out);
}

struct Plan::Family {
  std::vector<Operand> operands;
  std::vector<Term> terms;
  std::mutex mutex;
  std::map<std::vector<int>, std::unique_ptr<ContractionProgram>> programs;       // by order
  std::map<std::pair<std::vector<int>, int>, std::unique_ptr<Plan>> derivatives;  // by order, power
};

Plan::Plan(std::vector<Operand> operands, std::vector<Term> terms) {
  const bool any_channels =
      std::any_of(operands.begin(), operands.end(), [](const Operand& o) { return o.channels; });
  for (const Term& term : terms) {
    check(term.at.size() == operands.size(), "plan: a term names ", term.at.size(),
          " places, expected ", operands.size());
    check(any_channels || term.channels == 1, "plan: ", term.channels,
          " channels in a term without channel operands");
    for (size_t i = 0; i < operands.size(); ++i) {
      int64_t length = operands[i].channels ? term.channels : 1;
      check(term.at[i] >= 0 && term.at[i] + length <= operands[i].width, "plan: operand ", i,
            ": a term uses ", length, " numbers from ", term.at[i], ", a row has ",
            operands[i].width);
    }
  }
  for (size_t i = 0; i < operands.size(); ++i) order_.push_back(static_cast<int>(i));
  family_ = std::make_shared<Family>();
  family_->operands = std::move(operands);
  family_->terms = std::move(terms);
}

Plan::Plan(std::shared_ptr<Family> family, std::vector<int> order)
    : family_(std::move(family)), order_(std::move(order)) {}

const Operand& Plan::operand(size_t i) const {
  return family_->operands[order_[i]];
}
size_t Plan::terms() const {
  return family_->terms.size();
}

Plan Plan::with_output(size_t a) const {
  std::vector<int> order = order_;
  std::swap(order[a], order.back());
  return Plan(family_, std::move(order));
}

const ContractionProgram& Plan::program() const {
  std::lock_guard lock(family_->mutex);
  auto& program = family_->programs[order_];
  if (!program)
    program = std::make_unique<ContractionProgram>(
        make_program(family_->operands, family_->terms, order_));
  return *program;
}

Plan Plan::derivative(int power) const {
  std::lock_guard lock(family_->mutex);
  auto& kept = family_->derivatives[{order_, power}];
  if (kept) return *kept;
  const size_t inputs = order_.size() - 1;
  std::vector<Operand> operands;
  for (size_t i = 1; i <= inputs; ++i) operands.push_back(operand(i));  // x, others, g
  operands.push_back(operand(0));
  std::map<std::pair<std::vector<int32_t>, int32_t>, double> merged;  // places and channels
  for (const Term& term : family_->terms) {
    std::vector<int32_t> xs;
    for (int i = 0; i < power; ++i) xs.push_back(term.at[order_[i]]);
    std::sort(xs.begin(), xs.end());
    for (int i = 0; i < power; ++i) {
      std::vector<int32_t> at = xs;
      at.erase(at.begin() + i);
      for (size_t k = power; k <= inputs; ++k) at.push_back(term.at[order_[k]]);
      at.push_back(xs[i]);
      merged[{std::move(at), term.channels}] += term.coefficient;
    }
  }
  std::vector<Term> terms;
  for (const auto& [key, coefficient] : merged)
    terms.push_back({key.first, coefficient, key.second});
  kept = std::make_unique<Plan>(std::move(operands), std::move(terms));
  return *kept;
}

namespace {

Array contract_values(const Plan& plan, const Tensors& inputs, const std::vector<Segments>& indices,
                      int64_t rows) {
  check(inputs.size() == plan.inputs(), "contract: ", inputs.size(), " inputs for a plan of ",
        plan.inputs());
  auto rows_of = [&](const Operand& operand) -> int64_t {
    if (operand.rows == Operand::Rows::shared) return 1;
    if (operand.rows == Operand::Rows::each) return rows;
    check(operand.index >= 0 && operand.index < static_cast<int>(indices.size()),
          "contract: no index ", operand.index);
    check(indices[operand.index].size() == rows, "contract: index ", operand.index, " has ",
          indices[operand.index].size(), " rows, expected ", rows);
    return indices[operand.index].targets();
  };
  std::vector<const Array*> arrays;
  for (size_t i = 0; i < inputs.size(); ++i) {
    const Operand& operand = plan.operand(i);
    check(inputs[i].rank() > 0 && inputs[i].dim(0) == rows_of(operand) &&
              inputs[i].shape().row_size() == operand.width,
          "contract: input ", i, ": expected ", rows_of(operand), " rows of ", operand.width,
          ", found ", inputs[i].shape());
    check(inputs[i].dtype() == inputs[0].dtype() && inputs[i].device() == inputs[0].device(),
          "contract: input ", i, " is ", inputs[i].dtype(), " on ", inputs[i].device(),
          ", input 0 ", inputs[0].dtype(), " on ", inputs[0].device());
    arrays.push_back(&inputs[i].array());
  }
  const Operand& output = plan.operand(plan.inputs());
  Array out(Shape{rows_of(output), output.width}, inputs[0].dtype(), inputs[0].device());
  if constexpr (cuda_built)
    if (out.on_cuda()) cuda::contract(plan, arrays, indices, rows, out);
  if (out.on_cpu()) contract_kernel(plan, arrays, indices, rows, out);
  return out;
}

}  // namespace

Tensor contract(const Plan& plan, const Tensors& inputs, const std::vector<Segments>& indices,
                int64_t rows) {
  Array out = contract_values(plan, inputs, indices, rows);
  return record("contract", inputs, out, [=](const Tensors& g, const Needs& needs) {
    Tensors cotangents(inputs.size());
    for (size_t a = 0; a < inputs.size(); ++a) {
      if (!needs[a]) continue;
      Tensors replaced = inputs;
      replaced[a] = g[0];
      cotangents[a] =
          reshape(contract(plan.with_output(a), replaced, indices, rows), inputs[a].shape());
    }
    return cotangents;
  });
}

Tensor contract_power(const Plan& plan, int power, const Tensor& x, const Tensors& others,
                      const std::vector<Segments>& indices, int64_t rows) {
  check(power >= 1 && power + others.size() == plan.inputs(), "contract_power: ", power,
        " times x and ", others.size(), " others for a plan of ", plan.inputs());
  Tensors inputs(power, x);
  inputs.insert(inputs.end(), others.begin(), others.end());
  Array out = contract_values(plan, inputs, indices, rows);
  Tensors recorded{x};
  recorded.insert(recorded.end(), others.begin(), others.end());
  return record("contract_power", recorded, out, [=](const Tensors& g, const Needs& needs) {
    Tensors cotangents(recorded.size());
    if (needs[0]) {
      Tensors rest = others;
      rest.push_back(g[0]);
      Plan derivative = plan.derivative(power);
      Tensor value = power == 1 ? contract(derivative, rest, indices, rows)
                                : contract_power(derivative, power - 1, x, rest, indices, rows);
      cotangents[0] = reshape(value, x.shape());
    }
    for (size_t a = 0; a < others.size(); ++a) {
      if (!needs[a + 1]) continue;
      Tensors replaced = others;
      replaced[a] = g[0];
      Tensor value = contract_power(plan.with_output(power + a), power, x, replaced, indices, rows);
      cotangents[a + 1] = reshape(value, others[a].shape());
    }
    return cotangents;
  });
}

}  // namespace casimir
