#include "datasets/neighbors.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/parallel.h"

namespace casimir {
namespace {

constexpr int most_images = 250;      // per direction; with twice most_offset, 10 bits hold it
constexpr int most_offset = 100;      // cells between an atom and atom 0 that fit into a key
constexpr double bins_per_r_max = 2;  // the width of a bin is about r_max / 2

double dot(const Vec3& a, const Vec3& b) {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}
Vec3 cross(const Vec3& a, const Vec3& b) {
  return {a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]};
}
Vec3 unit(const Vec3& a) {
  double length = std::sqrt(dot(a, a));
  return {a[0] / length, a[1] / length, a[2] / length};
}
// A unit vector orthogonal to a.
Vec3 orthogonal(const Vec3& a) {
  int least = 0;
  for (int k = 1; k < 3; ++k)
    if (std::abs(a[k]) < std::abs(a[least])) least = k;
  Vec3 axis{};
  axis[least] = 1;
  return unit(cross(a, axis));
}

// The cell with its non-periodic vectors replaced by unit vectors orthogonal to all others: what
// the file says about those has no meaning for distances.
std::array<Vec3, 3> completed(const Mat3& cell, const std::array<bool, 3>& pbc) {
  std::array<Vec3, 3> v;
  int periodic = 0, last_open = -1;
  for (int i = 0; i < 3; ++i) {
    v[i] = {cell[3 * i], cell[3 * i + 1], cell[3 * i + 2]};
    periodic += pbc[i];
    if (!pbc[i]) last_open = i;
  }
  if (periodic == 0) return {Vec3{1, 0, 0}, Vec3{0, 1, 0}, Vec3{0, 0, 1}};
  if (periodic == 3) return v;
  int a = (last_open + 1) % 3, b = (last_open + 2) % 3;
  if (periodic == 1) {
    int kept = pbc[a] ? a : b, other = pbc[a] ? b : a;
    v[other] = orthogonal(v[kept]);
  }
  v[last_open] = unit(cross(v[a], v[b]));
  return v;
}

// A sender and a lattice translation in one number that sorts as (sender, S). Sums of such numbers
// are the numbers of the sums, up to one zero_shift.
constexpr uint64_t zero_shift = 512 << 20 | 512 << 10 | 512;
uint64_t make_key(int64_t sender, const std::array<int32_t, 3>& s) {
  int64_t bits = (int64_t{s[0]} << 20) + (int64_t{s[1]} << 10) + s[2];
  return (static_cast<uint64_t>(sender) << 30) + static_cast<uint64_t>(bits);
}
int32_t sender_of(uint64_t key) {
  return static_cast<int32_t>(key >> 30);
}
std::array<int32_t, 3> shift_of(uint64_t key) {
  return {static_cast<int32_t>(key >> 20 & 1023) - 512,
          static_cast<int32_t>(key >> 10 & 1023) - 512, static_cast<int32_t>(key & 1023) - 512};
}

// Atoms are brought within half a cell of atom 0 (so a cluster stays in one piece), then sorted
// into bins along the three plane normals. An atom's candidates are the bins within r_max of it,
// once for every lattice translation T that brings the occupied region there; none for most T.
class Search {
 public:
  Search(std::span<const Vec3> positions, const Mat3& cell, const std::array<bool, 3>& pbc,
         double r_max);
  // The keys of the edges of atom order()[slot], sorted, in memory that `scratch` keeps.
  std::span<const uint64_t> find(int64_t slot, std::vector<uint64_t>& scratch) const;
  std::span<const int32_t> order() const { return order_; }
  // S for the positions as given.
  std::array<int32_t, 3> given_shift(int64_t receiver, uint64_t key) const {
    std::array<int32_t, 3> s = shift_of(key);
    if (packed_) return s;
    const auto &from = offset_[sender_of(key)], &to = offset_[receiver];
    for (int k = 0; k < 3; ++k) s[k] += from[k] - to[k];
    return s;
  }

 private:
  struct Range {
    int first = 0, last = -1;  // both included
  };
  void wrap(std::span<const Vec3> positions);
  void choose_bins(int64_t n);
  void sort_into_bins(int64_t n);
  Range translations(int axis, double x) const;
  Range bins(int axis, double x) const;
  bool within(int64_t receiver, uint64_t key) const;
  struct Visit {
    std::vector<uint64_t>& keys;
    uint64_t self;        // the key that is no edge
    uint64_t shift_bits;  // added to those of the sender
    Vec3 center;          // the receiver, translated
    size_t count;         // of keys found
    bool near_edge;       // some need the exact test
  };
  void scan(Visit& visit, int64_t begin, int64_t end) const;
  int64_t bin_index(int64_t x, int64_t y, int64_t z) const {
    return (x * bin_count_[1] + y) * bin_count_[2] + z;
  }

