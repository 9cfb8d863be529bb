// Plots and intervals as SVG.
#include "lab/report_figures.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "figures/plot.h"
#include "figures/svg.h"

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

bool some(const Plot& plot) {
  return std::any_of(plot.series.begin(), plot.series.end(),
                     [](const PlotSeries& s) { return s.points.size() > 1; });
}

PlotSeries series_of(const Json& arm, int colour) {
  return {.name = arm["name"].get<std::string>(), .points = {}, .colour = colour};
}

void add_curves(const Json& result, std::vector<std::string>& all) {
  struct Kind {
    const char* title;
    const char* label;
    PlotAxis::Unit unit;
  };
  static constexpr Kind kKinds[] = {
      {"Loss per token", "tokens read", PlotAxis::Unit::number},
      {"Loss per operation", "operations of training", PlotAxis::Unit::number},
      {"Loss per second", "seconds of training, one thread", PlotAxis::Unit::seconds}};
  for (size_t kind = 0; kind < std::size(kKinds); ++kind) {
    Plot plot{.title = kKinds[kind].title,
              .x = {.label = kKinds[kind].label, .unit = kKinds[kind].unit},
              .y = {.label = "training loss, nats per token"}};
    int colour = 0;
    for (const Json& arm : result["arms"]) {
      PlotSeries s = series_of(arm, colour++);
      if (arm.contains("curve")) {
        double factor = kind == 1 ? arm["flops_per_token"].get<double>() : 1;
        if (kind == 2) factor = 1 / arm["runs"][0]["metrics"].value("tokens_per_second", 1.0);
        for (size_t i = 0; i < arm["curve"]["tokens"].size(); ++i) {
          s.points.emplace_back(factor * arm["curve"]["tokens"][i].get<double>(),
                                arm["curve"]["loss"][i]);
        }
      }
      plot.series.push_back(std::move(s));
    }
    if (some(plot)) all.push_back(plot_svg(plot));
  }
}

/// A metric of all seeds at each rate, in the mean.
void add_rates(const Json& result, const char* metric, const char* title, const char* label,
               std::vector<std::string>& all) {
  Plot plot{.title = title, .x = {.label = "learning rate"}, .y = {.label = label}};
  int colour = 0;
  for (const Json& arm : result["arms"]) {
    std::map<double, std::pair<double, int>> sums;
    for (const Json& r : arm["rates"]) {
      if (!r.contains(metric)) continue;
      auto& [sum, count] = sums[r["rate"]];
      sum += r[metric].get<double>();
      ++count;
    }
    PlotSeries s = series_of(arm, colour++);
    for (const auto& [rate, sum] : sums) s.points.emplace_back(rate, sum.first / sum.second);
    plot.series.push_back(std::move(s));
  }
  if (some(plot)) all.push_back(plot_svg(plot));
}

/// Loss by place on rows longer than the trained ones.
void add_beyond(const Json& result, std::vector<std::string>& all) {
  Plot plot{.title = "Beyond the trained length",
            .x = {.label = "position in a longer row", .logarithmic = false},
            .y = {.label = "held-out loss, nats per token"}};
  int colour = 0;
  for (const Json& arm : result["arms"]) {
    PlotSeries s = series_of(arm, colour++);
    if (arm.contains("beyond") && !arm["beyond"].is_null()) {
      const Json& y = arm["beyond"]["by_position"];
      const double part = arm["beyond"]["length"].get<double>() / static_cast<double>(y.size());
      for (size_t i = 0; i < y.size(); ++i)
        s.points.emplace_back((static_cast<double>(i) + 0.5) * part, y[i]);
    }
    plot.series.push_back(std::move(s));
  }
  if (some(plot)) all.push_back(plot_svg(plot));
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
  add_rates(result, "loss", "Loss over the learning rate", "held-out loss, nats per token", all);
  add_rates(result, "max_logit", "Largest attention score over the learning rate",
            "score before the softmax", all);
  add_forecast(result, all);
  add_curves(result, all);
  add_beyond(result, all);
  Plot places{.title = "Loss by position",
              .x = {.label = "position in the row", .logarithmic = false},
              .y = {.label = "held-out loss, nats per token"}};
  Plot answers{
      .title = "Right answers by difficulty",
      .x = {.label = result["data"].value("difficulty", "difficulty"), .logarithmic = false},
      .y = {.label = "share of right answers", .logarithmic = false}};
  int colour = 0;
  const double length = result["data"].value("length", 1.0);
  for (const Json& arm : result["arms"]) {
    PlotSeries by_place = series_of(arm, colour), by_difficulty = series_of(arm, colour++);
    if (arm.contains("by_position")) {
      const auto parts = static_cast<double>(arm["by_position"].size());
      for (size_t i = 0; i < arm["by_position"].size(); ++i)
        by_place.points.emplace_back((static_cast<double>(i) + 0.5) * length / parts,
                                     arm["by_position"][i]);
    }
    if (arm.contains("by_difficulty")) {
      for (const auto& [difficulty, sum] : arm["by_difficulty"].items())
        by_difficulty.points.emplace_back(std::stod(difficulty), sum["accuracy"]);
    }
    places.series.push_back(std::move(by_place));
    answers.series.push_back(std::move(by_difficulty));
  }
  if (some(answers)) all.push_back(plot_svg(answers));
  if (some(places)) all.push_back(plot_svg(places));
  return all;
}

}  // namespace ashlar::lab
