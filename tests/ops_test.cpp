// Every row of the table in op_cases.h in nine modes: value, grad, parity, threads, poison, reject,
// empty, special, broadcast. That nothing is missing in the table is a test, too.
#include <doctest/doctest.h>

#include <cstring>
#include <fstream>
#include <set>

#include "core/device.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "tests/op_cases.h"
#include "tests/op_cases_indexed.h"
#include "tests/op_cases_norms.h"
#include "tests/op_cases_products.h"
#include "tests/op_cases_radial.h"
#include "tests/op_coverage.h"

using namespace casimir;
using namespace casimir::test;

namespace {

const std::vector<OpCase>& table() {
  static const std::vector<OpCase> rows = [] {
    std::vector<OpCase> all;
    add_binary(all);
    add_unary(all);
    add_reduce(all);
    add_matmul(all);
    add_layout(all);
    add_indexed(all);
    add_grouped(all);
    add_contract(all);
    add_mix(all);
    add_edges(all);
    add_losses(all);
    add_linear(all);
    add_radial_mlp(all);
    add_radial_table(all);
    add_product(all);
    add_convolution(all);
    add_symmetric(all);
    add_symmetric_product(all);
    add_gate(all);
    add_norms(all);
    add_batch_norm(all);
    add_grids(all);
    return all;
  }();
  return rows;
}

Problem make(const OpCase& row, DType dtype = DType::f64, int64_t rows = 5) {
  Setup setup{Random(random_key(11, row.op)), dtype, rows};
  return row.make(setup);
}

bool contains(const std::string& list, const std::string& word) {
  return list.find(word) != std::string::npos;
}

// |value - expected| at most tolerance times the largest |expected|; infinities must be equal.
bool close(const Tensor& value, const Naive& expected, double tolerance) {
  const Naive found(value);
  if (found.shape != expected.shape) return false;
  double largest = 0;
  for (double x : expected.v)
    if (std::isfinite(x)) largest = std::max(largest, std::abs(x));
  for (size_t i = 0; i < found.v.size(); ++i)
    if (found.v[i] != expected.v[i] &&
        !(std::abs(found.v[i] - expected.v[i]) <= tolerance * largest))
      return false;
  return true;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  if (a.defined() != b.defined()) return false;
  if (!a.defined()) return true;
  return a.shape() == b.shape() && a.dtype() == b.dtype() &&
         std::memcmp(a.array().raw(), b.array().raw(), a.array().bytes()) == 0;
}
bool same_bits(const Tensors& a, const Tensors& b) {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(),
                    [](const Tensor& x, const Tensor& y) { return same_bits(x, y); });
}

// Outputs, then the gradients of sum(outputs * c) of orders 1 .. order for all real inputs.
Tensors everything(const Problem& p, int order) {
  Tensors all = p.f(p.inputs);
  if (order == 0) return all;
  Tape tape;
  Tensors variables = p.inputs, wanted;
  for (Tensor& x : variables)
    if (is_float(x.dtype())) wanted.push_back(x = tape.watch(x));
  Tensors current = p.f(variables);
  for (int k = 0; k < order; ++k) {
    Random random(random_key(5, "cotangents") + k);
    Tensors seeds;
    for (const Tensor& y : current) {
      Array c(y.shape(), DType::f64);
      for (int64_t i = 0; i < c.size(); ++i) c.data<double>()[i] = random.uniform(-1, 1);
      seeds.push_back(Tensor(c.cast(y.dtype()).to(y.device())));
    }
    Tensors grads = tape.grad(current, wanted, seeds, {.create_graph = true});
    current.clear();
    for (const Tensor& g : grads)
      if (g.defined()) current.push_back(g);
    all.insert(all.end(), current.begin(), current.end());
  }
  return all;
}

struct BroadcastRow {
  const char* op;
  Tensor (*f)(const Tensor&, const Tensor&);
  double (*reference)(double, double);
  bool gradient;
};
const std::vector<BroadcastRow>& broadcast_rows() {
  static const std::vector<BroadcastRow> rows{
      {"add", add, [](double a, double b) { return a + b; }, true},
      {"sub", sub, [](double a, double b) { return a - b; }, true},
      {"mul", [](const Tensor& a, const Tensor& b) { return mul(a, b); },
       [](double a, double b) { return a * b; }, true},
      {"div", div, [](double a, double b) { return a / b; }, true},
      {"maximum", maximum, [](double a, double b) { return std::max(a, b); }, true},
      {"minimum", minimum, [](double a, double b) { return std::min(a, b); }, true},
      {"less", less, [](double a, double b) { return double(a < b); }, false}};
  return rows;
}

std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("ops: every function of ops.h, losses.h and equivariant/*.h has a row in the table") {
  const std::set<std::string> declared = declared_ops(CASIMIR_SOURCE_DIR);
  CHECK(declared.contains("add"));
  CHECK(declared.contains("contract"));
  CHECK(declared.contains("Gate"));
  CHECK(declared.contains("Linear::flat_weights"));
  CHECK(faults_of(declared, table()) == "");
}

