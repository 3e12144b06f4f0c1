// Irreps of O(3), with e3nn's words: Irrep (l, p), MulIrrep, Irreps("32x0e + 16x1o").
//
// The basis of l = 1 is x, y, z, as in e3nn. Features are stored "ir_mul": a row of length
// irreps.dim() holds, block after block, [2l + 1, mul] with the multiplicity innermost, so that
// channels are contiguous. e3nn stores [mul, 2l + 1]; to_mul_ir / from_mul_ir convert.
#pragma once

#include <string>
#include <vector>

#include "core/array.h"

namespace casimir {

struct Irrep {
  int l = 0;
  int p = 1;  // +1 even, -1 odd
  int dim() const { return 2 * l + 1; }
  bool is_scalar() const { return l == 0 && p == 1; }
  std::string text() const;  // "1o"
  // ConfigError "cannot read '1q': parity must be e or o, at 'q'"
  static Irrep parse(const std::string& text);
  // The order of e3nn 0.4.4: by l, then odd before even: 0o 0e 1o 1e 2o 2e ...
  bool operator<(const Irrep& other) const;
  bool operator==(const Irrep&) const = default;
};
// |l1 - l2| .. l1 + l2, parity p1 p2: the irreps of the product.
std::vector<Irrep> operator*(const Irrep& a, const Irrep& b);

struct MulIrrep {
  int64_t mul = 1;
  Irrep ir;
  int64_t dim() const { return mul * ir.dim(); }
  bool operator==(const MulIrrep&) const = default;
};

class Irreps {
 public:
  Irreps() = default;
  Irreps(std::vector<MulIrrep> blocks) : blocks_(std::move(blocks)) {}
  Irreps(const char* text) : Irreps(parse(text)) {}
  // "128x0e + 64x1o", "0e+1o", "" for none; ConfigError with the place.
  static Irreps parse(const std::string& text);
  static Irreps spherical_harmonics(int l_max, int p = -1);  // 1x0e + 1x1o + 1x2e ... (p^l)

  const std::vector<MulIrrep>& blocks() const { return blocks_; }
  size_t size() const { return blocks_.size(); }
  const MulIrrep& operator[](size_t i) const { return blocks_[i]; }
  auto begin() const { return blocks_.begin(); }
  auto end() const { return blocks_.end(); }

  int64_t dim() const;
  int64_t num_irreps() const;            // sum of multiplicities
  int l_max() const;                     // of the blocks with mul > 0; one must exist
  int64_t count(const Irrep& ir) const;  // total multiplicity
  std::vector<int64_t> offsets() const;  // first element of each block, plus the end: slices
  Irreps simplify() const;               // neighbours of one irrep joined, mul 0 dropped
  struct Sorted;
  Sorted sort() const;  // by irrep, stable
  Irreps filter(const std::vector<Irrep>& keep) const;
  std::string text() const;  // "32x0e+16x1o"
  bool operator==(const Irreps&) const = default;
  // The common multiplicity; 0 when blocks differ.
  int64_t uniform_mul() const;

 private:
  std::vector<MulIrrep> blocks_;
};
struct Irreps::Sorted {
  Irreps irreps;
  std::vector<int> p;    // block i of the original became block p[i]
  std::vector<int> inv;  // block j of the sorted came from inv[j]
};

// [rows, dim] between e3nn's layout and ours; on the CPU, f32 and f64.
Array from_mul_ir(const Array& x, const Irreps& irreps);
Array to_mul_ir(const Array& x, const Irreps& irreps);

}  // namespace casimir
