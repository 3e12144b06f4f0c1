// Shape: up to six sizes, kept inline, row-major.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <ostream>
#include <span>

#include "core/error.h"

namespace casimir {

class Shape {
 public:
  static constexpr int max_rank = 6;

  Shape() = default;
  Shape(std::initializer_list<int64_t> sizes) : Shape(std::span(sizes.begin(), sizes.size())) {}
  explicit Shape(std::span<const int64_t> sizes) : rank_(static_cast<int>(sizes.size())) {
    check(rank_ <= max_rank, "shape: at most ", max_rank, " axes, found ", rank_);
    for (int i = 0; i < rank_; ++i) {
      check(sizes[i] >= 0, "shape: axis ", i, " has size ", sizes[i]);
      sizes_[i] = sizes[i];
    }
  }

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return sizes_[axis < 0 ? axis + rank_ : axis]; }
  int64_t size() const {  // number of elements
    int64_t n = 1;
    for (int i = 0; i < rank_; ++i) n *= sizes_[i];
    return n;
  }
  // Number of elements of one step along axis 0; 1 for rank 0 and 1.
  int64_t row_size() const {
    int64_t n = 1;
    for (int i = 1; i < rank_; ++i) n *= sizes_[i];
    return n;
  }
  std::span<const int64_t> sizes() const { return {sizes_.data(), static_cast<size_t>(rank_)}; }
  // A copy with one size replaced.
  Shape with(int axis, int64_t size) const {
    Shape shape = *this;
    shape.sizes_[axis < 0 ? axis + rank_ : axis] = size;
    return shape;
  }
  bool operator==(const Shape& other) const = default;

 private:
  std::array<int64_t, max_rank> sizes_{};
  int rank_ = 0;
};

inline std::ostream& operator<<(std::ostream& out, const Shape& shape) {
  out << '[';
  for (int i = 0; i < shape.rank(); ++i) out << (i ? ", " : "") << shape[i];
  return out << ']';
}

// The axis as a non-negative number; negative ones count from the end.
inline int normalize_axis(const char* op, int axis, int rank) {
  check(axis >= -rank && axis < rank, op, ": axis ", axis, " of a tensor with ", rank, " axes");
  return axis < 0 ? axis + rank : axis;
}

// NumPy's rule: sizes are aligned at the end; equal, or one of them is 1.
inline Shape broadcast(const char* op, const Shape& a, const Shape& b) {
  int rank = a.rank() > b.rank() ? a.rank() : b.rank();
  std::array<int64_t, Shape::max_rank> sizes{};
  for (int i = 1; i <= rank; ++i) {
    int64_t m = i <= a.rank() ? a[-i] : 1, n = i <= b.rank() ? b[-i] : 1;
    check(m == n || m == 1 || n == 1, op, ": shapes do not broadcast: ", a, " and ", b);
    sizes[rank - i] = m == 1 ? n : m;
  }
  return Shape(std::span<const int64_t>(sizes.data(), rank));
}

}  // namespace casimir
