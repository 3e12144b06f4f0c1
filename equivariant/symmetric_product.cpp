#include "equivariant/symmetric_product.h"

#include <algorithm>
#include <map>

#include "equivariant/symmetric_product_kernel.h"

namespace casimir {

int SymmetricPolynomials::degree() const {
  size_t most = 0;
  for (const Entry& entry : entries) most = std::max(most, entry.monomial.size());
  return static_cast<int>(most);
}

Plan SymmetricPolynomials::plan(int degree) const {
  using Rows = Operand::Rows;
  const auto block = static_cast<int32_t>(channels);
  std::vector<Term> terms;
  for (const Entry& entry : entries) {
    if (static_cast<int>(entry.monomial.size()) != degree) continue;
    Term term;
    term.channels = block;
    for (int32_t i : entry.monomial) term.at.push_back(i * block);
    term.at.push_back(entry.slot * block);
    term.at.push_back(entry.out * block);
    terms.push_back(std::move(term));
  }
  std::vector<Operand> operands(degree, {components * channels, true, Rows::each, -1});
  operands.push_back({slots * channels, true, Rows::indexed, 0});
  operands.push_back({outputs * channels, true, Rows::each, -1});
  return Plan(std::move(operands), std::move(terms));
}

MonomialTree::MonomialTree(const SymmetricPolynomials& polynomials) {
  using Monomial = std::vector<int32_t>;
  struct Entry {
    int32_t out, slot;
  };
  std::map<Monomial, std::vector<Entry>> all{{{}, {}}};  // with every prefix
  std::map<Monomial, std::vector<Monomial>> children_of;
  for (const auto& entry : polynomials.entries) {
    check(!entry.monomial.empty(), "symmetric product: a monomial of degree 0");
    for (size_t d = entry.monomial.size(); d > 0; --d) {
      Monomial prefix(entry.monomial.begin(), entry.monomial.begin() + d);
      if (!all.try_emplace(prefix).second) break;
      children_of[{prefix.begin(), prefix.end() - 1}].push_back(prefix);
    }
    all[entry.monomial].push_back({entry.out, entry.slot});
  }
  std::vector<Monomial> queue{{}};
  for (size_t next = 0; next < queue.size(); ++next) {
    std::vector<Monomial> kin = children_of[queue[next]];
    std::sort(kin.begin(), kin.end());
    Parent parent{static_cast<int32_t>(children.size()), 0};
    for (const Monomial& monomial : kin) {
      Child child{monomial.back(), -1, static_cast<int32_t>(slots.size()), 0};
      for (const Entry& entry : all[monomial]) {
        outputs.push_back(entry.out);
        slots.push_back(entry.slot);
      }
      child.end = static_cast<int32_t>(slots.size());
      if (children_of.count(monomial)) {
        child.parent = static_cast<int32_t>(queue.size());
        queue.push_back(monomial);
      }
      children.push_back(child);
    }
    parent.end = static_cast<int32_t>(children.size());
    parents.push_back(parent);
  }
}

struct SymmetricProductOp::Data {
  SymmetricProgram program;
  std::vector<std::pair<int, Plan>> plans;  // by degree
  explicit Data(SymmetricPolynomials given) : program(std::move(given)) {
    for (int degree = program.polynomials.degree(); degree >= 1; --degree) {
      Plan plan = program.polynomials.plan(degree);
      if (plan.terms() > 0) plans.emplace_back(degree, std::move(plan));
    }
  }
};

namespace {

// A sum over the degrees of products with `power` times x.
Tensor power_product(const Plan& plan, int power, const Tensor& x, const Tensors& others,
                     const Segments& species) {
  return power > 0 ? contract_power(plan, power, x, others, {species}, x.dim(0))
                   : contract(plan, others, {species}, x.dim(0));
}
void add_to(Tensor& sum, const Tensor& part) {
  sum = sum.defined() ? sum + part : part;
}

using Plans = std::vector<std::pair<int, Plan>>;

Tensor value_of(const Plans& plans, const Tensor& x, const Tensor& c, const Segments& species) {
  Tensor sum;
  for (const auto& [degree, plan] : plans)
    add_to(sum, power_product(plan, degree, x, {c}, species));
  return sum;
}
// Gradients of S = g . product(x, C) with respect to x and C.
Tensors gradients_of(const Plans& plans, const Tensor& x, const Tensor& c, const Tensor& g,
                     const Segments& species, const Needs& needs) {
  Tensors sums(2);
  for (const auto& [degree, plan] : plans) {
    if (needs[0])
      add_to(sums[0], power_product(plan.derivative(degree), degree - 1, x, {c, g}, species));
    if (needs[1]) add_to(sums[1], power_product(plan.with_output(degree), degree, x, {g}, species));
  }
  return sums;
}
// Derivatives along x_dot of the gradients of S with respect to x, C and g.
Tensors second_gradients_of(const Plans& plans, const Tensor& x, const Tensor& c, const Tensor& g,
                            const Tensor& x_dot, const Segments& species, const Needs& needs) {
  Tensors sums(3);
  for (const auto& [degree, plan] : plans) {
    const Plan slope = plan.derivative(degree);  // x (degree - 1 times), C, g -> x
    if (needs[0] && degree > 1)
      add_to(sums[0],
             power_product(slope.derivative(degree - 1), degree - 2, x, {c, g, x_dot}, species));
    if (needs[1])
      add_to(sums[1],
             power_product(slope.with_output(degree - 1), degree - 1, x, {x_dot, g}, species));
    if (needs[2])
      add_to(sums[2], power_product(slope.with_output(degree), degree - 1, x, {c, x_dot}, species));
  }
  if (needs[0] && !sums[0].defined()) sums[0] = x * 0;
  return sums;
}

Tensors wanted_only(const Tensors& all, const Needs& needs) {
  Tensors some;
  for (size_t a = 0; a < needs.size(); ++a)
    if (needs[a]) some.push_back(all[a]);
  return some;
}
std::vector<Array> arrays_of(const SymmetricGradients& all) {
  std::vector<Array> some;
  for (const Array& array : {all.x, all.coefficients, all.g})
    if (array.defined()) some.push_back(array);
  return some;
}

}  // namespace

SymmetricProductOp::SymmetricProductOp(SymmetricPolynomials polynomials)
    : data_(std::make_shared<Data>(std::move(polynomials))) {}

Tensor SymmetricProductOp::composite(const Tensor& x, const Tensor& coefficients,
                                     const Segments& species) const {
  return value_of(data_->plans, x, coefficients, species);
}

Tensor SymmetricProductOp::operator()(const Tensor& x, const Tensor& coefficients,
                                      const Segments& species) const {
  const SymmetricPolynomials& sizes = data_->program.polynomials;
  const Shape rows{species.size(), sizes.components * sizes.channels};
  const Shape slots{species.targets(), sizes.slots * sizes.channels};
  check(x.shape() == rows && coefficients.shape() == slots, "symmetric product: expected x ", rows,
        " and coefficients ", slots, ", found ", x.shape(), " and ", coefficients.shape());
  check(x.dtype() == coefficients.dtype() && x.device() == coefficients.device(),
        "symmetric product: x is ", x.dtype(), " on ", x.device(), ", the coefficients ",
        coefficients.dtype(), " on ", coefficients.device());
  if (x.device() != Device::cpu) return composite(x, coefficients, species);

  auto data = data_;
  auto run = [data, species](const Tensors& t, SymmetricWanted wanted) {
    return arrays_of(symmetric_gradients(
        data->program,
        {t[0], t[1], t.size() > 2 ? t[2] : Tensor(), t.size() > 3 ? t[3] : Tensor(), species},
        wanted));
  };
  auto second = [=](const Tensors& in, const Needs& needs) {  // in: x, C, g, x_dot
    return spread(
        fused(
            "symmetric_product_second",
            [=](const Tensors& t) {
              return run(t, {.x = needs[0], .coefficients = needs[1], .g = needs[2]});
            },
            [=](const Tensors& t) {
              return wanted_only(
                  second_gradients_of(data->plans, t[0], t[1], t[2], t[3], species, needs), needs);
            },
            in),
        needs);
  };
  auto gradients = [=](const Tensors& in, const Needs& needs) {  // in: x, C, g
    Vjp rule = [=](const Tensors& cotangents, const Needs& wanted) {
      Tensors all = in;
      all.push_back(cotangents[0]);
      return second(all, wanted);
    };
    if (needs[1]) rule = nullptr;  // seldom differentiated: by its definition
    return spread(
        fused(
            "symmetric_product_backward",
            [=](const Tensors& t) { return run(t, {.x = needs[0], .coefficients = needs[1]}); },
            [=](const Tensors& t) {
              return wanted_only(gradients_of(data->plans, t[0], t[1], t[2], species, needs),
                                 needs);
            },
            in, rule),
        needs);
  };
  return fused(
      "symmetric_product", [=](const Tensors& t) { return run(t, {.g = true}); },
      [=](const Tensors& t) { return Tensors{value_of(data->plans, t[0], t[1], species)}; },
      {x, coefficients},
      [=](const Tensors& g, const Needs& needs) {
        return gradients({x, coefficients, g[0]}, needs);
      })[0];
}

}  // namespace casimir
