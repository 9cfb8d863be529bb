// Comparisons as text, JSON, CSV and plots.
#include "readings/compare/compare_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "base/json_members.h"
#include "base/units.h"
#include "figures/columns.h"
#include "readings/draw/words.h"
#include "tensor/format.h"

namespace ashlar {

ASHLAR_JSON_OF(Statement, topic, same, words);
ASHLAR_JSON_OF(SizeRow, name, unit, values);
ASHLAR_JSON_OF(CurvePoint, context, sequences, state_bytes, memory_bytes, seconds_per_token,
               tokens_per_second);
ASHLAR_JSON_OF(Curves, model, over_context, over_batch);
inline void to_json(Json& json, const FieldDifference& f) {
  const Difference& d = f.difference;
  json = {{"model", f.model}, {"path", d.path}, {"first", d.a}, {"this", d.b}};
}

namespace {

using Text = std::back_insert_iterator<std::string>;

/// Text in lines of at most `columns`, each after the first behind `indent`.
std::string wrapped(const std::string& text, size_t columns, size_t indent) {
  return join(lines_of(text, columns - indent), "\n" + std::string(indent, ' '));
}

}  // namespace

std::string size_text(double value, const std::string& unit) {
  if (!std::isfinite(value)) return "unknown";
  if (unit == "bytes") return short_bytes(value);
  if (unit == "seconds") return short_seconds(value);
  if (unit.empty() && value < 10'000'000) return grouped(static_cast<int64_t>(value));
  return short_number(value);
}

std::string speeds_text(const Machine& m) {
  const std::string of = m.source.empty() ? "described" : m.source;
  return fmt::format(
      "Speeds are planned for {}, by its {} figures{}: a prompt of {} tokens, then one sequence "
      "decoded. Another machine: --machine NAME (`ashlar plan --list`); this one: `ashlar probe`.",
      m.name, of, m.date.empty() ? "" : " of " + m.date, PredictOptions().prompt);
}

std::string comparison_text(const Comparison& c) {
  constexpr size_t kColumns = 100;
  std::string text;
  const Text out = std::back_inserter(text);
  size_t width = 0;
  for (const std::string& m : c.models) width = std::max(width, columns_of(m));
  const auto statements = [&](bool same) {
    for (const Statement& s : c.statements) {
      if (s.same != same) continue;
      if (same) {
        fmt::format_to(out, "  {:24}{}\n", s.topic, wrapped(s.words[0], kColumns, 26));
        continue;
      }
      fmt::format_to(out, "  {}\n", s.topic);
      for (size_t i = 0; i < c.models.size(); ++i) {
        fmt::format_to(out, "    {}  {}\n", padded(c.models[i], width),
                       wrapped(s.words[i], kColumns, width + 6));
      }
    }
  };
  fmt::format_to(out, "Different\n");
  statements(false);
  fmt::format_to(out, "\nThe same\n");
  statements(true);
  fmt::format_to(out, "\nSizes ({} weights, {} state, context {}{})\n", c.options.weights,
                 info(c.options.state).name, grouped(c.options.context),
                 c.options.machine ? ", " + c.options.machine->name : "");
  const auto label = [](const SizeRow& r) {
    return r.unit == "FLOPs" || r.unit == "tokens/s" ? r.name + ", " + r.unit : r.name;
  };
  size_t labels = 0;
  for (const SizeRow& r : c.sizes) labels = std::max(labels, columns_of(label(r)));
  fmt::format_to(out, "  {}", std::string(labels, ' '));
  for (const std::string& m : c.models)
    fmt::format_to(out, "  {:>{}}", m, std::max<size_t>(12, m.size()));
  text += "\n";
  for (const SizeRow& r : c.sizes) {
    text += "  " + padded(label(r), labels);
    for (size_t i = 0; i < r.values.size(); ++i)
      fmt::format_to(out, "  {:>{}}", size_text(r.values[i], r.unit),
                     std::max<size_t>(12, c.models[i].size()));
    text += "\n";
  }
  for (size_t i = 0; i < c.models.size(); ++i) {
    for (const SizeRow& r : c.sizes) {
      if (r.name != kMadeFor || !(static_cast<double>(c.options.context) > r.values[i])) continue;
      fmt::format_to(out, "\n  {} was made for {} tokens: a context of {} is beyond that.\n",
                     c.models[i], size_text(r.values[i], r.unit), grouped(c.options.context));
    }
  }
  if (c.options.machine)
    fmt::format_to(out, "\n{}\n", wrapped(speeds_text(*c.options.machine), kColumns, 0));
  return text;
}

std::string comparison_json(const Comparison& c) {
  const std::optional<Machine>& machine = c.options.machine;
  const Json json{{"models", c.models},
                  {"options",
                   {{"context", c.options.context},
                    {"weights", c.options.weights},
                    {"state", info(c.options.state).name},
                    {"machine", machine ? Json(machine->name) : Json()},
                    {"machine_source", machine ? Json(machine->source) : Json()}}},
                  {"statements", c.statements},
                  {"sizes", c.sizes},
                  {"curves", c.curves},
                  {"fields", c.fields}};
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

std::string comparison_csv(const Comparison& c) {
  std::string text =
      "curve,model,context,sequences,state_bytes,memory_bytes,seconds_per_token,tokens_per_"
      "second\n";
  const Text out = std::back_inserter(text);
  for (const Curves& m : c.curves) {
    std::string name = "\"";
    for (const char ch : m.model) name += ch == '"' ? "\"\"" : std::string(1, ch);
    name += "\"";
    for (const auto& [curve, points] :
         {std::pair{"context", &m.over_context}, std::pair{"batch", &m.over_batch}}) {
      for (const CurvePoint& p : *points) {
        fmt::format_to(out, "{},{},{},{},{:.0f},{:.0f},{:.9g},{:.9g}\n", curve, name, p.context,
                       p.sequences, p.state_bytes, p.memory_bytes, p.seconds_per_token,
                       p.tokens_per_second);
      }
    }
  }
  return text;
}

std::vector<Plot> curve_plots(std::span<const Curves> curves, const CompareOptions& o) {
  using Unit = PlotAxis::Unit;
  const PlotAxis context{"context (tokens)", true, Unit::tokens},
      batch{"sequences at once (number)", true, Unit::tokens};
  std::vector<Plot> plots;
  const auto add = [&](std::string title, const PlotAxis& x, const PlotAxis& y, auto value) {
    Plot p{std::move(title), x, y, {}};
    const bool over_batch = &x == &batch;
    for (size_t i = 0; i < curves.size(); ++i) {
      PlotSeries s{curves[i].model, {}, static_cast<int>(i)};
      for (const CurvePoint& point : over_batch ? curves[i].over_batch : curves[i].over_context) {
        s.points.push_back(
            {static_cast<double>(over_batch ? point.sequences : point.context), value(point)});
      }
      p.series.push_back(std::move(s));
    }
    plots.push_back(std::move(p));
  };
  add("State over context", context, {"state of one sequence (bytes)", true, Unit::bytes},
      [](const CurvePoint& p) { return p.state_bytes; });
  add("Memory over context", context,
      {"weights in " + o.weights + ", state and activations (bytes)", true, Unit::bytes},
      [](const CurvePoint& p) { return p.memory_bytes; });
  if (!o.machine) return plots;
  const std::string limit =
      fmt::format("on {} ({}), at its limit", o.machine->name, o.machine->source);
  add("Time per token over context", context,
      {"one sequence decoded, " + limit + " (seconds per token)", true, Unit::seconds},
      [](const CurvePoint& p) { return p.seconds_per_token; });
  add("Tokens per second over batch", batch,
      {fmt::format("all sequences of {} tokens, {} (tokens per second)", grouped(o.context), limit),
       true, Unit::number},
      [](const CurvePoint& p) { return p.tokens_per_second; });
  return plots;
}

std::string plots_svg(std::span<const Plot> plots, int columns, double width, double height,
                      std::string_view title, bool standalone) {
  const double margin = width < 400 ? 8 : 22, between = 30;
  const double least = height;
  for (const Plot& p : plots) height = std::max(height, plot_height(p, least));
  Svg svg;
  const auto n = static_cast<int>(plots.size());
  for (int i = 0; i < n; ++i) {
    const int column = i % columns, row = i / columns;
    paint_plot(svg, plots[static_cast<size_t>(i)], margin + (width + between) * column,
               margin + (height + between) * row, width, height);
  }
  const int across = std::min(n, columns), down = (n + columns - 1) / columns;
  return svg_document(2 * margin + across * (width + between) - between,
                      2 * margin + down * (height + between) - between, title, "", svg.body(),
                      standalone);
}

std::string comparison_svg(const Comparison& c) {
  const std::vector<Plot> plots = curve_plots(c.curves, c.options);
  return plots_svg(plots, 2, 600, 380, join(c.models, ", "), true);
}

}  // namespace ashlar
