// Pictures: ticks people would choose, lines and densities that cost the same for any number of
// points, text that cannot break the file.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "tests/markup.h"
#include "trainers/plot.h"

using namespace casimir;

namespace {

std::vector<double> rounded(std::vector<double> values) {
  for (double& x : values) x = std::round(1e9 * x) / 1e9;
  return values;
}

}  // namespace

TEST_CASE("plot: ticks are 1, 2 or 5 times a power of ten") {
  using Ticks = std::vector<double>;
  CHECK(rounded(Axis{"", false, 0, 1}.ticks()) == Ticks{0, 0.2, 0.4, 0.6, 0.8, 1});
  CHECK(rounded(Axis{"", false, -7.1, 8}.ticks()) == Ticks{-5, 0, 5});
  CHECK(rounded(Axis{"", false, 3, 5003}.ticks()) == Ticks{1000, 2000, 3000, 4000, 5000});
  CHECK(rounded(Axis{"", true, 0.02, 3000}.ticks()) == Ticks{0.1, 1, 10, 100, 1000});
  CHECK(rounded(Axis{"", true, 1.5, 60}.ticks()) == Ticks{2, 5, 10, 20, 50});
  CHECK(rounded(Axis{"", true, 110, 135}.ticks()) ==
        Ticks{110, 115, 120, 125, 130, 135});  // within a factor of two: as a linear scale
  CHECK(Axis{"", false, 0.9, 3.1, true}.ticks() == Ticks{1, 2, 3});
  for (double size : {1e-12, 3.7e-5, 1.0, 4.1e8})
    for (bool log : {false, true})
      for (double reach : {1.3, 40.0, 1e7}) {
        const Axis axis{"", log, size, reach * size};
        const auto ticks = axis.ticks();
        CAPTURE(size);
        CAPTURE(reach);
        CHECK((ticks.size() >= 2 && ticks.size() <= 10));
        CHECK(std::is_sorted(ticks.begin(), ticks.end()));
        for (double tick : ticks) CHECK(std::abs(axis.place(tick) - 0.5) < 0.501);
      }
}

TEST_CASE("plot: ticks are written as in print") {
  const Axis linear, log{"", true};
  CHECK(linear.tick_text(0, 0.5) == "0");
  CHECK(linear.tick_text(-0.5, 0.05) == "−0.50");
  CHECK(linear.tick_text(5000, 1000) == "5\u202f000");
  CHECK(linear.tick_text(-1234567, 1) == "−1\u202f234\u202f567");
  CHECK(linear.tick_text(100, 100) == "100");
  CHECK(log.tick_text(0.01, 1) == "0.01");
  CHECK(log.tick_text(125, 5) == "125");
  CHECK(log.tick_text(1e-5, 1) == "10⁻⁵");
  CHECK(log.tick_text(2e12, 1) == "2.0×10¹²");
}

TEST_CASE("plot: an axis has room for one number, for none, and for what it cannot show") {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (bool log : {false, true})
    for (const std::vector<double>& values :
         {std::vector<double>{}, {5}, {0, 0}, {-3}, {nan}, {1e100, 1e-100}, {HUGE_VAL, 2}}) {
      const Axis axis = axis_over("x", {&values}, log);
      CHECK(std::isfinite(axis.low));
      CHECK(std::isfinite(axis.high));
      CHECK(axis.low < axis.high);
      for (double x : values)
        if (axis.shows(x)) CHECK(std::abs(axis.place(x) - 0.5) < 0.5);
    }
}

