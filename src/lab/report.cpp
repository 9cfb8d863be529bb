// The page, section by section.
#include "lab/report.h"

#include <fmt/format.h>

#include <iterator>
#include <map>

#include "base/units.h"
#include "figures/page_style.h"
#include "figures/svg.h"
#include "lab/metrics.h"
#include "lab/statistics.h"
#include "readings/claims/claims_experiment.h"

namespace ashlar::lab {
namespace {

constexpr const char* kStyle = R"(
.verdict{display:inline-block;border-radius:7px;padding:1px 10px;font-size:14px;color:#fff;
vertical-align:middle;white-space:nowrap}
.confirmed{background:#2a7d46}.refuted{background:#b42318}.inconclusive{background:#9a6700}
.missing{background:#5b6470}
section.experiment{border-top:1px solid var(--line);margin-top:48px}
section.experiment h2{margin-top:32px}
.criteria{padding:0;list-style:none;max-width:90ch}.criteria li{margin:12px 0}
.criteria .verdict{margin-right:8px}
.facts{display:grid;grid-template-columns:minmax(7em,max-content) 1fr;gap:4px 18px;font-size:15px;
max-width:110ch}
.facts dt{color:var(--soft)}.facts dd{margin:0;overflow-wrap:anywhere}
.seeds{color:var(--soft);font-size:12.5px}
.changed{border-left:4px solid #b42318;padding-left:12px}
figure.differences{margin:18px 0}figure.differences svg{margin:0}
@media print{.seeds{font-size:9.5px}}
)";

std::string esc(const Json& text) {
  return xml_escaped(text.is_string() ? text.get<std::string>() : text.dump());
}

std::string chip(const std::string& verdict) {
  return fmt::format("<span class=\"verdict {0}\">{0}</span>", verdict);
}

std::string number(double v) {
  if (v == 0) return "0";
  const double a = std::abs(v);
  return a >= 1e5 || a < 1e-3 ? fmt::format("{:.3g}", v) : fmt::format("{:.4g}", v);
}

/// Of an arm's runs at its rate.
std::vector<double> values_of(const Json& arm, const std::string& metric) {
  std::vector<double> values;
  for (const Json& run : arm["runs"]) {
    if (const Json v = run["metrics"].value(metric, Json()); v.is_number()) values.push_back(v);
  }
  return values;
}

/// "4.123 ± 0.004", and each of them.
std::string cell_of(const std::vector<double>& values) {
  if (values.empty()) return "-";
  if (values.size() == 1) return number(values[0]);
  std::string each;
  for (const double v : values) each += (each.empty() ? "" : " ") + number(v);
  return fmt::format("{} ± {}<div class=\"seeds\">{}</div>", number(mean(values)),
                     number(deviation(values)), each);
}

/// A table whose rows are named; all columns but the first are numbers.
class Table {
 public:
  explicit Table(const char* first) {
    html_ = fmt::format("<div class=\"scroll\"><table><thead><tr><th>{}</th>", first);
  }
  void column(const std::string& name, const std::string& hover = {}) {
    html_ += fmt::format("<th class=\"n\"{}>{}</th>",
                         hover.empty() ? "" : " title=\"" + hover + "\"", name);
  }
  void row(const std::string& name) {
    html_ += (rows_++ == 0 ? "</tr></thead><tbody>\n" : "</tr>\n") +
             fmt::format("<tr><th>{}</th>", name);
  }
  void cell(const std::string& content) { html_ += "<td class=\"n\">" + content + "</td>"; }
  std::string write() const { return html_ + "</tr>\n</tbody></table></div>\n"; }

 private:
  std::string html_;
  int rows_ = 0;
};

std::string table_of(const Json& r) {
  Table table("arm");
  for (const char* name : {"parameters", "active", "FLOP/token", "tokens", "best rate"})
    table.column(name);
  for (const Json& metric : r["show"])
    table.column(esc(metric), xml_escaped(lab::metric(metric.get<std::string>()).says));
  for (const Json& arm : r["arms"]) {
    table.row(esc(arm["name"]));
    for (const Json& number : {arm["parameters"]["total"], arm["parameters"]["active"],
                               arm["flops_per_token"], arm["tokens"]})
      table.cell(short_number(number.get<double>()));
    table.cell(!arm.contains("rate") ? "-"
                                     : fmt::format("{:g}{}", arm["rate"].get<double>(),
                                                   arm["rate_at_edge"].get<bool>()
                                                       ? " <span class=\"only\">edge</span>"
                                                       : ""));
    for (const Json& metric : r["show"])
      table.cell(cell_of(values_of(arm, metric.get<std::string>())));
  }
  return table.write();
}

std::string budgets_of(const Json& r) {
  if (!r.contains("at_equal") || r["at_equal"].empty()) return {};
  Table table("arm");
  for (const Json& b : r["at_equal"]) {
    const double amount = b["amount"];
    table.column(b["budget"] == "seconds" ? short_seconds(amount)
                                          : short_number(amount) + " " + esc(b["budget"]));
  }
  for (const Json& arm : r["arms"]) {
    table.row(esc(arm["name"]));
    for (const Json& b : r["at_equal"]) {
      const auto it = b["loss"].find(arm["name"].get<std::string>());
      table.cell(it == b["loss"].end() ? "-" : fmt::format("{:.4f}", it->get<double>()));
    }
  }
  return "<h3>At equal tokens, operations and seconds</h3>\n<p class=\"soft\">Training loss of the "
         "first seed when each arm has used up what the arm that gets least has used; rates that "
         "fall with the run are not yet at their end there.</p>\n" +
         table.write();
}

/// What each arm needs: to learn and to answer.
std::string costs_of(const Json& r) {
  struct Column {
    const char* name;
    const char* metric;
    std::string (*text)(double);
  };
  static constexpr Column kColumns[] = {
      {"training, tokens/s", "tokens_per_second", short_number},
      {"decoding, tokens/s", "decode_tokens_per_second", short_number},
      {"state of a row", "decode_state_bytes", short_bytes},
      {"memory of training", "memory_bytes", short_bytes}};
  Table table("arm");
  for (const Column& c : kColumns) table.column(c.name);
  bool any = false;
  for (const Json& arm : r["arms"]) {
    table.row(esc(arm["name"]));
    for (const Column& c : kColumns) {
      const std::vector<double> values = values_of(arm, c.metric);
      any = any || !values.empty();
      table.cell(values.empty() ? "-" : c.text(median(values)));
    }
  }
  if (!any) return {};
  return "<h3>Speed and memory</h3>\n<p class=\"soft\">One thread; medians over the seeds. State: "
         "what decoding one row remembers at its end, 16 bits a number. Memory: of the process "
         "that trained, at its most.</p>\n" +
         table.write();
}

std::string domains_of(const Json& r) {
  Table table("domain");
  std::map<std::string, std::vector<double>> losses;
  for (const Json& arm : r["arms"]) {
    if (!arm.contains("by_domain") || arm["by_domain"].is_null()) continue;
    table.column(esc(arm["name"]));
    for (const auto& [name, sum] : arm["by_domain"].items()) losses[name].push_back(sum["loss"]);
  }
  if (losses.empty()) return {};
  for (const auto& [name, of_arms] : losses) {
    table.row(xml_escaped(name));
    for (const double loss : of_arms) table.cell(fmt::format("{:.4f}", loss));
  }
  return "<h3>By domain</h3>\n<p class=\"soft\">Held-out loss of the first seed, nats per "
         "token.</p>\n" +
         table.write();
}

/// What was predicted of the larger arm, and what came.
std::string forecast_sentence(const Json& f) {
  const Json& p = f["prediction"];
  std::string text = fmt::format("From {} the {} of {} was predicted as {:.4g}", joined([&] {
                                   Json names = Json::array();
                                   for (const Json& arm : f["from"]) names.push_back(arm["arm"]);
                                   return names;
                                 }()),
                                 f["metric"].get<std::string>(), f["to"].get<std::string>(),
                                 p["mean"].get<double>());
  if (!p["low"].is_null()) {
    text += fmt::format(" ({:.4g} to {:.4g}, 95 %, by the spread of the seeds)",
                        p["low"].get<double>(), p["high"].get<double>());
  }
  text += fmt::format(", registered {} before its first run", f["date"].get<std::string>());
  if (f["measured"].empty()) return text + "; it has not run yet.";
  std::vector<double> found = f["measured"];
  text += fmt::format("; it came out as {:.4g}, {:+.2f} % off", mean(found),
                      100 * f["off"].get<double>());
  if (!f["inside"].is_null())
    text += f["inside"].get<bool>() ? ", inside the interval" : ", outside of the interval";
  return text + ".";
}

std::string forecast_of(const Json& r) {
  if (!r.contains("forecast") || r["forecast"].is_null()) return {};
  return "<h3>Forecast</h3>\n<p>" + xml_escaped(forecast_sentence(r["forecast"])) + "</p>\n";
}

std::string facts_of(const Json& r) {
  std::string html = "<dl class=\"facts\">";
  const auto out = std::back_inserter(html);
  const auto fact = [&](const char* name, const std::string& text) {
    if (!text.empty()) fmt::format_to(out, "<dt>{}</dt><dd>{}</dd>\n", name, text);
  };
  fact("source", esc(r["source"]));
  fact("claims", xml_escaped(joined(r["claims"])));
  fact("data", fmt::format("{}; rows of {} tokens{}", esc(r["data"]["says"]),
                           r["data"]["length"].get<int64_t>(),
                           r["data"]["entropy"].is_null()
                               ? std::string()
                               : fmt::format("; entropy {:.4f} nats per token",
                                             r["data"]["entropy"].get<double>())));
  fact("held equal", r["equal"]["what"] == "nothing"
                         ? "nothing but data and tokens"
                         : fmt::format("{} (that of {}), by {}", esc(r["equal"]["what"]),
                                       esc(r["equal"]["to"]), esc(r["equal"]["knob"])));
  for (const Json& arm : r["arms"]) {
    std::string text = esc(arm["about"]);
    if (arm.contains("knob")) {
      text +=
          fmt::format("{}{} = {} ({:+.2f} %)", text.empty() ? "" : "; ", esc(arm["knob"]["path"]),
                      arm["knob"]["value"].get<int64_t>(), 100 * arm["knob"]["off"].get<double>());
    }
    if (!arm["differs"].empty())
      text += (text.empty() ? "" : "<br>") +
              ("<span class=\"soft\">" + xml_escaped(joined(arm["differs"])) + "</span>");
    fact(esc(arm["name"]).c_str(), text.empty() ? "the baseline" : text);
  }
  if (r.contains("noise") && r["noise"].contains("metrics")) {
    std::string text;
    for (const auto& [name, m] : r["noise"]["metrics"].items()) {
      text += fmt::format("{}{}: deviation {} over {} seeds", text.empty() ? "" : "; ", name,
                          number(m["deviation"]), m["seeds"].get<int64_t>());
    }
    fact("noise", xml_escaped(text));
  }
  fact("seeds", joined(r["seeds"]));
  fact("runs", fmt::format("{} of {} ended, {} diverged, {} of one thread",
                           r["runs"]["ended"].get<int64_t>(), r["runs"]["wanted"].get<int64_t>(),
                           r["runs"]["diverged"].get<int64_t>(),
                           short_seconds(r["runs"]["seconds"].get<double>())));
  fact("machine", xml_escaped(joined(r["machines"]) + "; kernels " + joined(r["kernels"])));
  fact("source tree", xml_escaped(joined(r["commits"]) + "; " + joined(r["dates"])));
  fact("file", fmt::format("{}, registered {}", esc(r["file_hash"]), esc(r["registered"]["date"])));
  return html + "</dl>\n";
}

std::string section_of(const Json& r) {
  std::string html;
  const auto out = std::back_inserter(html);
  fmt::format_to(out, "<section class=\"experiment\" id=\"{}\">\n<h2>{} {}</h2>\n<p>{}</p>\n",
                 esc(r["id"]), esc(r["title"]), chip(r["verdict"]), esc(r["question"]));
  fmt::format_to(out, "<p class=\"soft\">Expected: {}</p>\n", esc(r["hypothesis"]));
  if (r["registered"]["criteria_changed"].get<bool>()) {
    html +=
        "<p class=\"changed\"><b>Hypothesis or criteria were changed after the first run.</b> What "
        "stands here is judged by the changed ones.</p>\n";
  }
  html += "<ul class=\"criteria\">\n";
  for (const Json& c : r["criteria"]) {
    fmt::format_to(out, "<li>{}<b>{}</b><br><span class=\"soft\">{}</span></li>\n",
                   chip(c["verdict"]), esc(c["says"]), esc(c["sentence"]));
  }
  html += "</ul>\n";
  if (const std::string wide = differences_svg(r, 720); !wide.empty()) {
    fmt::format_to(
        out,
        "<figure class=\"differences\"><div class=\"wide\">{}</div><div class=\"tall\">{}"
        "</div><figcaption class=\"soft\">Small dots: seeds. Large dot and bar: mean and "
        "95 % interval.</figcaption></figure>\n",
        wide, differences_svg(r, 350));
  }
  html += table_of(r);
  html +=
      "<p class=\"soft\">Mean ± deviation over the seeds at the arm's best rate, and each seed."
      "</p>\n<div class=\"plots\">\n";
  for (const std::string& svg : plots_of(r)) html += "<figure>" + svg + "</figure>\n";
  html += "</div>\n" + forecast_of(r) + budgets_of(r) + costs_of(r) + domains_of(r);
  if (!r["cannot_show"].get<std::string>().empty())
    fmt::format_to(out, "<h3>What this scale cannot show</h3>\n<p>{}</p>\n", esc(r["cannot_show"]));
  html += "<h3>How it was done</h3>\n" + facts_of(r);
  return html + "</section>\n";
}

std::string overview_of(const std::vector<Json>& results) {
  std::string html =
      "<div class=\"scroll\"><table><thead><tr><th>experiment</th><th>verdict</th><th>what was "
      "found</th></tr></thead><tbody>\n";
  const auto out = std::back_inserter(html);
  for (const Json& r : results) {
    std::string found;
    for (const Json& c : r["criteria"]) {
      found += fmt::format("<div>{}: {}</div>", esc(c["verdict"]), esc(c["says"]));
    }
    fmt::format_to(out,
                   "<tr><th><a href=\"#{}\">{}</a></th><td>{}</td><td class=\"w\">{}</td></tr>\n",
                   esc(r["id"]), esc(r["title"]), chip(r["verdict"]), found);
  }
  return html + "</tbody></table></div>\n";
}

}  // namespace

std::string report_html(const std::vector<Json>& results) {
  const bool several = results.size() != 1;
  const std::string title =
      several ? "Architectures compared by training them" : results[0]["title"].get<std::string>();
  std::string html = page_head(title, svg_style() + kStyle);
  if (several) {
    html += "<h1>" + title +
            "</h1>\n<p>Each experiment wrote down its criterion before it ran; every arm has the "
            "learning rate that suits it; differences are paired by seed.</p>\n" +
            overview_of(results);
  }
  for (const Json& r : results) html += section_of(r);
  return html + "</main>\n</body>\n</html>\n";
}

std::string report_text(const std::vector<Json>& results) {
  std::string text;
  const auto out = std::back_inserter(text);
  for (const Json& r : results) {
    fmt::format_to(out, "{}: {}\n  {}\n", r["id"].get<std::string>(),
                   r["verdict"].get<std::string>(), r["question"].get<std::string>());
    if (r["registered"]["criteria_changed"].get<bool>())
      text += "  hypothesis or criteria were changed after the first run\n";
    for (const Json& c : r["criteria"]) {
      fmt::format_to(out, "  {:12} {}\n               {}\n", c["verdict"].get<std::string>(),
                     c["says"].get<std::string>(), c["sentence"].get<std::string>());
    }
    if (r.contains("forecast") && !r["forecast"].is_null())
      text += "  " + forecast_sentence(r["forecast"]) + "\n";
    fmt::format_to(out, "  {} of {} runs ended, {} diverged\n\n", r["runs"]["ended"].get<int64_t>(),
                   r["runs"]["wanted"].get<int64_t>(), r["runs"]["diverged"].get<int64_t>());
  }
  return text;
}

}  // namespace ashlar::lab