  std::span<const Vec3> positions_;
  Mat3 cell_;
  std::array<bool, 3> pbc_;
  double r_max_, reach_;                  // reach: r_max and a little, against rounding
  double inner_squared_, outer_squared_;  // distances between these need the exact test
  std::array<Vec3, 3> vectors_;           // completed cell
  std::array<Vec3, 3> normals_;           // unit plane normals; coordinate x[i] = r . normals[i]
  Vec3 heights_;                          // distance of the lattice planes
  std::vector<std::array<int32_t, 3>> offset_;  // given = wrapped + offset cell
  bool packed_ = true;                          // the offsets are in the keys
  std::vector<Vec3> wrapped_, coordinates_;
  Vec3 low_, high_, bins_per_length_;
  std::array<int, 3> bin_count_;
  std::vector<int32_t> bin_begin_;
  struct Slot {
    Vec3 r;                // wrapped
    uint64_t sender_bits;  // of a key
  };
  std::vector<Slot> slots_;     // atoms in the order of the bins
  std::vector<int32_t> order_;  // atoms in the order of the bins
};

Search::Search(std::span<const Vec3> positions, const Mat3& cell, const std::array<bool, 3>& pbc,
               double r_max)
    : positions_(positions), cell_(cell), pbc_(pbc), r_max_(r_max) {
  vectors_ = completed(cell, pbc);
  for (int i = 0; i < 3; ++i) {
    normals_[i] = unit(cross(vectors_[(i + 1) % 3], vectors_[(i + 2) % 3]));
    heights_[i] = dot(vectors_[i], normals_[i]);
    if (heights_[i] < 0) {  // left-handed cell
      heights_[i] = -heights_[i];
      for (double& x : normals_[i]) x = -x;
    }
    check<DataError>(!pbc[i] || r_max / heights_[i] < most_images, "find_neighbors: the cell is ",
                     heights_[i], " A thin along axis ", i, ": r_max ", r_max, " A reaches over ",
                     most_images, " images");
  }
  wrap(positions);
  choose_bins(static_cast<int64_t>(positions.size()));
  sort_into_bins(static_cast<int64_t>(positions.size()));
}

void Search::wrap(std::span<const Vec3> positions) {
  size_t n = positions.size();
  offset_.resize(n);
  wrapped_.resize(n);
  coordinates_.resize(n);
  double largest = r_max_;
  for (size_t a = 0; a < n; ++a) {
    Vec3 r = positions[a];
    for (int i = 0; i < 3; ++i) {
      double x = dot(positions[a], normals_[i]) - dot(positions[0], normals_[i]);
      double cells = pbc_[i] ? std::floor(x / heights_[i] + 0.5) : 0;
      check<DataError>(std::abs(x) < 1e12 && std::abs(cells) < 1e8, "find_neighbors: atom ", a,
                       " lies ", std::abs(x), " A from atom 0");
      offset_[a][i] = static_cast<int32_t>(cells);
      packed_ = packed_ && std::abs(cells) <= most_offset;
      largest = std::max(largest, std::abs(positions[a][i]));
      for (int k = 0; k < 3; ++k) r[k] -= cells * vectors_[i][k];
    }
    wrapped_[a] = r;
    for (int i = 0; i < 3; ++i) {
      coordinates_[a][i] = dot(r, normals_[i]);
      largest = std::max(largest, std::abs(r[i]));
    }
  }
  for (const Vec3& v : vectors_) largest = std::max(largest, std::sqrt(dot(v, v)));
  double rounding = 1e-14 * (largest + r_max_ * most_images);
  reach_ = r_max_ + rounding;
  outer_squared_ = reach_ * reach_;
  inner_squared_ = std::max(0.0, r_max_ - rounding) * std::max(0.0, r_max_ - rounding);
}

void Search::choose_bins(int64_t n) {
  low_ = high_ = coordinates_[0];
  for (const Vec3& x : coordinates_)
    for (int i = 0; i < 3; ++i)
      low_[i] = std::min(low_[i], x[i]), high_[i] = std::max(high_[i], x[i]);
  const double most = 8.0 * static_cast<double>(n) + 8;  // bins, so that memory stays linear
  Vec3 count;
  for (int i = 0; i < 3; ++i)
    count[i] = std::clamp((high_[i] - low_[i]) / r_max_ * bins_per_r_max, 1.0, most);
  for (double total = count[0] * count[1] * count[2]; total > most;
       total = count[0] * count[1] * count[2]) {
    double factor = std::max(1.01, std::cbrt(total / most));
    for (double& c : count) c = std::max(1.0, c / factor);
  }
  for (int i = 0; i < 3; ++i) {
    bin_count_[i] = static_cast<int>(count[i]);
    double extent = high_[i] - low_[i];
    bins_per_length_[i] = extent > 0 ? bin_count_[i] / extent : 0;
  }
}

// The bins that hold coordinates x - reach to x + reach.
Search::Range Search::bins(int axis, double x) const {
  auto bin = [&](double at) {
    double b = (at - low_[axis]) * bins_per_length_[axis];
    return static_cast<int>(std::clamp(b, 0.0, bin_count_[axis] - 1.0));
  };
  return {bin(x - reach_), bin(x + reach_)};
}

// The T for which [x - T h - reach, x - T h + reach] meets the occupied region.
Search::Range Search::translations(int axis, double x) const {
  if (!pbc_[axis]) return {0, 0};
  double h = heights_[axis];
  return {static_cast<int>(std::ceil((x - reach_ - high_[axis]) / h)),
          static_cast<int>(std::floor((x + reach_ - low_[axis]) / h))};
}

void Search::sort_into_bins(int64_t n) {
  std::vector<int64_t> bin(n);
  bin_begin_.assign(bin_index(bin_count_[0], 0, 0) + 1, 0);
  for (int64_t a = 0; a < n; ++a) {
    int b[3];
    for (int i = 0; i < 3; ++i) {
      double at = (coordinates_[a][i] - low_[i]) * bins_per_length_[i];
      b[i] = static_cast<int>(std::clamp(at, 0.0, bin_count_[i] - 1.0));
    }
    bin[a] = bin_index(b[0], b[1], b[2]);
    ++bin_begin_[bin[a] + 1];
  }
  for (size_t b = 1; b < bin_begin_.size(); ++b) bin_begin_[b] += bin_begin_[b - 1];
  slots_.resize(n);
  order_.resize(n);
  std::vector<int32_t> next(bin_begin_.begin(), bin_begin_.end() - 1);
  for (int64_t a = 0; a < n; ++a) {
    int32_t at = next[bin[a]]++;
    order_[at] = static_cast<int32_t>(a);
    slots_[at] = {wrapped_[a], make_key(a, packed_ ? offset_[a] : std::array<int32_t, 3>{})};
  }
}

// The definition itself, for the few distances that rounding could put on either side.
bool Search::within(int64_t receiver, uint64_t key) const {
  Vec3 shift = cartesian_shift(given_shift(receiver, key), cell_);
  const Vec3 &to = positions_[receiver], &from = positions_[sender_of(key)];
  Vec3 v{to[0] - from[0] + shift[0], to[1] - from[1] + shift[1], to[2] - from[2] + shift[2]};
  return std::sqrt(dot(v, v)) < r_max_;
}

void Search::scan(Visit& visit, int64_t begin, int64_t end) const {
  size_t count = visit.count;
  if (visit.keys.size() < count + (end - begin)) visit.keys.resize(2 * count + (end - begin));
  uint64_t* keys = visit.keys.data();
  const Vec3 center = visit.center;
  bool near_edge = false;
  for (int64_t j = begin; j < end; ++j) {
    const Vec3& r = slots_[j].r;
    double dx = center[0] - r[0], dy = center[1] - r[1], dz = center[2] - r[2];
    double squared = dx * dx + dy * dy + dz * dz;
    uint64_t key = slots_[j].sender_bits + visit.shift_bits;
    keys[count] = key;
    bool inside = squared < outer_squared_;
    count += inside & (key != visit.self);
    near_edge |= inside & (squared >= inner_squared_);
  }
  visit.count = count;
  visit.near_edge |= near_edge;
}

std::span<const uint64_t> Search::find(int64_t slot, std::vector<uint64_t>& keys) const {
  const int64_t receiver = order_[slot];
  const Vec3& r = slots_[slot].r;
  const Vec3 at{dot(r, normals_[0]), dot(r, normals_[1]), dot(r, normals_[2])};
  const uint64_t own_offset = slots_[slot].sender_bits - make_key(receiver, {});
  Visit visit{keys, make_key(receiver, {}) + zero_shift, 0, {}, 0, false};
  Range t[3];
  for (int i = 0; i < 3; ++i) t[i] = translations(i, at[i]);
  for (int tx = t[0].first; tx <= t[0].last; ++tx) {
    Range bx = bins(0, at[0] - tx * heights_[0]);
    for (int ty = t[1].first; ty <= t[1].last; ++ty) {
      Range by = bins(1, at[1] - ty * heights_[1]);
      for (int tz = t[2].first; tz <= t[2].last; ++tz) {
        Range bz = bins(2, at[2] - tz * heights_[2]);
        for (int k = 0; k < 3; ++k)
          visit.center[k] = r[k] - tx * vectors_[0][k] - ty * vectors_[1][k] - tz * vectors_[2][k];
        // r[receiver] - (r[sender] + T cell) for wrapped positions: S = -T and the offsets.
        visit.shift_bits = zero_shift + make_key(0, {-tx, -ty, -tz}) - own_offset;
        for (int x = bx.first; x <= bx.last; ++x)
          for (int y = by.first; y <= by.last; ++y) {
            const int32_t* row = &bin_begin_[bin_index(x, y, 0)];
            scan(visit, row[bz.first], row[bz.last + 1]);
          }
      }
    }
  }
  auto end = keys.begin() + static_cast<int64_t>(visit.count);
  if (visit.near_edge)
    end = std::remove_if(keys.begin(), end, [&](uint64_t key) { return !within(receiver, key); });
  std::sort(keys.begin(), end);
  return {keys.begin(), end};
}

}  // namespace

