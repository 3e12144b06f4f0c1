// The CPU kernel of contract(): the program's tree, walked for blocks of channels held in
// registers.
#include <algorithm>
#include <cstring>

#include "core/parallel.h"
#include "core/simd.h"
#include "equivariant/contraction_program.h"

namespace casimir {

// contraction_rows.cpp: plans without channel operands, all of whose operands have a row each.
bool without_channels(const Plan& plan);
void contract_rows(const Plan& plan, const std::vector<const Array*>& inputs, int64_t rows,
                   Array& out);

namespace {

using Node = ContractionProgram::Node;
using Part = ContractionProgram::Part;

// Q vectors of W numbers, held in registers.
template <class T, int W, int Q>
struct Block {
  typedef T Vector __attribute__((vector_size(W * sizeof(T))));
  static constexpr int size = W * Q;
  Vector v[Q];

  static Block zero() { return Block{}; }
  static Block load(const T* p) {
    Block b;
    for (int q = 0; q < Q; ++q) b.v[q] = simd_load<Vector>(p + q * W);
    return b;
  }
  void store(T* p) const {
    for (int q = 0; q < Q; ++q) simd_store(p + q * W, v[q]);
  }
  void add_product(T s, const Block& b) {
    for (int q = 0; q < Q; ++q) v[q] += s * b.v[q];
  }
  void add_product(const Block& a, const Block& b) {
    for (int q = 0; q < Q; ++q) v[q] += a.v[q] * b.v[q];
  }
  void add(const Block& b) {
    for (int q = 0; q < Q; ++q) v[q] += b.v[q];
  }
  Vector lanes() const {
    Vector sum = v[0];
    for (int q = 1; q < Q; ++q) sum += v[q];
    return sum;
  }
};

template <class T>
struct Row {
  const T* in[ContractionProgram::max_levels];  // by level
  const T* coefficients;                        // of the part's leaves
};

// sum over nodes [begin, end) of the level: operand * (sum below), or coefficient * operand at the
// leaves.
template <int Level, int Levels, class T, class B>
inline B sum_nodes(const Part& part, const Row<T>& row, int32_t begin, int32_t end, int channel) {
  B sum = B::zero();
  const Node* nodes = part.levels[Level].data();
  const T* in = row.in[Level] + channel;
  for (int32_t n = begin; n < end; ++n) {
    B values = B::load(in + nodes[n].offset);
    if constexpr (Level + 1 == Levels)
      sum.add_product(row.coefficients[n], values);
    else
      sum.add_product(
          sum_nodes<Level + 1, Levels, T, B>(part, row, nodes[n].begin, nodes[n].end, channel),
          values);
  }
  return sum;
}

// One block of channels of a channel output, for all rows of a task.
template <int Levels, class T, class B>
void add_block(const Part& part, const Row<T>* rows, int count, T* out, int channel) {
  for (const Node& run : part.runs) {
    B sum = B::load(out + run.offset + channel);
    for (int r = 0; r < count; ++r) {
      if constexpr (Levels == 0) {
        for (int32_t n = run.begin; n < run.end; ++n)
          for (int q = 0; q < static_cast<int>(sizeof(B) / sizeof(sum.v[0])); ++q)
            sum.v[q] += rows[r].coefficients[n];
      } else {
        sum.add(sum_nodes<0, Levels, T, B>(part, rows[r], run.begin, run.end, channel));
      }
    }
    sum.store(out + run.offset + channel);
  }
}

// Inner products over one block of channels: lanes[leaf] += sum of products.
template <int Level, int Levels, class T, class B>
inline void add_dots(const Part& part, const Row<T>& row, int32_t begin, int32_t end, int channel,
                     const B& product, typename B::Vector* lanes) {
  const Node* nodes = part.levels[Level].data();
  const T* in = row.in[Level] + channel;
  for (int32_t n = begin; n < end; ++n) {
    B values = B::load(in + nodes[n].offset);
    if constexpr (Level > 0)
      for (size_t q = 0; q < sizeof(B) / sizeof(values.v[0]); ++q) values.v[q] *= product.v[q];
    if constexpr (Level + 1 == Levels)
      lanes[n] += values.lanes();
    else
      add_dots<Level + 1, Levels, T, B>(part, row, nodes[n].begin, nodes[n].end, channel, values,
                                        lanes);
  }
}

template <class T>
struct Widths {  // four registers per block
  static constexpr int lanes = Simd<T>::width;
  using Wide = Block<T, lanes, 4>;
  using Narrow = Block<T, lanes, 1>;
  using Single = Block<T, 1, 1>;
};

// f is called with a Block type and the first channel of each block.
template <class T, class F>
void for_blocks(int channels, F&& f) {
  using W = Widths<T>;
  int c = 0;
  for (; c + W::Wide::size <= channels; c += W::Wide::size)
    f.template operator()<typename W::Wide>(c);
  for (; c + W::Narrow::size <= channels; c += W::Narrow::size)
    f.template operator()<typename W::Narrow>(c);
  for (; c < channels; ++c) f.template operator()<typename W::Single>(c);
}

// Calls f with the number of levels as a compile-time number.
template <class F>
void with_levels(size_t levels, F&& f) {
  switch (levels) {
    case 0:
      return f.template operator()<0>();
    case 1:
      return f.template operator()<1>();
    case 2:
      return f.template operator()<2>();
    case 3:
      return f.template operator()<3>();
    case 4:
      return f.template operator()<4>();
    case 5:
      return f.template operator()<5>();
    default:
      return f.template operator()<6>();
  }
}

template <class T>
class Contraction {
 public:
  Contraction(const Plan& plan, const std::vector<const Array*>& inputs,
              const std::vector<Segments>& indices, int64_t rows, Array& out)
      : program_(plan.program()),
        rows_(rows),
        out_(out.data<T>()),
        width_(plan.operand(plan.inputs()).width) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const Operand& operand = plan.operand(i);
      const int32_t* index =
          operand.rows == Operand::Rows::indexed ? indices[operand.index].index().data() : nullptr;
      inputs_.push_back(
          {inputs[i]->data<T>(), operand.width, index, operand.rows == Operand::Rows::shared});
    }
    const Operand& output = plan.operand(plan.inputs());
    if (output.rows == Operand::Rows::indexed) output_index_ = &indices[output.index];
    shared_output_ = output.rows == Operand::Rows::shared;
    for (const auto& term : program_.scalar_terms)
      coefficients_.push_back(static_cast<T>(term.coefficient));
    if (program_.scalar_inputs.empty() && program_.channel_output) {
      constants_.assign(program_.leaves, 0);
      for (size_t t = 0; t < coefficients_.size(); ++t)
        constants_[program_.scalar_terms[t].leaf] += coefficients_[t];
    }
  }

