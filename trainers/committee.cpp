#include "trainers/committee.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>

#include "core/error.h"
#include "trainers/table.h"

namespace casimir {

namespace {

bool constant(const std::vector<double>& x) {
  return std::all_of(x.begin(), x.end(), [&](double value) { return value == x.front(); });
}

// Neither may be constant.
double pearson(const std::vector<double>& x, const std::vector<double>& y) {
  const auto count = static_cast<double>(x.size());
  const double x0 = std::accumulate(x.begin(), x.end(), 0.0) / count,
               y0 = std::accumulate(y.begin(), y.end(), 0.0) / count;
  double xy = 0, xx = 0, yy = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (x[i] - x0) * (y[i] - y0);
    xx += (x[i] - x0) * (x[i] - x0);
    yy += (y[i] - y0) * (y[i] - y0);
  }
  return xy / std::sqrt(xx * yy);
}

std::vector<double> ranks_of(const std::vector<double>& x) {
  std::vector<size_t> order(x.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return x[a] < x[b]; });
  std::vector<double> ranks(x.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && x[order[end]] == x[order[begin]]) ++end;
    for (size_t i = begin; i < end; ++i)
      ranks[order[i]] = 0.5 * static_cast<double>(begin + end - 1);
  }
  return ranks;
}

// Mean over the models of value(prediction), and their mean squared distance from it. Relative to
// the first: models that agree have its bits as the mean, and no distance.
struct Moments {
  double mean = 0, square = 0;
};
template <class Value>
Moments moments(const std::vector<FrameErrors>& models, size_t frame, Value value) {
  const auto count = static_cast<double>(models.size());
  const double first = value(models.front().predictions[frame]);
  Moments result;
  for (const FrameErrors& model : models) result.mean += value(model.predictions[frame]) - first;
  result.mean = first + result.mean / count;
  for (const FrameErrors& model : models) {
    const double distance = value(model.predictions[frame]) - result.mean;
    result.square += distance * distance / count;
  }
  return result;
}

FramePrediction combine(const std::vector<FrameErrors>& models, size_t frame) {
  FramePrediction result = models.front().predictions[frame];
  const Moments energy = moments(models, frame, [](const auto& p) { return p.energy; });
  result.energy = energy.mean;
  result.energy_std = std::sqrt(energy.square);
  for (size_t i = 0; i < result.forces.size(); ++i) {
    double square = 0;
    for (int k = 0; k < 3; ++k) {
      const Moments force =
          moments(models, frame, [=](const auto& p) { return p.forces.at(i)[k]; });
      result.forces[i][k] = force.mean;
      square += force.square;
    }
    result.forces_std.push_back(std::sqrt(square));
  }
  if (result.stress)  // which frames have one depends on the frames alone
    for (int k = 0; k < 9; ++k)
      (*result.stress)[k] =
          moments(models, frame, [=](const auto& p) { return p.stress.value()[k]; }).mean;
  return result;
}

}  // namespace

Correlation correlate(const std::vector<double>& spreads, const std::vector<double>& errors) {
  const auto count = static_cast<int64_t>(errors.size());
  if (count < 3) return {{}, {}, plural(count, "label") + ", at least 3 are needed"};
  if (constant(spreads)) return {{}, {}, "all spreads are " + number_text(1000 * spreads[0])};
  if (constant(errors)) return {{}, {}, "all errors are " + number_text(1000 * errors[0])};
  return {pearson(spreads, errors), pearson(ranks_of(spreads), ranks_of(errors)), ""};
}

void Spread::add(double deviation, std::optional<double> error) {
  all.add(deviation);
  largest = std::max(largest, deviation);
  if (!error) return;
  labelled.push_back(deviation);
  errors.push_back(*error);
}

std::vector<std::pair<const char*, std::optional<double>>> Spread::numbers() const {
  const Correlation correlation = correlate(labelled, errors);
  ErrorSum sum;
  for (double error : errors) sum.add(error);
  return {{"rms", 1000 * all.rmse()},
          {"mean", 1000 * all.mae()},
          {"max", 1000 * largest},
          {"error_rms", sum.count ? std::optional(1000 * sum.rmse()) : std::nullopt},
          {"pearson", correlation.pearson},
          {"spearman", correlation.spearman}};
}

CommitteeErrors compare_committee(std::vector<FrameErrors> models,
                                  const std::vector<Frame>& frames) {
  CommitteeErrors result;
  std::vector<FramePrediction> means;
  for (size_t i = 0; i < frames.size(); ++i) {
    const Frame& frame = frames[i];
    const FramePrediction& mean = means.emplace_back(combine(models, i));
    const auto atoms = static_cast<double>(frame.size());
    std::optional<double> error;
    if (frame.energy) error = std::abs(mean.energy - *frame.energy) / atoms;
    result.energy.add(*mean.energy_std / atoms, error);
    for (size_t k = 0; k < mean.forces.size(); ++k) {
      const Vec3& a = mean.forces[k];
      error.reset();
      if (!frame.forces.empty())
        error = std::hypot(a[0] - frame.forces[k][0], a[1] - frame.forces[k][1],
                           a[2] - frame.forces[k][2]);
      result.forces.add(mean.forces_std[k], error);
    }
  }
  result.mean = compare_frames(frames, std::move(means));
  for (const FrameErrors& model : models) result.mean.seconds += model.seconds;
  result.models = std::move(models);
  return result;
}

std::string committee_text(const CommitteeErrors& errors, const std::vector<std::string>& titles,
                           bool by_file) {
  const std::string mean = "mean of " + plural(static_cast<int64_t>(titles.size()), "model");
  Table models = errors_table("model");
  for (size_t i = 0; i < titles.size(); ++i) models.row(errors_row(titles[i], errors.models[i]));
  models.rule();
  models.row(errors_row(mean, errors.mean));
  Table spreads({{"spread", "", true},
                 {"RMS", ""},
                 {"mean", ""},
                 {"largest", ""},
                 {"error RMS", ""},
                 {"Pearson", ""},
                 {"Spearman", ""}});
  std::string notes;
  auto add = [&](const std::string& title, const Spread& spread) {
    std::vector<std::string> cells{title};
    for (const auto& [key, value] : spread.numbers()) cells.push_back(number_text(value));
    spreads.row(std::move(cells));
    const std::string lacking = correlate(spread.labelled, spread.errors).lacking;
    if (!lacking.empty())
      notes += "No correlation for " + title.substr(0, 1) + ": " + lacking + ".\n";
  };
  add("E of frames, meV/atom", errors.energy);
  add("F of atoms, meV/A", errors.forces);
  return models.text() + "\n" + mean + "\n" + errors_text(errors.mean, by_file) + "\n" +
         spreads.text() + notes;
}

std::string committee_json(const CommitteeErrors& errors, const std::vector<std::string>& paths) {
  using Json = nlohmann::ordered_json;
  Json json = Json::parse(errors.mean.errors.json(errors.mean.seconds));
  for (size_t i = 0; i < paths.size(); ++i) {
    Json model{{"model", paths[i]}};
    model.update(Json::parse(errors.models[i].errors.json(errors.models[i].seconds)));
    json["models"].push_back(std::move(model));
  }
  auto add = [&](const char* name, const Spread& spread) {
    for (const auto& [key, value] : spread.numbers())
      json["spread"][name][key] = value ? Json(*value) : Json(nullptr);
  };
  add("energy_mev_per_atom", errors.energy);
  add("forces_mev_per_a", errors.forces);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace casimir
