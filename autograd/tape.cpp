#include "autograd/tape.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>

#include "autograd/ops.h"
#include "core/parallel.h"
#include "core/profile.h"

namespace casimir {
namespace {

thread_local Tape* current_tape = nullptr;
std::atomic<uint64_t> tape_ids{0};
std::atomic<bool> checking{false};

void check_values(const char* op, const Array& array) {
  if (!is_float(array.dtype())) return;
  Array host = array.to(Device::cpu);
  visit_float(op, array.dtype(), [&]<class T>(T) {
    for (T value : host.values<T>())
      if (!std::isfinite(value))
        fail<DivergedError>(op, ": produced ", value, ", shape ", array.shape());
  });
}

}  // namespace

Tape::Tape() : id_(++tape_ids), previous_(current_tape) {
  current_tape = this;
}
Tape::~Tape() {
  current_tape = previous_;
}
Tape* Tape::current() {
  return current_tape;
}

int32_t Tape::slot_of(const Tensor& x) const {
  if (x.tape_ == id_) return x.slot_;
  if (x.parameter_ >= 0 && x.store_ == store_) return store_first_ + x.parameter_;
  return -1;
}

Tensor Tape::watch(const Tensor& x) {
  Tensor out = x;
  out.tape_ = id_;
  out.slot_ = static_cast<int32_t>(producer_.size());
  out.parameter_ = -1;
  producer_.push_back(-1);
  return out;
}

void Tape::watch_store(uint64_t store, int32_t count) {
  store_ = store;
  store_first_ = static_cast<int32_t>(producer_.size());
  store_count_ = count;
  producer_.insert(producer_.end(), count, -1);
}

NoRecord::NoRecord() : tape_(current_tape), before_(tape_ && tape_->recording_) {
  if (tape_) tape_->recording_ = false;
}
NoRecord::~NoRecord() {
  if (tape_) tape_->recording_ = before_;
}

// The part of the tape that ops talk to.
struct Recorder {
  static bool wants(const Tensors& inputs) {
    Tape* tape = current_tape;
    if (!tape || !tape->recording_) return false;
    return std::any_of(inputs.begin(), inputs.end(),
                       [&](const Tensor& x) { return tape->slot_of(x) >= 0; });
  }

  static Tensors append(const char* op, const Tensors& inputs, std::vector<Array> outputs,
                        const std::function<Vjp(const Tensors&)>& make_rule) {
    Tape& tape = *current_tape;
    Tape::Node node{op,
                    Scope::path(),
                    {},
                    static_cast<int32_t>(tape.producer_.size()),
                    static_cast<int32_t>(outputs.size()),
                    nullptr,
                    {},
                    {},
                    outputs[0].dtype()};
    for (const Tensor& x : inputs) {
      node.inputs.push_back(tape.slot_of(x));
      node.input_shapes.push_back(x.shape());
    }
    Tensors made;
    for (Array& array : outputs) {
      node.output_shapes.push_back(array.shape());
      made.push_back(tape.watch(std::move(array)));
      tape.producer_.back() = static_cast<int32_t>(tape.nodes_.size());
    }
    node.vjp = make_rule(made);
    tape.nodes_.push_back(std::move(node));
    return made;
  }
};

bool tracked(const Tensors& inputs) {
  return Recorder::wants(inputs);
}

Tensors record_node(const char* op, const Tensors& inputs, std::vector<Array> outputs,
                    const std::function<Vjp(const Tensors&)>& make_rule) {
  profile_mark(op);
  if (checking)
    for (const Array& array : outputs) check_values(op, array);
  if (Recorder::wants(inputs)) return Recorder::append(op, inputs, std::move(outputs), make_rule);
  return Tensors(outputs.begin(), outputs.end());
}

namespace {

// sum += part where nobody else sees the memory of `sum`; the same bits as add().
bool add_in_place(const Tensor& sum, const Tensor& part) {
  Array array = sum.array();
  if (!array.on_cpu() || array.buffer().use_count() > 2) return false;  // sum's own and `array`
  visit_float("add", array.dtype(), [&]<class T>(T) {
    T* to = array.data<T>();
    const T* from = part.array().data<T>();
    parallel_for(array.size(), grain_for(1), [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] += from[i];
    });
  });
  return true;
}

}  // namespace

