#include "trainers/report_errors.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

namespace casimir {

namespace {

constexpr size_t worst_count = 10;
constexpr int size_ranges = 24;

double norm(const Vec3& v) {
  return std::sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2]);
}

Vec3 difference(const Vec3& a, const Vec3& b) {
  return {a[0] - b[0], a[1] - b[1], a[2] - b[2]};
}

// Calls f(label, prediction) for each pair of one quantity that a frame has.
template <class F>
void each_energy(const Frame& frame, const FramePrediction& prediction,
                 const std::map<int, double>& e0s, F f) {
  if (!frame.energy || frame.size() == 0) return;
  double isolated = 0;
  for (int number : frame.numbers)
    if (auto at = e0s.find(number); at != e0s.end()) isolated += at->second;
  const double atoms = static_cast<double>(frame.size());
  f((*frame.energy - isolated) / atoms, (prediction.energy - isolated) / atoms);
}

template <class F>
void each_force(const Frame& frame, const FramePrediction& prediction, F f) {
  if (frame.forces.empty() || prediction.forces.empty()) return;
  for (size_t i = 0; i < frame.size(); ++i) f(i, frame.forces[i], prediction.forces[i]);
}

template <class F>
void each_component(const Frame& frame, const FramePrediction& prediction, F f) {
  each_force(frame, prediction, [&](size_t, const Vec3& label, const Vec3& found) {
    for (int k = 0; k < 3; ++k) f(label[k], found[k]);
  });
}

template <class F>
void each_stress(const Frame& frame, const FramePrediction& prediction, F f) {
  if (frame.stress && prediction.stress)
    for (int k = 0; k < 9; ++k) f((*frame.stress)[k], (*prediction.stress)[k]);
}

// First pass: range and mean of the labels.
struct Extent {
  double low = std::numeric_limits<double>::infinity(), high = -low, sum = 0;
  int64_t count = 0;

  void operator()(double label, double prediction) {
    low = std::min({low, label, prediction});
    high = std::max({high, label, prediction});
    sum += label;
    ++count;
  }
};

// Second pass: the density, and the sums of R2.
class ParitySums {
 public:
  ParitySums(const Extent& extent, Parity& parity)
      : parity_(parity), mean_(extent.sum / std::max(1.0, static_cast<double>(extent.count))) {
    parity.count = extent.count;
    if (extent.count == 0) return;
    const Axis axis = axis_between("", extent.low, extent.high);
    parity.low = axis.low;
    parity.high = axis.high;
    parity.density = density_for(extent.count);
  }
  void operator()(double label, double prediction) {
    const double size = parity_.high - parity_.low;
    parity_.density.add((label - parity_.low) / size, (prediction - parity_.low) / size);
    errors_ += (prediction - label) * (prediction - label);
    spread_ += (label - mean_) * (label - mean_);
  }
  void finish() {
    parity_.r2 = spread_ > 0 ? 1 - errors_ / spread_ : std::numeric_limits<double>::quiet_NaN();
  }

 private:
  Parity& parity_;
  double mean_, errors_ = 0, spread_ = 0;
};

// Both passes over one quantity: each(i, f) calls f for the pairs of frame i.
template <class Each>
Parity parity_of(size_t frames, Each each) {
  Parity parity;
  Extent extent;
  for (size_t i = 0; i < frames; ++i)
    each(i, [&](double label, double found) { extent(label, found); });
  ParitySums sums(extent, parity);
  for (size_t i = 0; i < frames; ++i)
    each(i, [&](double label, double found) { sums(label, found); });
  sums.finish();
  return parity;
}

// Of numbers above 0: from the smallest, but not below the largest times 1e-5.
void set_range(const Extent& extent, double& low, double& high) {
  const Axis axis = axis_between("", std::max(extent.low, 1e-5 * extent.high), extent.high, true);
  low = axis.low;
  high = axis.high;
}

ForceErrors force_errors_of(const std::vector<Frame>& frames,
                            const std::vector<FramePrediction>& predictions) {
  ForceErrors out;
  auto each = [&](auto f) {
    for (size_t i = 0; i < frames.size(); ++i)
      each_force(frames[i], predictions[i], [&](size_t, const Vec3& label, const Vec3& found) {
        f(norm(label), norm(difference(found, label)));
      });
  };
  Extent sizes, errors;
  each([&](double size, double error) {
    if (size > 0) sizes(size, size);
    if (error > 0) errors(error, error);
  });
  if (sizes.count == 0 || errors.count == 0) return out;
  out.density = density_for(sizes.count);
  set_range(sizes, out.low, out.high);
  set_range(errors, out.error_low, out.error_high);
  const Axis x{"", true, out.low, out.high}, y{"", true, out.error_low, out.error_high};
  std::vector<ErrorSum> ranges(size_ranges);
  each([&](double size, double error) {  // what is 0 counts at the lower edge
    const double across = x.place(std::max(size, out.low));
    out.density.add(across, y.place(std::max(error, out.error_low)));
    ranges[std::min<size_t>(static_cast<size_t>(across * size_ranges), size_ranges - 1)].add(error);
  });
  for (int i = 0; i < size_ranges; ++i) {
    if (ranges[i].count == 0 || ranges[i].rmse() == 0) continue;
    out.size.push_back(out.low * std::pow(out.high / out.low, (i + 0.5) / size_ranges));
    out.rms.push_back(ranges[i].rmse());
  }
  return out;
}

