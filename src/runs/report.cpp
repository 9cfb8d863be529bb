// Curves are thinned to what a screen can show: means of equal numbers of steps.
#include "runs/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>

#include "base/units.h"
#include "figures/page_style.h"
#include "figures/plot.h"
#include "figures/svg.h"

namespace ashlar {
namespace {

using Points = std::vector<std::pair<double, double>>;
using Reading = std::function<std::optional<double>(const StepRecord&)>;

constexpr size_t kPoints = 300;  // of a curve

Points thinned(const std::vector<StepRecord>& log, const Reading& reading) {
  Points all;
  for (const StepRecord& r : log) {
    if (const auto v = reading(r); v && std::isfinite(*v))
      all.emplace_back(static_cast<double>(r.step), *v);
  }
  const size_t each = (all.size() + kPoints - 1) / kPoints;
  if (each < 2) return all;
  Points few;
  for (size_t begin = 0; begin < all.size(); begin += each) {
    const size_t end = std::min(all.size(), begin + each);
    double sum = 0;
    for (size_t i = begin; i < end; ++i) sum += all[i].second;
    few.emplace_back(all[end - 1].first, sum / static_cast<double>(end - begin));
  }
  return few;
}

/// The settings of a run as paths and values.
void flatten(const Json& json, const std::string& path, std::map<std::string, std::string>& to) {
  if (json.is_object() && !json.empty()) {
    for (const auto& [key, value] : json.items())
      flatten(value, path.empty() ? key : path + "." + key, to);
    return;
  }
  to[path] = json.is_string() ? json.get<std::string>() : json.dump();
}

class Page {
 public:
  explicit Page(const std::vector<RunSummary>& runs) : runs_(runs) {
    for (const RunSummary& r : runs) logs_.push_back(read_log(r.folder / "log.jsonl"));
    name_runs();
  }

  std::string html() {
    const std::string title =
        runs_.size() == 1 ? "Run " + names_[0] : fmt::format("{} runs", runs_.size());
    add(page_head(title, svg_style()) + "<h1>" + text(title) + "</h1>\n");
    table();
    curves();
    differences();
    add("</main>\n</body>\n</html>\n");
    return std::move(out_);
  }

 private:
  void add(const std::string& s) { out_ += s; }
  static std::string text(const std::string& s) { return xml_escaped(s); }
  static std::string number(const std::optional<double>& v) {
    return v ? fmt::format("{:.4f}", *v) : "–";
  }

  /// The last parts of the folders' names that tell them apart.
  void name_runs() {
    for (int parts = 1; parts <= 6; ++parts) {
      names_.clear();
      std::map<std::string, int> seen;
      bool apart = true;
      for (const RunSummary& r : runs_) {
        std::filesystem::path name;
        auto it = r.folder.lexically_normal();
        if (!it.has_filename()) it = it.parent_path();
        for (int i = 0; i < parts && it.has_filename(); ++i, it = it.parent_path())
          name = name.empty() ? it.filename() : it.filename() / name;
        names_.push_back(name.string());
        apart = apart && ++seen[names_.back()] == 1;
      }
      if (apart) return;
    }
  }

  void table() {
    add("<div class=\"scroll\"><table><thead><tr><th>run</th><th>model</th><th>state</th>"
        "<th class=\"n\">steps</th><th class=\"n\">tokens</th><th class=\"n\">loss</th>"
        "<th class=\"n\">validation</th><th class=\"n\">bits per byte</th>"
        "<th class=\"n\">tokens/s</th><th class=\"n\">time</th></tr></thead><tbody>\n");
    for (size_t i = 0; i < runs_.size(); ++i) {
      const RunSummary& r = runs_[i];
      add(fmt::format(
          "<tr><th>{}</th><td>{}</td><td>{}</td><td class=\"n\">{} of {}</td><td class=\"n\">{}"
          "</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>"
          "<td class=\"n\">{}</td><td class=\"n\">{}</td></tr>\n",
          text(names_[i]), text(r.model), enum_name(r.state), grouped(r.last ? r.last->step : 0),
          grouped(r.steps), short_number(static_cast<double>(r.last ? r.last->tokens : 0)),
          number(r.last ? std::optional(r.loss) : std::nullopt), number(r.validation_loss),
          number(r.bits_per_byte), short_number(r.tokens_per_second), short_seconds(r.seconds)));
    }
    add("</tbody></table></div>\n<p class=\"soft\">Loss is the mean of the last 20 steps, in nats "
        "per "
        "token.</p>\n");
  }

