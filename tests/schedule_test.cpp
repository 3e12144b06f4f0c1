#include "trainers/schedule.h"

#include <doctest/doctest.h>

#include "core/config.h"
#include "core/files.h"

using namespace casimir;

namespace {

ScheduleOptions options_of(const std::string& kind) {
  ScheduleOptions options;
  options.kind = kind;
  return options;
}

}  // namespace

TEST_CASE("schedule: plateau is torch's ReduceLROnPlateau") {
  // tests/reference/make_optimizer.py
  std::string path = CASIMIR_SOURCE_DIR "/tests/reference/optimizer.json";
  Config expected = Config::parse(read_file(path), path)["plateau"];
  auto losses = expected.get<std::vector<double>>("losses");
  auto rates = expected.get<std::vector<double>>("rates");
  ScheduleOptions options = options_of("plateau");
  options.factor = 0.5;
  options.patience = 2;
  options.min_lr = 0.001;
  Schedule schedule(options, 0.01);
  for (size_t i = 0; i < losses.size(); ++i) {
    CAPTURE(i);
    schedule.after_validation(losses[i]);
    CHECK(schedule.lr({}) == doctest::Approx(rates[i]).epsilon(1e-14));
  }
  CHECK(rates.front() == 0.01);
  CHECK(rates.back() == 0.001);
}

TEST_CASE("schedule: plateau goes on from its saved state") {
  ScheduleOptions options = options_of("plateau");
  options.patience = 1;
  Schedule whole(options, 1), first(options, 1), second(options, 1);
  double losses[] = {3, 2, 2, 2, 2, 1, 1, 1, 1, 1};
  for (int i = 0; i < 10; ++i) {
    whole.after_validation(losses[i]);
    if (i == 3) second.restore(first.state());
    (i < 3 ? first : second).after_validation(losses[i]);
  }
  CHECK(whole.state() == second.state());
  CHECK(whole.lr({}) < 1);
}

TEST_CASE("schedule: cosine, exponential and constant by hand") {
  ScheduleOptions cosine = options_of("cosine");
  cosine.min_lr = 0.1;
  Schedule c(cosine, 1.1);
  CHECK(c.lr({0, 0, 0}) == doctest::Approx(1.1));
  CHECK(c.lr({0, 0, 0.5}) == doctest::Approx(0.6));
  CHECK(c.lr({0, 0, 1.0 / 3}) == doctest::Approx(0.85));
  cosine.hold = 0.6;
  Schedule h(cosine, 1.1);
  CHECK(h.lr({0, 0, 0.6}) == 1.1);
  CHECK(h.lr({0, 0, 0.8}) == doctest::Approx(0.6));
  CHECK(h.lr({0, 0, 1}) == doctest::Approx(0.1));
  CHECK(c.lr({0, 0, 1}) == doctest::Approx(0.1));

  ScheduleOptions exponential = options_of("exponential");
  exponential.gamma = 0.5;
  exponential.min_lr = 0.2;
  Schedule e(exponential, 1);
  CHECK(e.lr({7, 0, 0}) == 1);
  CHECK(e.lr({7, 2, 0}) == 0.25);
  CHECK(e.lr({7, 3, 0}) == 0.2);

  Schedule k(options_of("constant"), 0.3);
  k.after_validation(1);
  CHECK(k.lr({1000, 50, 0.9}) == 0.3);
}

TEST_CASE("schedule: the rate rises over the warm-up") {
  ScheduleOptions options = options_of("constant");
  options.warmup_steps = 4;
  Schedule schedule(options, 2);
  CHECK(schedule.lr({0, 0, 0}) == 0.5);
  CHECK(schedule.lr({1, 0, 0}) == 1);
  CHECK(schedule.lr({3, 0, 0}) == 2);
  CHECK(schedule.lr({4, 0, 0}) == 2);
}