Tensors Tape::grad(const Tensors& outputs, const Tensors& inputs, const Tensors& seeds,
                   GradOptions options) {
  check(current_tape == this, "grad: this tape is not the current one");
  const auto end = static_cast<int32_t>(nodes_.size());
  Tensors cotangents(producer_.size());

  // 1. Which slots depend on the inputs.
  std::vector<uint8_t> depends(producer_.size(), 0);
  int32_t first = end;
  for (const Tensor& x : inputs) {
    int32_t slot = slot_of(x);
    check(slot >= 0, "grad: an input of shape ", x.shape(),
          x.tape_ ? " belongs to a tape that has ended" : " is not watched by this tape");
    depends[slot] = 1;
  }
  for (int32_t i = 0; i < end; ++i) {
    const Node& node = nodes_[i];
    bool any = std::any_of(node.inputs.begin(), node.inputs.end(),
                           [&](int32_t slot) { return slot >= 0 && depends[slot]; });
    if (!any) continue;
    first = std::min(first, i);
    std::fill_n(depends.begin() + node.first_output, node.outputs, uint8_t{1});
  }

  auto accumulate = [&](int32_t slot, const Tensor& value, const Shape& shape) {
    Tensor part = value.shape() == shape ? value : sum_to(value, shape);
    if (cotangents[slot].defined() && !recording_ && !checking &&
        add_in_place(cotangents[slot], part))
      return;
    cotangents[slot] = cotangents[slot].defined() ? cotangents[slot] + part : part;
  };
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Tensor& y = outputs[i];
    int32_t slot = slot_of(y);
    Tensor seed = i < seeds.size() ? seeds[i] : Tensor();
    if (!seed.defined()) {
      check(y.size() == 1, "grad: an output of shape ", y.shape(), " needs a seed");
      seed = Tensor::ones(y.shape(), y.dtype(), y.device());
    }
    check(seed.shape() == y.shape(), "grad: seed ", seed.shape(), " for an output of shape ",
          y.shape());
    if (slot >= 0 && depends[slot]) accumulate(slot, seed, y.shape());
  }

  // 2. Backwards over the list; with create_graph the rules' ops land behind `end`.
  bool before = recording_;
  recording_ = before && options.create_graph;
  try {
    for (int32_t i = end - 1; i >= first; --i) {
      Node& node = nodes_[i];
      Tensors g(cotangents.begin() + node.first_output,
                cotangents.begin() + node.first_output + node.outputs);
      if (std::none_of(g.begin(), g.end(), [](const Tensor& t) { return t.defined(); })) continue;
      Needs needs(node.inputs.size());
      for (size_t a = 0; a < needs.size(); ++a)
        needs[a] = node.inputs[a] >= 0 && depends[node.inputs[a]];
      if (!node.vjp)
        fail<Error>(
            "grad: '", node.op,
            "' was already walked and freed; pass create_graph or keep_graph to walk it again");
      Scope scope(node.scope.empty() ? std::string("backward") : node.scope + ".backward");
      Tensors parts = node.vjp(g, needs);
      check(parts.size() == needs.size(), "grad: the rule of '", node.op, "' returned ",
            parts.size(), " cotangents for ", needs.size(), " inputs");
      Node& same = nodes_[i];  // a deque keeps its elements in place while the rule appends
      for (size_t a = 0; a < needs.size(); ++a)
        if (needs[a] && parts[a].defined())
          accumulate(same.inputs[a], parts[a], same.input_shapes[a]);
      bool kept = std::any_of(inputs.begin(), inputs.end(), [&](const Tensor& x) {
        int32_t slot = slot_of(x);
        return slot >= same.first_output && slot < same.first_output + same.outputs;
      });
      if (!kept)
        for (int32_t o = 0; o < same.outputs; ++o) cotangents[same.first_output + o] = Tensor();
      if (!options.create_graph && !options.keep_graph) same.vjp = nullptr;
    }
  } catch (...) {
    recording_ = before;
    throw;
  }
  recording_ = before;

  Tensors result;
  for (const Tensor& x : inputs) result.push_back(cotangents[slot_of(x)]);
  return result;
}

Tensors fused(const char* op, const Kernel& kernel, const Composite& composite,
              const Tensors& inputs, Vjp faster) {
  std::vector<Array> outputs = kernel(inputs);
  if (!Recorder::wants(inputs)) {
    profile_mark(op);
    if (checking)
      for (const Array& array : outputs) check_values(op, array);
    return Tensors(outputs.begin(), outputs.end());
  }
  if (faster)
    return record_node(op, inputs, std::move(outputs), [&](const Tensors&) { return faster; });
  // The local derivative treats its inputs as independent variables: alias() makes them so, else a
  // cotangent that itself depends on an input would be counted twice.
  Vjp rule = [composite, inputs](const Tensors& g, const Needs& needs) {
    Tape* tape = Tape::current();
    std::optional<Tape>
        own;  // without create_graph the walk does not record: use a tape of our own
    bool nested = !tape || !tracked({inputs.begin(), inputs.end()});
    if (nested) own.emplace();
    Tape& here = nested ? *own : *tape;
    Tensors independent, wanted, cotangents_in, outputs_used;
    for (const Tensor& x : inputs) independent.push_back(nested ? here.watch(x) : alias(x));
    for (size_t a = 0; a < inputs.size(); ++a)
      if (needs[a]) wanted.push_back(independent[a]);
    Tensors made = composite(independent);
    for (size_t o = 0; o < made.size(); ++o)
      if (g[o].defined()) outputs_used.push_back(made[o]), cotangents_in.push_back(g[o]);
    Tensors parts = here.grad(outputs_used, wanted, cotangents_in, {.create_graph = !nested});
    return spread(parts, needs);
  };
  return record_node(op, inputs, std::move(outputs), [&](const Tensors&) { return rule; });
}

Tensors spread(const Tensors& some, const Needs& needs) {
  Tensors all(needs.size());
  for (size_t a = 0, k = 0; a < needs.size(); ++a)
    if (needs[a]) all[a] = some[k++];
  return all;
}

Tensors checkpoint(const Composite& f, const Tensors& inputs) {
  Kernel kernel = [f](const Tensors& in) {
    NoRecord quiet;
    std::vector<Array> arrays;
    for (const Tensor& y : f(in)) arrays.push_back(y.array());
    return arrays;
  };
  return fused("checkpoint", kernel, f, inputs);
}

void set_check_finite(bool on) {
  checking = on;
}
bool check_finite() {
  return checking;
}

}  // namespace casimir
