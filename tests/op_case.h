// What a row of the table in op_cases.h consists of, and plain loops in f64 to compare with.
#pragma once

#include <cmath>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

#include "autograd/gradcheck.h"
#include "autograd/ops.h"

namespace casimir::test {

// Values and shape, in f64, whatever the tensor's type was.
struct Naive {
  Shape shape{};
  std::vector<double> v{0.0};

  Naive() = default;
  explicit Naive(Shape s, double fill = 0) : shape(s), v(s.size(), fill) {}
  explicit Naive(const Tensor& x) : shape(x.shape()) {
    visit(x.dtype(), [&]<class T>(T) {
      std::vector<T> values = x.array().to_vector<T>();
      v.assign(values.begin(), values.end());
    });
  }
  // Element (i, j, ...); sizes of 1 repeat and missing leading axes are ignored, as in
  // broadcasting.
  double& at(std::vector<int64_t> index) {
    int64_t offset = 0;
    const auto skip = static_cast<int>(index.size()) - shape.rank();
    for (int i = 0; i < shape.rank(); ++i)
      offset = offset * shape[i] + (shape[i] == 1 ? 0 : index[i + skip]);
    return v[offset];
  }
  double at(std::vector<int64_t> index) const { return const_cast<Naive*>(this)->at(index); }
};

// Calls f with every index of the shape, in order.
inline void each(const Shape& shape, const std::function<void(const std::vector<int64_t>&)>& f) {
  std::vector<int64_t> index(shape.rank(), 0);
  for (int64_t n = shape.size(); n > 0; --n) {
    f(index);
    for (int i = shape.rank() - 1; i >= 0 && ++index[i] == shape[i]; --i) index[i] = 0;
  }
}
inline Naive naive_map(const Naive& x, const std::function<double(double)>& f) {
  Naive out = x;
  for (double& value : out.v) value = f(value);
  return out;
}
inline Naive naive_zip(const Naive& a, const Naive& b,
                       const std::function<double(double, double)>& f) {
  Naive out(broadcast("naive", a.shape, b.shape));
  each(out.shape, [&](const auto& i) { out.at(i) = f(a.at(i), b.at(i)); });
  return out;
}
// out, whose reduced axes have size 1, folded from `start` with f.
inline Naive naive_fold(const Naive& x, Shape kept, double start,
                        const std::function<double(double, double)>& f) {
  Naive out(kept, start);
  each(x.shape, [&](const auto& i) { out.at(i) = f(out.at(i), x.at(i)); });
  return out;
}
inline Naive reshaped(Naive x, Shape shape) {
  x.shape = shape;
  return x;
}

using Naives = std::vector<Naive>;

// Makes inputs. `rows` is the length of the first axis where it is free: 0 in the mode `empty`,
// large in the mode `threads`.
struct Setup {
  Random random;
  DType dtype;
  int64_t rows;

  Tensor fill(Shape shape, const std::function<double()>& draw) {
    Array values(shape, DType::f64);
    for (int64_t i = 0; i < values.size(); ++i) values.data<double>()[i] = draw();
    return Tensor(values.cast(dtype));
  }
  Tensor normal(Shape shape) {
    return fill(shape, [&] { return random.normal(); });
  }
  Tensor uniform(Shape shape, double low, double high) {
    return fill(shape, [&] { return random.uniform(low, high); });
  }
  // Away from 0 by 0.5, so that differences never cross a kink and singularities stay far.
  Tensor kinked(Shape shape) {
    return fill(shape, [&] { return random.uniform(0.5, 2) * (random.below(2) ? 1 : -1); });
  }
  // A shuffled range with gaps of 0.1: no two values are near each other.
  Tensor distinct(Shape shape) {
    std::vector<int64_t> order = random.permutation(shape.size());
    size_t next = 0;
    return fill(shape, [&] { return 0.1 * static_cast<double>(order[next++]); });
  }
  Tensor digits(Shape shape) {
    return fill(shape, [&] { return static_cast<double>(random.below(3)); });
  }
  Tensor bits(Shape shape) {
    std::vector<uint8_t> values(shape.size());
    for (uint8_t& value : values) value = static_cast<uint8_t>(random.below(2));
    return Tensor::from(values, shape);
  }
  // `size` random targets; target 1 of three or more stays empty.
  Segments segments(int64_t size, int64_t targets, bool sorted = false) {
    std::vector<int32_t> index(size);
    for (int32_t& t : index) {
      t = static_cast<int32_t>(random.below(targets));
      if (t == 1 && targets > 2) t = 2;
    }
    if (sorted) std::sort(index.begin(), index.end());
    return Segments(index, targets).to(cuda_available() ? Device::cuda : Device::cpu);
  }
};

// One problem: inputs, the op applied to them, and what must come out.
struct Problem {
  Tensors inputs;
  Composite f;
  std::function<Naives(const Naives&)> reference;
};

struct CaseOptions {
  int order = 2;            // of the gradient checks; 0: the op has no gradient
  double tolerance = 2e-6;  // f32 against f64, relative to the largest value
  // Faults of an input that this op may accept: "type" (i32), "rank" (one more leading axis),
  // "size" (an axis longer by one), "absent". Every other fault must be an error that starts with
  // the op's name.
  std::string accepts = "";
  std::vector<std::vector<int>> free = {};  // per input: axes that may have any length
  // Inputs for which value, gradient and second gradient are promised to be finite: all "zero", all
  // "huge" (1e30; 1e15 in f32), all "equal" (0.7).
  std::string finite = "zero huge equal";
  bool empty_fails = false;  // zero rows are an error
  // How errors start, where not with the op's name: what a function is made of may speak for it.
  std::string speaks = "";
  int data = 100;  // inputs behind the first `data` are parameters of a layer, never wrong
};

struct OpCase {
  const char* op;    // as declared; a layer's name for its call
  const char* what;  // which variety
  std::function<Problem(Setup&)> make;
  CaseOptions options = {};
  std::string title() const { return std::string(op) + ", " + what; }
  // Whether the text of an error starts as it should.
  bool speaks(const std::string& error) const {
    std::istringstream starts(options.speaks.empty() ? std::string(op) + ":" : options.speaks);
    for (std::string start; starts >> start;)
      if (error.starts_with(start + " ")) return true;
    return false;
  }
};

}  // namespace casimir::test