  void run() {
    if (!output_index_ && !shared_output_) {
      parallel_for(rows_, grain(program_.work), [&](int64_t begin, int64_t end) {
        Workspace work = workspace();
        for (int64_t e = begin; e < end; ++e) {
          T* out = out_ + e * width_;
          std::fill_n(out, width_, T{0});
          add_rows(work, e, e + 1, false, out);
        }
      });
      return;
    }
    sum_segments();
  }

 private:
  // Multiply-adds of a chunk of work: some tens of microseconds.
  static int64_t grain(int64_t work) {
    return std::max<int64_t>(1, (int64_t{1} << 19) / std::max<int64_t>(1, work));
  }
  static constexpr int64_t task_rows = 64;  // longest piece of a segment that one task adds up
  static constexpr int batch = 16;          // rows whose coefficients are kept at a time

  struct Input {
    const T* data;
    int64_t width;
    const int32_t* index;
    bool shared;
    const T* row(int64_t e) const { return data + (shared ? 0 : index ? index[e] : e) * width; }
  };
  struct Workspace {
    std::vector<T> coefficients;                          // [batch, leaves]
    std::vector<T> dots;                                  // [leaves]
    std::vector<typename Widths<T>::Wide::Vector> lanes;  // [leaves]
  };

  Workspace workspace() const {
    Workspace work;
    if (program_.channel_output && constants_.empty())
      work.coefficients.resize(batch * program_.leaves);
    if (!program_.channel_output) {
      work.dots.resize(program_.leaves);
      work.lanes.resize(program_.leaves);
    }
    return work;
  }

