// Plots and intervals as SVG.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "figures/plot.h"
#include "figures/svg.h"
#include "lab/report.h"

namespace ashlar::lab {
namespace {

/// The range that a row shows: seeds, interval, zero and the sizes.
std::pair<double, double> range_of(const Json& c) {
  double low = 0, high = 0;
  const auto cover = [&](double v) {
    low = std::min(low, v);
    high = std::max(high, v);
  };
  const double size = c["size"];
  const std::string direction = c["direction"];
  if (direction != "higher") cover(-size);
  if (direction != "lower") cover(size);
  for (const Json& s : c["seeds"]) cover(s["difference"]);
  const Json& d = c["difference"];
  if (!d["low"].is_null()) {
    // An interval of two or three seeds may be much wider than they are: it is cut then.
    const double span = std::max(high - low, 1e-12);
    cover(std::max(d["low"].get<double>(), low - 2 * span));
    cover(std::min(d["high"].get<double>(), high + 2 * span));
  }
  const double room = std::max(0.06 * (high - low), 1e-9);
  return {low - room, high + room};
}

void paint_row(Svg& svg, const Json& c, double y, double width) {
  constexpr double kLeft = 10, kAxis = 58;
  const double right = width - 10;
  const auto [low, high] = range_of(c);
  const auto x = [&, lowest = low, highest = high](double v) {
    return kLeft + (std::clamp(v, lowest, highest) - lowest) / (highest - lowest) * (right - kLeft);
  };
  const std::string beside = c["against"].is_string()
                                 ? c["against"].get<std::string>()
                                 : fmt::format("{:g}", c["against"].get<double>());
  svg.text(kLeft, y + 14,
           fmt::format("{}: {} - {}", c["metric"].get<std::string>(), c["arm"].get<std::string>(),
                       beside),
           {.size = 13, .bold = true, .anchor = Anchor::start});
  svg.text(kLeft, y + 30,
           fmt::format("{} by {:g}: {}", c["direction"].get<std::string>(), c["size"].get<double>(),
                       c["verdict"].get<std::string>()),
           {.size = 11.5, .classes = "s", .anchor = Anchor::start});
  svg.path(svg_path("M{} {}H{}", kLeft, y + kAxis, right), "axis");
  const auto mark = [&](double v, const std::string& text, const char* classes) {
    svg.path(svg_path("M{} {}V{}", x(v), y + kAxis - 14, y + kAxis + 14), classes);
    const double half = text_width(text, 10.5) / 2;
    svg.text(std::clamp(x(v), kLeft + half, right - half), y + kAxis + 27, text,
             {.size = 10.5, .classes = "s"});
  };
  mark(0, "0", "axis");
  const std::string direction = c["direction"];
  const double size = c["size"];
  if (size > 0 && std::abs(x(size) - x(0)) > 28) {
    if (direction != "higher") mark(-size, fmt::format("{:g}", -size), "grid");
    if (direction != "lower") mark(size, fmt::format("{:g}", size), "grid");
  }
  const Json& d = c["difference"];
  if (!d["low"].is_null()) {
    svg.path(svg_path("M{} {}H{}", x(d["low"]), y + kAxis, x(d["high"])), "l0");
    for (const char* end : {"low", "high"}) {
      const double v = d[end];
      if (v < low || v > high) continue;  // goes on beyond the picture
      svg.path(svg_path("M{} {}V{}", x(v), y + kAxis - 5, y + kAxis + 5), "l0");
    }
  }
  for (const Json& s : c["seeds"]) svg.circle(x(s["difference"]), y + kAxis - 9, 3, "s1");
  if (d["count"].get<int64_t>() > 0) svg.circle(x(d["mean"]), y + kAxis, 4.5, "s0");
}

std::string plot_svg(const Plot& plot) {
  constexpr double kWidth = 560, kHeight = 320;
  Svg svg;
  paint_plot(svg, plot, 6, 4, kWidth - 12, kHeight - 8);
  return svg_document(kWidth, kHeight, plot.title, plot.title, svg.body(), false);
}

using Points = std::vector<std::pair<double, double>>;
/// The points of one arm, from one part of its results.
using Reading = std::function<Points(const Json& part, const Json& arm)>;

/// Means of equal parts of rows of `length` tokens, each at the middle of its part.
Points places(const Json& means, double length) {
  Points points;
  const double part = length / static_cast<double>(means.size());
  for (size_t i = 0; i < means.size(); ++i)
    points.emplace_back((static_cast<double>(i) + 0.5) * part, means[i]);
  return points;
}

Points curve_points(const Json& curve, double factor) {
  Points points;
  for (size_t i = 0; i < curve["tokens"].size(); ++i)
    points.emplace_back(factor * curve["tokens"][i].get<double>(), curve["loss"][i]);
  return points;
}

/// A metric of all seeds at each rate, in the mean.
Reading over_rates(const char* metric) {
  return [metric](const Json& rates, const Json&) {
    std::map<double, std::pair<double, int>> sums;
    for (const Json& r : rates) {
      if (!r.contains(metric)) continue;
      auto& [sum, count] = sums[r["rate"]];
      sum += r[metric].get<double>();
      ++count;
    }
    Points means;
    for (const auto& [rate, sum] : sums) means.emplace_back(rate, sum.first / sum.second);
    return means;
  };
}

/// The laws of a forecast from its least size to the larger arm, and what was measured.
void add_forecast(const Json& result, std::vector<std::string>& all) {
  if (!result.contains("forecast") || result["forecast"].is_null()) return;
  const Json& f = result["forecast"];
  Plot plot{.title = "Forecast",
            .x = {.label = f["over"].get<std::string>()},
            .y = {.label = f["metric"].get<std::string>()}};
  const double first = f["from"][0]["x"], last = f["x"];
  constexpr int kPoints = 24;
  PlotSeries law{.name = "forecast", .points = {}, .colour = 0};
  for (int i = 0; i <= kPoints; ++i) {
    const double x = first * std::pow(last / first, static_cast<double>(i) / kPoints);
    double y = 0;
    for (const Json& l : f["laws"]) {
      y += (l["floor"].get<double>() +
            l["scale"].get<double>() * std::pow(x, -l["exponent"].get<double>())) /
           static_cast<double>(f["laws"].size());
    }
    law.points.emplace_back(x, y);
  }
  PlotSeries found{.name = "measured", .points = {}, .colour = 1};
  const auto average = [](const Json& values) {
    double sum = 0;
    for (const Json& v : values) sum += v.get<double>() / static_cast<double>(values.size());
    return sum;
  };
  for (const Json& arm : f["from"]) found.points.emplace_back(arm["x"], average(arm["values"]));
  if (!f["measured"].empty()) found.points.emplace_back(last, average(f["measured"]));
  plot.series = {std::move(law), std::move(found)};
  all.push_back(plot_svg(plot));
}

}  // namespace

std::string differences_svg(const Json& result, double width) {
  constexpr double kRow = 98;
  Svg svg;
  double y = 4;
  for (const Json& c : result["criteria"]) {
    if (c["verdict"] == "missing") continue;
    paint_row(svg, c, y, width);
    y += kRow;
  }
  if (y < kRow) return {};
  return svg_document(width, y, "Differences", "differences of each seed, their mean and interval",
                      svg.body(), false);
}

std::vector<std::string> plots_of(const Json& result) {
  std::vector<std::string> all;
  // A line for each arm, where some arm has more than one point.
  const auto add = [&](const char* part, const char* title, const PlotAxis& x, const PlotAxis& y,
                       const Reading& reading) {
    Plot plot{.title = title, .x = x, .y = y};
    bool some = false;
    for (const Json& arm : result["arms"]) {
      const Json from = arm.value(part, Json());
      Points points = from.is_null() ? Points() : reading(from, arm);
      some = some || points.size() > 1;
      const auto colour = static_cast<int>(plot.series.size());
      plot.series.push_back({arm["name"].get<std::string>(), std::move(points), colour});
    }
    if (some) all.push_back(plot_svg(plot));
  };
  const PlotAxis rate{.label = "learning rate"}, held_out{.label = "held-out loss, nats per token"},
      training{.label = "training loss, nats per token"};
  add("rates", "Loss over the learning rate", rate, held_out, over_rates("loss"));
  add("rates", "Largest attention score over the learning rate", rate,
      {.label = "score before the softmax"}, over_rates("max_logit"));
  add_forecast(result, all);
  add("curve", "Loss per token", {.label = "tokens read"}, training,
      [](const Json& curve, const Json&) { return curve_points(curve, 1); });
  add("curve", "Loss per operation", {.label = "operations of training"}, training,
      [](const Json& curve, const Json& arm) {
        return curve_points(curve, arm["flops_per_token"]);
      });
  add("curve", "Loss per second",
      {.label = "seconds of training, one thread", .unit = PlotAxis::Unit::seconds}, training,
      [](const Json& curve, const Json& arm) {
        return curve_points(curve, 1 / arm["runs"][0]["metrics"].value("tokens_per_second", 1.0));
      });
  add("beyond", "Beyond the trained length",
      {.label = "position in a longer row", .logarithmic = false}, held_out,
      [](const Json& rows, const Json&) { return places(rows["by_position"], rows["length"]); });
  add("by_difficulty", "Right answers by difficulty",
      {.label = result["data"].value("difficulty", "difficulty"), .logarithmic = false},
      {.label = "share of right answers", .logarithmic = false}, [](const Json& sums, const Json&) {
        Points points;
        for (const auto& [difficulty, sum] : sums.items())
          points.emplace_back(std::stod(difficulty), sum["accuracy"]);
        return points;
      });
  const double length = result["data"].value("length", 1.0);
  add("by_position", "Loss by position", {.label = "position in the row", .logarithmic = false},
      held_out, [&](const Json& means, const Json&) { return places(means, length); });
  return all;
}

}  // namespace ashlar::lab
