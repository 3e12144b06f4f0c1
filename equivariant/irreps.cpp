#include "equivariant/irreps.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <string_view>

#include "core/parallel.h"

namespace casimir {
namespace {

constexpr int64_t largest_number = 1'000'000;  // of a multiplicity or an l, so that sizes fit int64

// Reads one text; every message shows the whole of it and the place.
class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  // [mul x] l (e | o)
  MulIrrep mul_irrep() {
    MulIrrep block;
    int64_t first = number();
    if (at_ < text_.size() && text_[at_] == 'x') {
      ++at_;
      block.mul = first;
      first = number();
    }
    block.ir = {static_cast<int>(first), parity()};
    return block;
  }

  bool skip_plus() {
    skip_space();
    if (at_ == text_.size()) return false;
    if (text_[at_] != '+') stop("expected +");
    ++at_;
    return true;
  }
  bool at_end() {
    skip_space();
    return at_ == text_.size();
  }
  [[noreturn]] void stop(const char* expected) const {
    std::string rest = text_.substr(at_, text_.find('+', at_ + 1) - at_);
    std::string place = rest.empty() ? "the end" : "'" + rest + "'";
    fail<ConfigError>("cannot read '", text_, "': ", expected, ", at ", place);
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\t')) ++at_;
  }
  int64_t number() {
    skip_space();
    int64_t value = 0;
    const char* begin = text_.data() + at_;
    auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error == std::errc::invalid_argument || value < 0)
      stop("expected an irrep such as 1o or 32x1o");
    if (error == std::errc::result_out_of_range || value > largest_number)
      stop("numbers are at most 1000000");
    at_ += end - begin;
    return value;
  }
  int parity() {
    char letter = at_ < text_.size() ? text_[at_] : ' ';
    if (letter != 'e' && letter != 'o') stop("parity must be e or o");
    ++at_;
    return letter == 'e' ? 1 : -1;
  }

  const std::string& text_;
  size_t at_ = 0;
};

// Row by row, each block [a, b] becomes [b, a].
Array transpose_blocks(const char* op, const Array& x, const Irreps& irreps, bool from_mul_ir) {
  check(x.rank() == 2 && x.shape()[1] == irreps.dim(), op, ": expected [rows, ", irreps.dim(),
        "] for ", irreps.text(), ", found ", x.shape());
  check(x.on_cpu(), op, ": expected an array on the cpu");
  Array out(x.shape(), x.dtype());
  int64_t width = irreps.dim();
  visit_float(op, x.dtype(), [&]<class T>(T) {
    const T* in = x.data<T>();
    T* to = out.data<T>();
    parallel_for(x.shape()[0], grain_for(width), [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        int64_t first = row * width;
        for (const MulIrrep& block : irreps) {
          int64_t a = from_mul_ir ? block.mul : block.ir.dim(),
                  b = block.dim() / std::max<int64_t>(a, 1);
          for (int64_t i = 0; i < a; ++i)
            for (int64_t j = 0; j < b; ++j) to[first + j * a + i] = in[first + i * b + j];
          first += block.dim();
        }
      }
    });
  });
  return out;
}

}  // namespace

std::string Irrep::text() const {
  return std::to_string(l) + (p == 1 ? "e" : "o");
}

Irrep Irrep::parse(const std::string& text) {
  Parser parser(text);
  MulIrrep block = parser.mul_irrep();
  if (block.mul != 1 || !parser.at_end())
    fail<ConfigError>("cannot read '", text, "': expected one irrep such as 1o");
  return block.ir;
}

bool Irrep::operator<(const Irrep& other) const {
  return l != other.l ? l < other.l : p < other.p;
}

std::vector<Irrep> operator*(const Irrep& a, const Irrep& b) {
  std::vector<Irrep> product;
  for (int l = std::abs(a.l - b.l); l <= a.l + b.l; ++l) product.push_back({l, a.p * b.p});
  return product;
}

Irreps Irreps::parse(const std::string& text) {
  Parser parser(text);
  std::vector<MulIrrep> blocks;
  if (parser.at_end()) return blocks;
  do blocks.push_back(parser.mul_irrep());
  while (parser.skip_plus());
  return blocks;
}

Irreps Irreps::spherical_harmonics(int l_max, int p) {
  std::vector<MulIrrep> blocks;
  for (int l = 0; l <= l_max; ++l) blocks.push_back({1, {l, l % 2 ? p : 1}});
  return blocks;
}

int64_t Irreps::dim() const {
  int64_t dim = 0;
  for (const MulIrrep& block : blocks_) dim += block.dim();
  return dim;
}

int64_t Irreps::num_irreps() const {
  int64_t number = 0;
  for (const MulIrrep& block : blocks_) number += block.mul;
  return number;
}

int Irreps::l_max() const {
  int l_max = -1;
  for (const MulIrrep& block : blocks_)
    if (block.mul > 0) l_max = std::max(l_max, block.ir.l);
  check(l_max >= 0, "irreps: '", text(), "' has no l_max: it is empty");
  return l_max;
}

int64_t Irreps::count(const Irrep& ir) const {
  int64_t number = 0;
  for (const MulIrrep& block : blocks_)
    if (block.ir == ir) number += block.mul;
  return number;
}

std::vector<int64_t> Irreps::offsets() const {
  std::vector<int64_t> offsets{0};
  for (const MulIrrep& block : blocks_) offsets.push_back(offsets.back() + block.dim());
  return offsets;
}

Irreps Irreps::simplify() const {
  std::vector<MulIrrep> blocks;
  for (const MulIrrep& block : blocks_) {
    if (!blocks.empty() && blocks.back().ir == block.ir)
      blocks.back().mul += block.mul;
    else if (block.mul > 0)
      blocks.push_back(block);
  }
  return blocks;
}

Irreps::Sorted Irreps::sort() const {
  Sorted sorted;
  sorted.inv.resize(size());
  std::iota(sorted.inv.begin(), sorted.inv.end(), 0);
  std::stable_sort(sorted.inv.begin(), sorted.inv.end(),
                   [&](int a, int b) { return blocks_[a].ir < blocks_[b].ir; });
  sorted.p.resize(size());
  std::vector<MulIrrep> blocks;
  for (size_t j = 0; j < size(); ++j) {
    sorted.p[sorted.inv[j]] = static_cast<int>(j);
    blocks.push_back(blocks_[sorted.inv[j]]);
  }
  sorted.irreps = blocks;
  return sorted;
}

Irreps Irreps::filter(const std::vector<Irrep>& keep) const {
  std::vector<MulIrrep> blocks;
  for (const MulIrrep& block : blocks_)
    if (std::find(keep.begin(), keep.end(), block.ir) != keep.end()) blocks.push_back(block);
  return blocks;
}

std::string Irreps::text() const {
  std::string text;
  for (const MulIrrep& block : blocks_) {
    if (!text.empty()) text += '+';
    text += std::to_string(block.mul);
    text += 'x';
    text += block.ir.text();
  }
  return text;
}

int64_t Irreps::uniform_mul() const {
  if (blocks_.empty()) return 0;
  bool uniform = std::all_of(begin(), end(), [&](auto& b) { return b.mul == blocks_[0].mul; });
  return uniform ? blocks_[0].mul : 0;
}

Array from_mul_ir(const Array& x, const Irreps& irreps) {
  return transpose_blocks("from_mul_ir", x, irreps, true);
}

Array to_mul_ir(const Array& x, const Irreps& irreps) {
  return transpose_blocks("to_mul_ir", x, irreps, false);
}

}  // namespace casimir
