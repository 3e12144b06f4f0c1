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
  for (size_t n = 0; n < entries.size(); ++n) {
    const Entry& entry = entries[n];
    if (static_cast<int>(entry.monomial.size()) != degree) continue;
    Term term;
    term.channels = block;
    for (int32_t i : entry.monomial) term.at.push_back(i * block);
    term.at.push_back(static_cast<int32_t>(n) * block);
    term.at.push_back(entry.out * block);
    terms.push_back(std::move(term));
  }
  std::vector<Operand> operands(degree, {components * channels, true, Rows::each, -1});
  operands.push_back({static_cast<int64_t>(entries.size()) * channels, true, Rows::indexed, 0});
  operands.push_back({outputs * channels, true, Rows::each, -1});
  return Plan(std::move(operands), std::move(terms));
}

Array SymmetricPolynomials::basis() const {
  Array matrix(Shape{static_cast<int64_t>(entries.size()), paths}, DType::f64);
  std::fill_n(matrix.data<double>(), matrix.size(), 0.0);
  for (size_t n = 0; n < entries.size(); ++n)
    for (const Share& share : entries[n].shares)
      matrix.data<double>()[static_cast<int64_t>(n) * paths + share.path] += share.value;
  return matrix;
}

MonomialTree::MonomialTree(const SymmetricPolynomials& polynomials) {
  using Monomial = std::vector<int32_t>;
  struct Entry {
    int32_t out, number;
  };
  std::map<Monomial, std::vector<Entry>> all{{{}, {}}};  // with every prefix
  std::map<Monomial, std::vector<Monomial>> children_of;
  for (size_t n = 0; n < polynomials.entries.size(); ++n) {
    const auto& entry = polynomials.entries[n];
    check(!entry.monomial.empty(), "symmetric product: a monomial of degree 0");
    for (size_t d = entry.monomial.size(); d > 0; --d) {
      Monomial prefix(entry.monomial.begin(), entry.monomial.begin() + d);
      if (!all.try_emplace(prefix).second) break;
      children_of[{prefix.begin(), prefix.end() - 1}].push_back(prefix);
    }
    all[entry.monomial].push_back({entry.out, static_cast<int32_t>(n)});
  }
  std::vector<Monomial> queue{{}};
  for (size_t next = 0; next < queue.size(); ++next) {
    std::vector<Monomial> kin = children_of[queue[next]];
    std::sort(kin.begin(), kin.end());
    Parent parent{static_cast<int32_t>(children.size()), 0};
    for (const Monomial& monomial : kin) {
      Child child{monomial.back(), -1, static_cast<int32_t>(numbers.size()), 0};
      for (const Entry& entry : all[monomial]) {
        outputs.push_back(entry.out);
        numbers.push_back(entry.number);
      }
      child.end = static_cast<int32_t>(numbers.size());
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

namespace {

// The polynomials by products of matrices and contractions.
struct SymmetricDefinition {
  int64_t entries, paths, channels;
  Tensor basis;                             // [entries, paths]
  std::vector<std::pair<int, Plan>> plans;  // by degree
  SymmetricDefinition(const SymmetricPolynomials& polynomials, DType dtype, Device device)
      : entries(static_cast<int64_t>(polynomials.entries.size())),
        paths(polynomials.paths),
        channels(polynomials.channels),
        basis(polynomials.basis().cast(dtype).to(device)) {
    for (int degree = polynomials.degree(); degree >= 1; --degree) {
      Plan plan = polynomials.plan(degree);
      if (plan.terms() > 0) plans.emplace_back(degree, std::move(plan));
    }
  }
  // [species, paths * channels] -> [species, entries * channels], and the transpose of that map.
  Tensor coefficients(const Tensor& w) const {
    return reshape(matmul(basis, reshape(w, {w.dim(0), paths, channels})),
                   {w.dim(0), entries * channels});
  }
  Tensor shares(const Tensor& c) const {
    return reshape(matmul(basis, reshape(c, {c.dim(0), entries, channels}), {.trans_a = true}),
                   {c.dim(0), paths * channels});
  }
};

}  // namespace

struct SymmetricProductOp::Data {
  SymmetricProgram program;
  SymmetricDefinition definition;
  Data(SymmetricPolynomials given, DType dtype, Device device)
      : program(std::move(given)), definition(program.polynomials, dtype, device) {}
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

Tensor value_of(const SymmetricDefinition& of, const Tensor& x, const Tensor& w,
                const Segments& species) {
  const Tensor c = of.coefficients(w);
  Tensor sum;
  for (const auto& [degree, plan] : of.plans)
    add_to(sum, power_product(plan, degree, x, {c}, species));
  return sum;
}
// Gradients of S = g . product(x, w) with respect to x and w.
Tensors gradients_of(const SymmetricDefinition& of, const Tensor& x, const Tensor& w,
                     const Tensor& g, const Segments& species, const Needs& needs) {
  const Tensor c = of.coefficients(w);
  Tensors sums(2);
  for (const auto& [degree, plan] : of.plans) {
    if (needs[0])
      add_to(sums[0], power_product(plan.derivative(degree), degree - 1, x, {c, g}, species));
    if (needs[1]) add_to(sums[1], power_product(plan.with_output(degree), degree, x, {g}, species));
  }
  if (needs[1]) sums[1] = of.shares(sums[1]);
  return sums;
}
// Derivatives along x_dot of the gradients of S with respect to x, w and g.
Tensors second_gradients_of(const SymmetricDefinition& of, const Tensor& x, const Tensor& w,
                            const Tensor& g, const Tensor& x_dot, const Segments& species,
                            const Needs& needs) {
  const Tensor c = of.coefficients(w);
  Tensors sums(3);
  for (const auto& [degree, plan] : of.plans) {
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
  if (needs[1]) sums[1] = of.shares(sums[1]);
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
  for (const Array& array : {all.x, all.w, all.g})
    if (array.defined()) some.push_back(array);
  return some;
}

void check_operands(const SymmetricPolynomials& sizes, const Tensor& x, const Tensor& w,
                    const Segments& species) {
  const Shape rows{species.size(), sizes.components * sizes.channels};
  const Shape weights{species.targets(), sizes.paths * sizes.channels};
  check(x.shape() == rows && w.shape() == weights, "symmetric product: expected x ", rows,
        " and weights ", weights, ", found ", x.shape(), " and ", w.shape());
  check(x.dtype() == w.dtype() && x.device() == w.device(), "symmetric product: x is ", x.dtype(),
        " on ", x.device(), ", the weights ", w.dtype(), " on ", w.device());
}

}  // namespace

SymmetricProductOp::SymmetricProductOp(SymmetricPolynomials polynomials, DType dtype, Device device)
    : data_(std::make_shared<Data>(std::move(polynomials), dtype, device)) {}

const SymmetricPolynomials& SymmetricProductOp::polynomials() const {
  return data_->program.polynomials;
}

Tensor SymmetricProductOp::composite(const Tensor& x, const Tensor& w,
                                     const Segments& species) const {
  check_operands(polynomials(), x, w, species);
  return value_of(data_->definition, x, w, species);
}

Tensor SymmetricProductOp::operator()(const Tensor& x, const Tensor& w,
                                      const Segments& species) const {
  check_operands(polynomials(), x, w, species);
  if (x.device() != Device::cpu) return composite(x, w, species);

  auto data = data_;
  auto run = [data, species](const Tensors& t, SymmetricWanted wanted) {
    return arrays_of(symmetric_gradients(
        data->program,
        {t[0], t[1], t.size() > 2 ? t[2] : Tensor(), t.size() > 3 ? t[3] : Tensor(), species},
        wanted));
  };
  auto second = [=](const Tensors& in, const Needs& needs) {  // in: x, w, g, x_dot
    return spread(
        fused(
            "symmetric_product_second",
            [=](const Tensors& t) { return run(t, {.x = needs[0], .w = needs[1], .g = needs[2]}); },
            [=](const Tensors& t) {
              return wanted_only(
                  second_gradients_of(data->definition, t[0], t[1], t[2], t[3], species, needs),
                  needs);
            },
            in),
        needs);
  };
  auto gradients = [=](const Tensors& in, const Needs& needs) {  // in: x, w, g
    Vjp rule = [=](const Tensors& cotangents, const Needs& wanted) {
      Tensors all = in;
      all.push_back(cotangents[0]);
      return second(all, wanted);
    };
    if (needs[1]) rule = nullptr;  // seldom differentiated: by its definition
    return spread(fused(
                      "symmetric_product_backward",
                      [=](const Tensors& t) { return run(t, {.x = needs[0], .w = needs[1]}); },
                      [=](const Tensors& t) {
                        return wanted_only(
                            gradients_of(data->definition, t[0], t[1], t[2], species, needs),
                            needs);
                      },
                      in, rule),
                  needs);
  };
  return fused(
      "symmetric_product", [=](const Tensors& t) { return run(t, {.g = true}); },
      [=](const Tensors& t) { return Tensors{value_of(data->definition, t[0], t[1], species)}; },
      {x, w},
      [=](const Tensors& g, const Needs& needs) {
        return gradients({x, w, g[0]}, needs);
      })[0];
}

}  // namespace casimir