  void curves() {
    add("<div class=\"plots\">\n");
    plot("Loss", "nats per token", true, [](const StepRecord& r) { return std::optional(r.loss); });
    plot("Validation loss", "nats per token", true,
         [](const StepRecord& r) { return r.validation_loss; });
    plot("Bits per byte", "of the validation set", true,
         [](const StepRecord& r) { return r.bits_per_byte; });
    plot("Gradient norm", "before clipping", true,
         [](const StepRecord& r) { return std::optional(r.gradient_norm); });
    plot("Rate", "of the optimiser", false,
         [](const StepRecord& r) { return std::optional(r.rate); });
    plot("Speed", "tokens per second", false,
         [](const StepRecord& r) { return std::optional(r.tokens_per_second); });
    // Whatever else the steps of these runs say, one number a step.
    std::map<std::string, int> more;
    for (const auto& log : logs_) {
      for (const StepRecord& r : log) {
        for (const auto& [name, values] : r.values) more[name] += values.size() == 1 ? 1 : 0;
      }
    }
    for (const auto& [name, count] : more) {
      if (count == 0) continue;
      plot(name, "", false, [&key = name](const StepRecord& r) {
        const auto it = r.values.find(key);
        return it == r.values.end() || it->second.empty()
                   ? std::nullopt
                   : std::optional(static_cast<double>(it->second[0]));
      });
    }
    add("</div>\n");
    for (size_t i = 0; i < runs_.size(); ++i) {
      const std::string maps = heat_maps_of(runs_[i].folder / "telemetry.jsonl");
      if (maps.empty()) continue;
      add("<h2>Telemetry" + (runs_.size() > 1 ? " of " + text(names_[i]) : std::string()) +
          "</h2>\n<div class=\"plots\">\n" + maps + "</div>\n");
    }
  }

  void plot(const std::string& title, const std::string& label, bool logarithmic,
            const Reading& reading) {
    Plot p;
    p.title = title;
    p.x = {.label = "step", .logarithmic = false};
    p.y = {.label = label, .logarithmic = logarithmic};
    for (size_t i = 0; i < logs_.size(); ++i) {
      PlotSeries series{names_[i], thinned(logs_[i], reading), static_cast<int>(i)};
      if (!series.points.empty()) p.series.push_back(std::move(series));
    }
    if (p.series.empty()) return;
    constexpr double kWidth = 620, kHeight = 340;
    Svg svg;
    paint_plot(svg, p, 8, 4, kWidth - 16, kHeight - 8);
    add("<figure>" +
        svg_document(kWidth, kHeight, title, title + " over steps", svg.body(), false) +
        "</figure>\n");
  }

  void differences() {
    std::vector<std::map<std::string, std::string>> flat(runs_.size());
    std::map<std::string, bool> keys;
    for (size_t i = 0; i < runs_.size(); ++i) {
      flatten(runs_[i].settings, "", flat[i]);
      for (const auto& [key, unused] : flat[i]) keys[key] = false;
    }
    const auto value = [&](size_t i, const std::string& key) {
      const auto it = flat[i].find(key);
      return it == flat[i].end() ? std::string("–") : it->second;
    };
    for (auto& [key, differs] : keys) {
      for (size_t i = 1; i < flat.size(); ++i) differs = differs || value(i, key) != value(0, key);
      if (key == "out") differs = false;
    }
    add(runs_.size() == 1 ? "<h2>Settings</h2>\n" : "<h2>Settings that differ</h2>\n");
    add("<div class=\"scroll\"><table><thead><tr><th>setting</th>");
    for (const std::string& name : names_) add("<th>" + text(name) + "</th>");
    add("</tr></thead><tbody>\n");
    for (const auto& [key, differs] : keys) {
      if (runs_.size() > 1 && !differs) continue;
      add("<tr><th>" + text(key) + "</th>");
      for (size_t i = 0; i < flat.size(); ++i) add("<td>" + text(value(i, key)) + "</td>");
      add("</tr>\n");
    }
    add("</tbody></table></div>\n");
  }

  const std::vector<RunSummary>& runs_;
  std::vector<std::vector<StepRecord>> logs_;
  std::vector<std::string> names_;
  std::string out_;
};

}  // namespace

std::string report_of_runs(const std::vector<RunSummary>& runs) { return Page(runs).html(); }

}  // namespace ashlar