TEST_CASE("plot: a line of a million points keeps its peaks and a few per pixel") {
  Line line{"a", {}, {}};
  for (int i = 0; i < 1000000; ++i) {
    line.x.push_back(i);
    line.y.push_back(i == 654321 ? 1e6 : i == 222222 ? 1e-3 : 10 + i % 7);
  }
  line.y[5] = 0;  // no place on a log scale
  line.y[6] = std::numeric_limits<double>::quiet_NaN();
  const Axis x = axis_over("", {&line.x}), y = axis_over("", {&line.y}, true);
  const Line thin = thinned(line, x, y, 340);
  CHECK(thin.x.size() <= 4 * 341);
  CHECK(std::is_sorted(thin.x.begin(), thin.x.end()));
  CHECK(*std::max_element(thin.y.begin(), thin.y.end()) == 1e6);
  CHECK(*std::min_element(thin.y.begin(), thin.y.end()) == 1e-3);
  CHECK(thin.x.front() == 0);
  CHECK(thin.x.back() == 999999);
  const Line few{"b", {1, 2, 3}, {4, 5, 6}};
  CHECK(thinned(few, axis_over("", {&few.x}), axis_over("", {&few.y}), 340).y == few.y);
  CHECK(thinned({}, x, y, 340).x.empty());
}

TEST_CASE("plot: a density counts every point, those outside at the edge") {
  Density density;
  CHECK(density.largest() == 0);
  density.add(0, 0);
  density.add(1, 1);
  density.add(-2, 7);
  density.add(std::numeric_limits<double>::quiet_NaN(), 0.5);
  const int n = density.bins;
  REQUIRE(density.counts.size() == static_cast<size_t>(n * n));
  CHECK(density.counts[0] == 1);
  CHECK(density.counts[n * n - 1] == 1);
  CHECK(density.counts[(n - 1) * n] == 1);
  CHECK(density.level(1, 1000) == 0);
  CHECK(density.level(1000, 1000) == Density::levels - 1);
  CHECK(density_for(10).bins == 32);
  CHECK(density_for(10000000).bins == 96);
}

TEST_CASE("plot: every picture is well-formed, whatever its text and numbers") {
  const std::string bad = "a<b & \"c\"\x01</svg>";
  Plot plot{bad, axis_over(bad, {}), axis_over(bad, {}, true)};
  CHECK(markup_fault(plot.svg()) == "");
  plot.lines = {{bad, {0.5}, {1}}, {"nothing", {}, {}}, {"far", {-1e9, 1e9}, {1e-9, 1e9}}};
  plot.marks = {{0.5, bad}, {7e7, "outside"}};
  plot.notes = {bad};
  plot.diagonal = true;
  CHECK(markup_fault(plot.svg()) == "");
  CHECK(plot.svg().find("a&lt;b &amp; &quot;c&quot; &lt;/svg&gt;") != std::string::npos);
  plot.density.emplace();
  CHECK(markup_fault(plot.svg()) == "");
  plot.density->add(0.5, 0.5);
  CHECK(markup_fault(plot.svg()) == "");
  CHECK(markup_fault(Bars{bad, "meV", {{bad, 1}, {"Größe, die sehr lang ist, sehr", 0}}}.svg()) ==
        "");
  CHECK(markup_fault(Bars{bad, "meV", {}}.svg()) == "");
}

TEST_CASE("plot: long names of bars are cut between characters") {
  auto has_name = [](const std::string& name, const std::string& shown) {
    return Bars{"t", "meV", {{name, 1}}}.svg().find(">" + shown + "</text>") != std::string::npos;
  };
  std::string umlauts;
  for (int i = 0; i < 20; ++i) umlauts += "ü";
  CHECK(has_name(umlauts, umlauts));
  CHECK(has_name(umlauts + "x", umlauts + "x"));
  CHECK(has_name(umlauts + "xy", umlauts + "…"));
  CHECK(has_name("", ""));
}

TEST_CASE("plot: the checker of markup sees what is wrong") {
  CHECK(markup_fault("<a x=\"1\"><b/>text</a>") == "");
  CHECK(markup_fault("<a><b></a></b>") == "</a> closes <b>");
  CHECK(markup_fault("<a>") == "<a> is not closed");
  CHECK(markup_fault("</a>") == "</a> closes nothing");
  CHECK(markup_fault("<a>1 < 2</a>") == "a '<' that begins nothing");
  CHECK(markup_fault("<a>x & y</a>") == "an '&' that begins nothing");
}