  // Product of the scalar inputs of every term, added up by leaf.
  void leaf_coefficients(int64_t e, T* s) const {
    std::fill_n(s, program_.leaves, T{0});
    const size_t scalars = program_.scalar_inputs.size(), terms = coefficients_.size();
    const int32_t* at = program_.scalar_offsets.data();
    if (scalars == 1) {
      const T* y = inputs_[program_.scalar_inputs[0]].row(e);
      for (size_t t = 0; t < terms; ++t)
        s[program_.scalar_terms[t].leaf] += coefficients_[t] * y[at[t]];
      return;
    }
    for (size_t t = 0; t < terms; ++t) s[program_.scalar_terms[t].leaf] += scalar_product(e, t);
  }
  T scalar_product(int64_t e, size_t t) const {
    const size_t scalars = program_.scalar_inputs.size();
    T product = coefficients_[t];
    for (size_t i = 0; i < scalars; ++i)
      product *=
          inputs_[program_.scalar_inputs[i]].row(e)[program_.scalar_offsets[t * scalars + i]];
    return product;
  }

  // Adds rows [begin, end) (of the sorted order when `sorted`) into one output row.
  void add_rows(Workspace& work, int64_t begin, int64_t end, bool sorted, T* out) const {
    Row<T> rows[batch];
    for (int64_t first = begin; first < end; first += batch) {
      int count = static_cast<int>(std::min<int64_t>(batch, end - first));
      for (int r = 0; r < count; ++r) {
        int64_t e = sorted && output_index_ ? output_index_->order()[first + r] : first + r;
        if (!program_.channel_output) {
          add_scalars(work, e, out);
          continue;
        }
        fill_row(rows[r], e);
        if (constants_.empty()) {
          T* s = work.coefficients.data() + static_cast<int64_t>(r) * program_.leaves;
          leaf_coefficients(e, s);
          rows[r].coefficients = s;
        } else {
          rows[r].coefficients = constants_.data();
        }
      }
      if (program_.channel_output) add_channels(rows, count, out);
    }
  }

  void fill_row(Row<T>& row, int64_t e) const {
    for (size_t level = 0; level < program_.channel_inputs.size(); ++level)
      row.in[level] = inputs_[program_.channel_inputs[level]].row(e);
  }

  void add_channels(Row<T>* rows, int count, T* out) const {
    with_levels(program_.channel_inputs.size(), [&]<int Levels>() {
      for (const Part& part : program_.parts) {
        for (int r = 0; r < count; ++r) rows[r].coefficients += part.first_leaf;
        for_blocks<T>(part.channels, [&]<class B>(int channel) {
          add_block<Levels, T, B>(part, rows, count, out, channel);
        });
        for (int r = 0; r < count; ++r) rows[r].coefficients -= part.first_leaf;
      }
    });
  }

  void add_scalars(Workspace& work, int64_t e, T* out) const {
    Row<T> row;
    fill_row(row, e);
    if (program_.channel_inputs.empty())
      std::fill(work.dots.begin(), work.dots.end(), T{1});
    else
      dot_products(work, row);
    for (size_t t = 0; t < coefficients_.size(); ++t) {
      const auto& term = program_.scalar_terms[t];
      out[term.out] += work.dots[term.leaf] * scalar_product(e, t);
    }
  }