TEST_CASE("ops: a function without a row, and a row without a function, are named") {
  const std::set<std::string> declared = declared_ops(CASIMIR_SOURCE_DIR);
  for (const std::string& op : declared) {
    std::vector<OpCase> lacking = table();
    std::erase_if(lacking, [&](const OpCase& row) { return row.op == op; });
    CHECK(faults_of(declared, lacking) == op + " has no row\n");
  }
  std::set<std::string> fewer = declared;
  fewer.erase("Gate");
  CHECK(faults_of(fewer, table()) == "Gate is not declared\n");
}

TEST_CASE("ops: count of ops, rows and runs of rows in modes") {
  std::set<std::string> ops;
  size_t runs = broadcast_rows().size() + 1;  // and where
  for (const OpCase& row : table()) {
    ops.insert(row.op);
    runs += 5 + cuda_available();  // value, threads, poison, reject, empty; parity
    runs += (row.options.order > 0) + !row.options.finite.empty();
  }
  MESSAGE(ops.size(), " ops, ", table().size(), " rows, ", runs, " runs of a row in a mode");
  CHECK(ops.size() >= 70);
}

TEST_CASE("ops: values equal plain loops") {
  for (const OpCase& row : table())
    for (DType dtype : {DType::f64, DType::f32}) {
      INFO(concat_text(row.title(), ' ', dtype));
      Problem p = make(row, dtype);
      Tensors out = p.f(p.inputs);
      Naives expected = p.reference(Naives(p.inputs.begin(), p.inputs.end()));
      REQUIRE(out.size() == expected.size());
      for (size_t i = 0; i < out.size(); ++i)
        CHECK(close(out[i], expected[i], dtype == DType::f64 ? 1e-13 : row.options.tolerance));
    }
}

TEST_CASE("ops: gradients equal finite differences") {
  for (const OpCase& row : table()) {
    if (row.options.order == 0) continue;
    INFO(row.title());
    Problem p = make(row);
    CHECK(gradcheck(p.f, p.inputs, {.order = row.options.order}) < 1e-8);
  }
}

TEST_CASE("ops: the GPU agrees with the CPU") {
  if (!cuda_available()) {
    MESSAGE("skipped: no CUDA device");
    return;
  }
  for (const OpCase& row : table()) {
    INFO(row.title());
    Problem p = make(row, DType::f64, 300);
    Tensors host = everything(p, std::min(row.options.order, 1));
    for (Tensor& x : p.inputs) x = Tensor(x.array().to(Device::cuda));
    Tensors device = everything(p, std::min(row.options.order, 1));
    REQUIRE(host.size() == device.size());
    for (size_t i = 0; i < host.size(); ++i) CHECK(close(device[i], Naive(host[i]), 1e-12));
  }
}

TEST_CASE("ops: the same bits with 1, 2, 3 and 8 threads") {
  for (const OpCase& row : table())
    for (DType dtype : {DType::f64, DType::f32}) {
      INFO(concat_text(row.title(), ' ', dtype));
      Problem p = make(row, dtype, 3000);
      const int order = std::min(row.options.order, 1);
      set_num_threads(1);
      Tensors one = everything(p, order);
      for (int threads : {2, 3, 8}) {
        set_num_threads(threads);
        CHECK(same_bits(one, everything(p, order)));
      }
    }
  set_num_threads(0);
}

TEST_CASE("ops: every output is written") {
  for (const OpCase& row : table())
    for (int64_t rows : {5, 700}) {
      INFO(row.title());
      const int order = std::min(row.options.order, 2);
      Problem p = make(row, DType::f64, rows);
      Tensors clean = everything(p, order);
      set_poison(true);
      Tensors poisoned = everything(p, order);
      set_poison(false);
      CHECK(same_bits(clean, poisoned));
    }
}

TEST_CASE("ops: wrong inputs are errors that start with the op's name") {
  for (const OpCase& row : table()) {
    const Problem good = make(row);
    auto expect = [&](const char* fault, size_t input, Tensor wrong, bool accepted) {
      INFO(concat_text(row.title(), ": input ", input, ", ", fault, ' ', wrong.shape()));
      Problem p = good;
      p.inputs[input] = std::move(wrong);
      const std::string text = error_of([&] { p.f(p.inputs); });
      INFO(text);
      if (!accepted || !text.empty()) CHECK(row.speaks(text));
    };
    const size_t data = std::min<size_t>(good.inputs.size(), row.options.data);
    for (size_t i = 0; i < data; ++i) {
      const Tensor& x = good.inputs[i];
      const std::string& accepts = row.options.accepts;
      expect("absent", i, Tensor(), contains(accepts, "absent"));
      expect("type", i, Tensor(x.array().cast(DType::i32)), contains(accepts, "type"));
      std::vector<int64_t> deeper{2};
      deeper.insert(deeper.end(), x.shape().sizes().begin(), x.shape().sizes().end());
      expect("rank", i, Tensor::ones(Shape(std::span<const int64_t>(deeper)), x.dtype()),
             contains(accepts, "rank"));
      for (int axis = 0; axis < x.rank(); ++axis) {
        bool free = contains(accepts, "size");
        if (i < row.options.free.size())
          for (int f : row.options.free[i]) free |= normalize_axis("test", f, x.rank()) == axis;
        expect("size", i, Tensor::ones(x.shape().with(axis, x.dim(axis) + 1), x.dtype()), free);
      }
    }
  }
}