void add_elements(const Frame& frame, const FramePrediction& prediction,
                  std::map<int, ElementErrors>& elements) {
  each_force(frame, prediction, [&](size_t i, const Vec3& label, const Vec3& found) {
    ElementErrors& element = elements[frame.numbers[i]];
    ++element.atoms;
    for (int k = 0; k < 3; ++k) {
      element.forces.add(found[k] - label[k]);
      element.labels.add(label[k]);
    }
  });
}

// "C11 H9 N2 O": carbon first, then by symbol.
std::string formula_of(const std::vector<int>& numbers) {
  std::map<std::pair<int, std::string>, int64_t> counts;
  for (int number : numbers) ++counts[{number == 6 ? 0 : 1, symbol_of(number)}];
  std::string text;
  for (const auto& [element, count] : counts)
    text += (text.empty() ? "" : " ") + element.second + (count > 1 ? std::to_string(count) : "");
  return text;
}

// The force RMSE; of frames without forces, the energy, so that they come after all others.
std::pair<bool, double> badness(const Frame& frame, const FramePrediction& prediction) {
  ErrorSum forces;
  each_component(frame, prediction, [&](double label, double found) { forces.add(found - label); });
  if (forces.count) return {true, forces.rmse()};
  if (!frame.energy || frame.size() == 0) return {false, 0};
  const double atoms = static_cast<double>(frame.size());
  return {false, std::abs(prediction.energy - *frame.energy) / atoms};
}

WorstFrame describe(const Frame& frame, const FramePrediction& prediction) {
  WorstFrame out{frame.where(), frame.config_type, formula_of(frame.numbers),
                 static_cast<int64_t>(frame.size())};
  if (frame.energy && frame.size() > 0)
    out.energy = (prediction.energy - *frame.energy) / static_cast<double>(frame.size());
  ErrorSum forces;
  each_force(frame, prediction, [&](size_t i, const Vec3& label, const Vec3& found) {
    const Vec3 error = difference(found, label);
    for (double component : error) forces.add(component);
    if (out.largest && norm(error) <= *out.largest) return;
    out.largest = norm(error);
    out.atom = symbol_of(frame.numbers[i]) + (" " + std::to_string(i));
  });
  if (forces.count) out.forces = forces.rmse();
  return out;
}

std::vector<WorstFrame> worst_of(const std::vector<Frame>& frames,
                                 const std::vector<FramePrediction>& predictions) {
  using Entry = std::pair<std::pair<bool, double>, size_t>;
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> worst;  // the mildest on top
  for (size_t i = 0; i < frames.size(); ++i) {
    worst.push({badness(frames[i], predictions[i]), i});
    if (worst.size() > worst_count) worst.pop();
  }
  std::vector<WorstFrame> out;
  for (; !worst.empty(); worst.pop()) {
    const size_t i = worst.top().second;
    if (worst.top().first.second > 0) out.push_back(describe(frames[i], predictions[i]));
  }
  std::reverse(out.begin(), out.end());
  return out;
}

}  // namespace

ReportErrors report_errors(const std::vector<Frame>& frames, FrameErrors evaluation,
                           const std::map<int, double>& e0s, std::string source) {
  const std::vector<FramePrediction> predictions = std::move(evaluation.predictions);
  check<Error>(predictions.size() == frames.size(), "report: ", predictions.size(),
               " predictions for ", frames.size(), " frames");
  evaluation.predictions.clear();
  ReportErrors out{std::move(evaluation), std::move(source)};
  const size_t n = frames.size();
  out.energy =
      parity_of(n, [&](size_t i, auto f) { each_energy(frames[i], predictions[i], e0s, f); });
  out.forces =
      parity_of(n, [&](size_t i, auto f) { each_component(frames[i], predictions[i], f); });
  out.stress = parity_of(n, [&](size_t i, auto f) { each_stress(frames[i], predictions[i], f); });
  out.force_errors = force_errors_of(frames, predictions);
  for (size_t i = 0; i < n; ++i) add_elements(frames[i], predictions[i], out.elements);
  out.worst = worst_of(frames, predictions);
  return out;
}

}  // namespace casimir