Neighbors find_neighbors(std::span<const Vec3> positions, const Mat3& cell,
                         const std::array<bool, 3>& pbc, double r_max) {
  check<Error>(r_max > 0 && r_max < 1e6, "find_neighbors: r_max is ", r_max);
  check<DataError>(spans(cell, pbc), "find_neighbors: the cell's periodic vectors do not span it");
  check<Error>(positions.size() < (1u << 31), "find_neighbors: ", positions.size(), " atoms");
  const int64_t n = static_cast<int64_t>(positions.size());
  if (n == 0) return {};
  const Search search(positions, cell, pbc, r_max);

  // Searched in the order of the bins, where an atom's candidates are in cache; written in order.
  constexpr int64_t chunk = 256;
  std::span<const int32_t> order = search.order();
  std::vector<std::vector<uint64_t>> keys((n + chunk - 1) / chunk);
  std::vector<const uint64_t*> keys_of(n);  // first key of a receiver
  std::vector<size_t> begin_of(n + 1, 0);   // place of its first edge in the list
  parallel_for(n, chunk, [&](int64_t begin, int64_t end) {
    std::vector<uint64_t> scratch(1024);
    std::vector<uint64_t>& all = keys[begin / chunk];
    for (int64_t slot = begin; slot < end; ++slot) {
      std::span<const uint64_t> found = search.find(slot, scratch);
      begin_of[order[slot] + 1] = found.size();
      all.insert(all.end(), found.begin(), found.end());
    }
    const uint64_t* first = all.data();
    for (int64_t slot = begin; slot < end; ++slot) {
      keys_of[order[slot]] = first;
      first += begin_of[order[slot] + 1];
    }
  });
  for (int64_t i = 0; i < n; ++i) begin_of[i + 1] += begin_of[i];

  Neighbors list;
  list.sender.resize(begin_of[n]);
  list.receiver.resize(begin_of[n]);
  list.cell_shift.resize(begin_of[n]);
  parallel_for(n, chunk, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const uint64_t* key = keys_of[i];
      if (i + 4 < end)  // far away in memory where the order of atoms is random
        for (size_t k = 0; k < begin_of[i + 5] - begin_of[i + 4]; k += 8)
          __builtin_prefetch(keys_of[i + 4] + k);
      for (size_t e = begin_of[i]; e < begin_of[i + 1]; ++e, ++key) {
        list.receiver[e] = static_cast<int32_t>(i);
        list.sender[e] = sender_of(*key);
        list.cell_shift[e] = search.given_shift(i, *key);
      }
    }
  });
  return list;
}

}  // namespace casimir