TEST_CASE("ops: zero rows") {
  for (const OpCase& row : table()) {
    INFO(row.title());
    Problem p = make(row, DType::f64, 0);
    if (row.options.empty_fails) {
      CHECK(row.speaks(error_of([&] { p.f(p.inputs); })));
      continue;
    }
    Tensors out = p.f(p.inputs);
    Naives expected = p.reference(Naives(p.inputs.begin(), p.inputs.end()));
    for (size_t i = 0; i < out.size(); ++i) CHECK(close(out[i], expected[i], 1e-13));
    CHECK_NOTHROW(everything(p, row.options.order));
  }
}

TEST_CASE("ops: finite at zero, at huge and at equal values") {
  for (const OpCase& row : table())
    for (DType dtype : {DType::f64, DType::f32})
      for (auto [name, value] :
           {std::pair{"zero", 0.0}, {"huge", dtype == DType::f64 ? 1e30 : 1e15}, {"equal", 0.7}}) {
        if (!contains(row.options.finite, name)) continue;
        INFO(concat_text(row.title(), ' ', dtype, ", all ", name));
        Problem p = make(row, dtype);
        for (Tensor& x : p.inputs)
          if (is_float(x.dtype())) x = Tensor::full(x.shape(), value, dtype);
        bool finite = true;
        for (const Tensor& y : everything(p, std::min(row.options.order, 2)))
          for (double v : Naive(y).v) finite &= std::isfinite(v);
        CHECK(finite);
      }
}

TEST_CASE("ops: broadcasting of two inputs, values and gradients") {
  const std::vector<std::pair<Shape, Shape>> pairs{
      {{5, 4}, {4}},           {{5, 4}, {5, 1}},       {{5, 4}, {}},
      {{5, 1}, {1, 4}},        {{1}, {5, 4}},          {{2, 3, 4}, {3, 1}},
      {{2, 3, 4}, {2, 1, 4}},  {{2, 1, 4}, {1, 3, 1}}, {{2, 1, 3, 1, 2}, {4, 1, 5, 1}},
      {{3, 1, 1}, {3, 20, 40}}};
  for (const BroadcastRow& row : broadcast_rows())
    for (const auto& [left, right] : pairs)
      for (bool swapped : {false, true}) {
        Setup s{Random(3), DType::f64, 5};
        Tensor a = s.distinct(swapped ? right : left);
        Tensor b = shift(s.distinct(swapped ? left : right), 0.55);
        INFO(concat_text(row.op, ' ', a.shape(), ' ', b.shape()));
        auto f = [&](const Tensors& x) { return Tensors{row.f(x[0], x[1])}; };
        CHECK(close(f({a, b})[0], naive_zip(Naive(a), Naive(b), row.reference), 1e-14));
        if (row.gradient) CHECK(gradcheck(f, {a, b}) < 1e-8);
      }
}

TEST_CASE("ops: equal largest values share the gradient") {
  Tape tape;
  Tensor x = tape.watch(Tensor::from(std::vector<double>{1, 3, 3, 2, 5, 0}, {2, 3}));
  auto gradient = [&](const Tensor& y) {
    return tape.grad({sum(y)}, {x}, {}, {.keep_graph = true})[0].array().to_vector<double>();
  };
  CHECK(gradient(max(x, {1})) == std::vector<double>{0, 0.5, 0.5, 0, 1, 0});
  Tensor other = Tensor::from(std::vector<double>{1, 0, 9, 2, 0, 9}, {2, 3});
  CHECK(gradient(maximum(x, other)) == std::vector<double>{0.5, 1, 0, 0.5, 1, 0});
  CHECK(gradient(minimum(x, other)) == std::vector<double>{0.5, 0, 1, 0.5, 0, 1});
}

TEST_CASE("ops: where broadcasts its three inputs") {
  Setup s{Random(3), DType::f64, 5};
  for (const auto& [c, a, b] :
       std::vector<std::array<Shape, 3>>{{Shape{5, 1}, Shape{4}, Shape{}},
                                         {Shape{5, 4}, Shape{}, Shape{5, 1}},
                                         {Shape{4}, Shape{5, 4}, Shape{1}},
                                         {Shape{2, 1, 3}, Shape{4, 1}, Shape{2, 4, 3}}}) {
    Tensor condition = s.bits(c), x = s.normal(a), y = s.normal(b);
    Tensor out = where(condition, x, y);
    const Naive nc(condition), nx(x), ny(y);
    Naive expected(out.shape());
    each(expected.shape,
         [&](const auto& i) { expected.at(i) = nc.at(i) != 0 ? nx.at(i) : ny.at(i); });
    CHECK(close(out, expected, 0));
    CHECK(gradcheck([&](const Tensors& t) { return Tensors{where(condition, t[0], t[1])}; },
                    {x, y}) < 1e-8);
  }
}