  void dot_products(Workspace& work, const Row<T>& row) const {
    using Vector = typename Widths<T>::Wide::Vector;
    constexpr int lanes = Widths<T>::lanes;
    std::fill(work.lanes.begin(), work.lanes.end(), Vector{});
    std::fill(work.dots.begin(), work.dots.end(), T{0});
    with_levels(program_.channel_inputs.size(), [&]<int Levels>() {
      if constexpr (Levels > 0)
        for (const Part& part : program_.parts)
          for_blocks<T>(part.channels, [&]<class B>(int channel) {
            int32_t top = static_cast<int32_t>(part.levels[0].size());
            if constexpr (B::size == 1) {
              auto* sums =
                  reinterpret_cast<typename B::Vector*>(work.dots.data() + part.first_leaf);
              add_dots<0, Levels, T, B>(part, row, 0, top, channel, B::zero(), sums);
            } else {
              Vector* sums = work.lanes.data() + part.first_leaf;
              add_dots<0, Levels, T, B>(part, row, 0, top, channel, B::zero(), sums);
            }
          });
    });
    for (int32_t leaf = 0; leaf < program_.leaves; ++leaf) {
      T sum = 0;
      for (int i = 0; i < lanes; ++i) sum += work.lanes[leaf][i];
      work.dots[leaf] += sum;
    }
  }

  // Sums over the rows of each target. Long segments are cut into pieces of task_rows, whose sums
  // are added in order: the same bits for any number of threads.
  void sum_segments() {
    struct Task {
      int64_t target, begin, end;
      T* out;
    };
    int64_t targets = shared_output_ ? 1 : output_index_->targets();
    std::vector<Task> tasks;
    int64_t pieces = 0;
    for (int64_t t = 0; t < targets; ++t) {
      int64_t begin = shared_output_ ? 0 : output_index_->offsets()[t];
      int64_t end = shared_output_ ? rows_ : output_index_->offsets()[t + 1];
      int64_t first = begin;
      do {
        int64_t last = std::min(end, first + task_rows);
        tasks.push_back({t, first, last, first == begin ? out_ + t * width_ : nullptr});
        if (first != begin) ++pieces;
        first = last;
      } while (first < end);
    }
    Array partial(Shape{pieces, width_}, dtype_of<T>());
    T* next = partial.data<T>();
    for (Task& task : tasks)
      if (!task.out) task.out = next, next += width_;
    int64_t rows_per_task = std::max<int64_t>(1, rows_ / std::max<int64_t>(1, tasks.size()));
    parallel_for(static_cast<int64_t>(tasks.size()), grain(program_.work * rows_per_task),
                 [&](int64_t begin, int64_t end) {
                   Workspace work = workspace();
                   for (int64_t i = begin; i < end; ++i) {
                     std::fill_n(tasks[i].out, width_, T{0});
                     add_rows(work, tasks[i].begin, tasks[i].end, true, tasks[i].out);
                   }
                 });
    const T* piece = partial.data<T>();
    for (const Task& task : tasks) {
      T* out = out_ + task.target * width_;
      if (task.out == out) continue;
      for (int64_t i = 0; i < width_; ++i) out[i] += piece[i];
      piece += width_;
    }
  }

  const ContractionProgram& program_;
  int64_t rows_;
  T* out_;
  int64_t width_;
  std::vector<Input> inputs_;
  const Segments* output_index_ = nullptr;
  bool shared_output_ = false;
  std::vector<T> coefficients_;  // of the scalar terms
  std::vector<T> constants_;     // of the leaves, when there are no scalar inputs
};

}  // namespace

void contract_kernel(const Plan& plan, const std::vector<const Array*>& inputs,
                     const std::vector<Segments>& indices, int64_t rows, Array& out) {
  if (without_channels(plan)) return contract_rows(plan, inputs, rows, out);
  visit_float("contract", out.dtype(),
              [&]<class T>(T) { Contraction<T>(plan, inputs, indices, rows, out).run(); });
}

}  // namespace casimir
