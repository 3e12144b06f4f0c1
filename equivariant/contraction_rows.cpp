// The CPU kernel of contract() for plans without channels: rows side by side in the lanes of
// registers, in place of channels.
#include <numeric>

#include "core/parallel.h"
#include "equivariant/contraction_program.h"
#include "equivariant/row_blocks.h"

namespace casimir {

bool without_channels(const Plan& plan) {
  for (size_t i = 0; i <= plan.inputs(); ++i)
    if (plan.operand(i).channels || plan.operand(i).rows != Operand::Rows::each) return false;
  return plan.inputs() > 0;
}

namespace {

template <class T>
class RowContraction {
 public:
  RowContraction(const Plan& plan, const std::vector<const Array*>& inputs, Array& out)
      : out_(out.data<T>()), width_out_(plan.operand(plan.inputs()).width) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      inputs_.push_back({inputs[i]->data<T>(), plan.operand(i).width, width_in_});
      width_in_ += plan.operand(i).width;
    }
    const ContractionProgram& program = plan.program();
    std::vector<size_t> order(program.scalar_terms.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
      return program.scalar_terms[a].out < program.scalar_terms[b].out;
    });
    for (size_t t : order) {
      const auto& term = program.scalar_terms[t];
      if (runs_.empty() || runs_.back().out != term.out) runs_.push_back({term.out, 0});
      runs_.back().end = coefficients_.size() + 1;
      coefficients_.push_back(static_cast<T>(term.coefficient));
      for (size_t i = 0; i < inputs.size(); ++i)
        places_.push_back(inputs_[i].place + program.scalar_offsets[t * inputs.size() + i]);
    }
  }

  void run(int64_t rows) const {
    const int64_t work = width_in_ + width_out_ + static_cast<int64_t>(places_.size());
    const int64_t grain = (std::max<int64_t>(1, (int64_t{1} << 19) / work) + lanes - 1) / lanes;
    parallel_for(rows, grain * lanes, [&](int64_t begin, int64_t end) {
      std::vector<V> in(registers * width_in_), out(registers * width_out_);
      for (int64_t e = begin; e < end; e += lanes)
        block(e, std::min<int64_t>(lanes, end - e), reinterpret_cast<T*>(in.data()),
              reinterpret_cast<T*>(out.data()));
    });
  }

 private:
  using V = typename Simd<T>::type;
  static constexpr int registers = 4;
  static constexpr int width = Simd<T>::width;
  static constexpr int lanes = registers * width;  // rows of a block; always all are computed

  struct Input {
    const T* data;
    int64_t width, place;  // of its first number among those of all inputs
  };
  struct Run {  // terms, behind those of the run before, of one number of the output
    int32_t out;
    size_t end;
  };

  // in [width_in, lanes], out [width_out, lanes]: rows [e, e + count).
  void block(int64_t e, int64_t count, T* in, T* out) const {
    // Registers without rows of their own repeat the first ones.
    auto for_registers = [&](auto f) {
      for (int64_t first = 0; first < lanes; first += width)
        f(first, first < count ? e + first : e,
          static_cast<int>(std::min<int64_t>(width, first < count ? count - first : count)));
    };
    for (const Input& input : inputs_)
      for_registers([&](int64_t first, int64_t row, int rows) {
        row_blocks::load_rows(input.data + row * input.width, input.width, rows,
                              in + input.place * lanes + first, lanes);
      });
    add_terms(in, out);
    for (int64_t first = 0; first < count; first += width)
      row_blocks::store_rows(out + first, lanes, out_ + (e + first) * width_out_, width_out_,
                             static_cast<int>(std::min<int64_t>(width, count - first)));
  }

  void add_terms(const T* in, T* out) const {
    const size_t factors = inputs_.size();
    const int64_t* place = places_.data();
    size_t t = 0;
    for (const Run& run : runs_) {
      V sum[registers] = {};
      for (; t < run.end; ++t, place += factors) {
        V product[registers];
        for (int q = 0; q < registers; ++q)
          product[q] = coefficients_[t] * simd_load<V>(in + place[0] * lanes + q * width);
        for (size_t i = 1; i < factors; ++i)
          for (int q = 0; q < registers; ++q)
            product[q] *= simd_load<V>(in + place[i] * lanes + q * width);
        for (int q = 0; q < registers; ++q) sum[q] += product[q];
      }
      for (int q = 0; q < registers; ++q) simd_store(out + run.out * lanes + q * width, sum[q]);
    }
  }

  T* out_;
  int64_t width_out_, width_in_ = 0;
  std::vector<Input> inputs_;
  std::vector<T> coefficients_;
  std::vector<int64_t> places_;  // [terms, inputs]
  std::vector<Run> runs_;
};

}  // namespace

void contract_rows(const Plan& plan, const std::vector<const Array*>& inputs, int64_t rows,
                   Array& out) {
  visit_float("contract", out.dtype(),
              [&]<class T>(T) { RowContraction<T>(plan, inputs, out).run(rows); });
}

}  // namespace casimir
