// The tape: what was computed, in order, and how to go back.
//
// A tape is alive from construction to the end of its scope; one is current per thread. Ops whose
// inputs it tracks append a node (name, input slots, output slots, rule). Appending keeps the list
// in topological order, so a gradient is one walk backwards, and a gradient of a gradient needs
// nothing new: with create_graph the rules' own ops land behind the end of the list.
//
//   Tape tape;
//   Tensor r = tape.watch(positions);
//   Tensor energy = sum(potential(r));
//   Tensor forces = -tape.grad({energy}, {r}, {}, {.create_graph = true})[0];
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <utility>

#include "autograd/tensor.h"

namespace casimir {

// needs[i]: whether the cotangent of input i is wanted. A rule may return absent tensors elsewhere.
using Needs = std::vector<bool>;
// A rule: cotangents of the outputs (absent where none arrived) -> cotangents of the inputs.
// Made of ops only, so that it can be recorded itself; it captures tensors, never the tape.
using Vjp = std::function<Tensors(const Tensors& cotangents, const Needs& needs)>;

class Parameters;  // nn/parameters.h

struct GradOptions {
  bool create_graph = false;  // record the walk, so that its results can be differentiated
  bool keep_graph = false;    // keep the rules for another walk
};

class Tape {
 public:
  Tape();
  ~Tape();
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;
  static Tape* current();

  Tensor watch(const Tensor& x);  // x as an independent variable
  // Parameters with numbers [0, count) of the store `id` become variables.
  void watch_store(uint64_t store, int32_t count);

  // Cotangents of `inputs`; absent where an output does not depend on an input. Absent seeds mean
  // ones (the output must then have one element).
  Tensors grad(const Tensors& outputs, const Tensors& inputs, const Tensors& seeds = {},
               GradOptions options = {});

  int64_t nodes() const { return static_cast<int64_t>(nodes_.size()); }

 private:
  struct Node {
    const char* op;
    std::string scope;
    std::vector<int32_t> inputs;  // slots, -1 for constants
    int32_t first_output, outputs;
    Vjp vjp;  // empty once walked and freed
    std::vector<Shape> input_shapes, output_shapes;
    DType dtype;
  };
  friend struct Recorder;
  int32_t slot_of(const Tensor& x) const;  // -1: not tracked here

  uint64_t id_;
  Tape* previous_;
  std::deque<Node> nodes_;
  std::vector<int32_t> producer_;  // slot -> node, -1 for watched ones
  uint64_t store_ = 0;
  int32_t store_first_ = 0, store_count_ = 0;
  bool recording_ = true;
  friend class NoRecord;
};

// While it lives, the current tape records nothing.
class NoRecord {
 public:
  NoRecord();
  ~NoRecord();

 private:
  Tape* tape_;
  bool before_;
};

// Whether the current tape would record an op of these inputs.
bool tracked(const Tensors& inputs);

// Called by every op with its finished outputs: appends a node when an input is tracked. `rule` is
// called as rule(cotangents, needs) or, when it wants the outputs, rule(cotangents, needs,
// outputs).
Tensors record_node(const char* op, const Tensors& inputs, std::vector<Array> outputs,
                    const std::function<Vjp(const Tensors& outputs)>& make_rule);

template <class Rule>
Tensors record(const char* op, const Tensors& inputs, std::vector<Array> outputs, Rule rule) {
  return record_node(op, inputs, std::move(outputs), [&](const Tensors& made) -> Vjp {
    if constexpr (std::is_invocable_v<Rule, const Tensors&, const Needs&, const Tensors&>)
      return [rule = std::move(rule), made](const Tensors& g, const Needs& needs) {
        return rule(g, needs, made);
      };
    else
      return Vjp(std::move(rule));
  });
}
template <class Rule>
Tensor record(const char* op, const Tensors& inputs, Array output, Rule rule) {
  return record(op, inputs, std::vector<Array>{std::move(output)}, std::move(rule))[0];
}

// A kernel with a definition. `kernel` computes the outputs' arrays fast; `composite` says what
// they are, in ops. Derivatives come from the composite, unless a faster rule is given, itself made
// of ops or of further fused calls: so every order exists, and a fast kernel is never the only
// definition of a gradient.
using Composite = std::function<Tensors(const Tensors& inputs)>;
using Kernel = std::function<std::vector<Array>(const Tensors& inputs)>;
Tensors fused(const char* op, const Kernel& kernel, const Composite& composite,
              const Tensors& inputs, Vjp faster = nullptr);

// A rule that makes only the cotangents it is asked for: `some` in the places that are needed.
Tensors spread(const Tensors& some, const Needs& needs);

// Values of f without its intermediate results; they are computed again on the way back.
Tensors checkpoint(const Composite& f, const Tensors& inputs);

// When on, every op tests its outputs, forward and backward, and the first NaN or infinity is a
// DivergedError that names the op and the scope.
void set_check_finite(bool on);
bool check_finite();

}  // namespace casimir
