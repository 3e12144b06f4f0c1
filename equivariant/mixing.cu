#include "equivariant/mixing.h"

#include <vector>

#include "core/cuda_gemm.h"
#include "core/cuda_launch.cuh"

namespace casimir::cuda {
namespace {

// Rows in the order of their species, and the range of each species that has rows. The components
// of a block lie `mul` apart within a row: they are a batch of products over strided rows, so
// nothing but the order of the rows has to be copied.
struct Range {
  int64_t group, begin, end;
};
std::vector<Range> ranges_of(int64_t rows, const Segments& species) {
  if (!species.defined()) return {{0, 0, rows}};
  std::vector<Range> ranges;
  const auto offsets = species.offsets();
  for (int64_t group = 0; group < species.targets(); ++group)
    if (offsets[group] < offsets[group + 1])
      ranges.push_back({group, offsets[group], offsets[group + 1]});
  return ranges;
}

bool in_order(const Segments& species) {
  return !species.defined() || species.sorted();
}

template <class T>
Array sorted_rows(const char* op, const Array& x, const Segments& species) {
  if (in_order(species)) return x;
  Array sorted(x.shape(), x.dtype(), Device::cuda);
  gather_rows(op, x.data<T>(), device_data(op, species.device_order()), x.shape()[0],
              x.shape().row_size(), sorted.data<T>());
  return sorted;
}

// Parts of an output row that products have been written to.
class Written {
 public:
  // Whether any of [begin, end) was written before; it is now.
  bool add(int64_t begin, int64_t end) {
    bool any = false;
    for (const auto& [first, last] : parts_) any = any || (first < end && begin < last);
    parts_.push_back({begin, end});
    return any;
  }

 private:
  std::vector<std::pair<int64_t, int64_t>> parts_;
};

// One end of an instruction: where its block starts in a row, its channels, the length of a row.
struct Side {
  int64_t offset, mul, width;
};
Side in_side(const MixPlan& plan, const MixInstruction& i) {
  return {i.in, i.mul_in, plan.width_in};
}
Side out_side(const MixPlan& plan, const MixInstruction& i) {
  return {i.out, i.mul_out, plan.width_out};
}

template <class T>
void mix_rows(const MixPlan& plan, const T* x, const T* weight, const std::vector<Range>& ranges,
              T* out) {
  Written written;
  for (const MixInstruction& i : plan.instructions) {
    const Side from = plan.transposed ? out_side(plan, i) : in_side(plan, i);
    const Side to = plan.transposed ? in_side(plan, i) : out_side(plan, i);
    const bool before = written.add(to.offset, to.offset + i.components * to.mul);
    for (const Range& range : ranges) {
      Gemm<T> g{.trans_b = plan.transposed, .m = range.end - range.begin, .n = to.mul};
      g.k = from.mul, g.alpha = static_cast<T>(i.factor), g.beta = before ? T(1) : T(0);
      g.a = x + range.begin * from.width + from.offset, g.lda = from.width;
      g.b = weight + range.group * plan.weight_size + i.weight, g.ldb = i.mul_out;
      g.c = out + range.begin * to.width + to.offset, g.ldc = to.width;
      strided_gemm(g, {.batch = i.components, .a = from.mul, .c = to.mul});
    }
  }
}

// out[0, size) = the sum of `count` arrays, in order.
template <class T>
void add_parts(const T* parts, int64_t count, int64_t size, T* out) {
  for_each("mix_outer", size, [=] __device__(int64_t i) {
    T sum = parts[i];
    for (int64_t p = 1; p < count; ++p) sum += parts[p * size + i];
    out[i] = sum;
  });
}

// Sum over rows and components of x^T g: a product for each component, then their sum.
template <class T>
void outer_rows(const MixPlan& plan, const T* x, const T* g, const std::vector<Range>& ranges,
                T* out) {
  for (const MixInstruction& i : plan.instructions) {
    const int64_t size = i.mul_in * i.mul_out;
    Array parts(Shape{i.components, size}, dtype_of<T>(), Device::cuda);
    for (const Range& range : ranges) {
      T* matrix = out + range.group * plan.weight_size + i.weight;
      Gemm<T> p{.trans_a = true, .m = i.mul_in, .n = i.mul_out, .k = range.end - range.begin};
      p.alpha = static_cast<T>(i.factor);
      p.a = x + range.begin * plan.width_in + i.in, p.lda = plan.width_in;
      p.b = g + range.begin * plan.width_out + i.out, p.ldb = plan.width_out;
      p.c = i.components == 1 ? matrix : parts.data<T>(), p.ldc = i.mul_out;
      strided_gemm(p, {.batch = i.components, .a = i.mul_in, .b = i.mul_out, .c = size});
      if (i.components > 1) add_parts(parts.data<T>(), i.components, size, matrix);
    }
  }
}

}  // namespace

void mix(const MixPlan& plan, const Array& x, const Array& weight, const Segments& species,
         Array& out) {
  const std::vector<Range> ranges = ranges_of(x.shape()[0], species);
  visit_float("mix", x.dtype(), [&]<class T>(T) {
    const Array from = sorted_rows<T>("mix", x, species);
    Array to = in_order(species) ? out : Array(out.shape(), out.dtype(), Device::cuda);
    to.fill(0);  // parts of a row that no instruction names
    mix_rows(plan, from.data<T>(), weight.data<T>(), ranges, to.data<T>());
    if (in_order(species)) return;
    scatter_rows("mix", to.data<T>(), device_data("mix", species.device_order()), x.shape()[0],
                 out.shape().row_size(), out.data<T>());
  });
}

void mix_outer(const MixPlan& plan, const Array& x, const Array& g, const Segments& species,
               Array& out) {
  const std::vector<Range> ranges = ranges_of(x.shape()[0], species);
  out.fill(0);  // groups without rows
  visit_float("mix_outer", x.dtype(), [&]<class T>(T) {
    const Array left = sorted_rows<T>("mix_outer", x, species);
    const Array right = sorted_rows<T>("mix_outer", g, species);
    outer_rows(plan, left.data<T>(), right.data<T>(), ranges, out.data<T>());
  });
}

}  // namespace casimir::cuda
