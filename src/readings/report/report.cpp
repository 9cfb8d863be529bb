// Report pages.
#include "readings/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <set>

#include "base/error.h"
#include "base/units.h"
#include "figures/page_style.h"
#include "readings/compare/compare_report.h"
#include "readings/compare/compare_words.h"
#include "readings/draw/figure.h"
#include "readings/report/report_ideas.h"
#include "readings/report/report_page.h"
#include "tensor/format.h"

namespace ashlar {
namespace {

/// From how many models on a comparison shows them one by one only.
constexpr size_t kMostSideBySide = 6;

std::string html(std::string_view text) { return xml_escaped(text); }

ReportModels read_models(std::span<const Blueprint> blueprints, const ReportOptions& o) {
  ReportModels m{o, {}, {}, {}, {}, {}};
  for (const Blueprint& bp : blueprints) {
    m.anatomies.push_back(anatomy_of(bp));
    m.structures.push_back(structure_of(m.anatomies.back()));
    m.counts.push_back(count(bp, {.context = o.compare.context,
                                  .weights = o.compare.weights,
                                  .state = o.compare.state,
                                  .training = false}));
  }
  if (blueprints.size() > 1) {
    m.comparison = compare(blueprints, o.compare);
    m.names = m.comparison.models;
  } else {
    m.names = {m.anatomies[0].name()};
  }
  return m;
}

class Page {
 public:
  Page(std::span<const Blueprint> blueprints, const ReportOptions& o)
      : o_(o), m_(read_models(blueprints, o)) {}

  std::string write() {
    head();
    if (o_.comparison) {
      add("<h2 id=\"differences\">Differences</h2>\n");
      out_ += differences_table(m_);
    }
    tables();
    plots();
    if (!o_.comparison) {
      out_ += lineage_section(m_);
      matrix();
    }
    gallery();
    foot();
    return std::move(out_);
  }

 private:
  template <class... Args>
  void add(fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out_), format, std::forward<Args>(args)...);
  }

  std::string title() const {
    if (!o_.title.empty()) return o_.title;
    if (o_.comparison) return join(m_.names, ", ") + " compared";
    return m_.size() == 1 ? m_.names[0] : fmt::format("{} language models, cut open", m_.size());
  }

  void head() {
    add("{}<h1>{}</h1>\n", page_head(title(), svg_style()), html(title()));
    introduction();
    add("<nav>");
    if (o_.comparison) add("<a href=\"#differences\">Differences</a>");
    add("<a href=\"#table\">Tables</a>");
    if (m_.size() > 1) add("<a href=\"#plots\">Plots</a>");
    if (!o_.comparison) add("<a href=\"#ideas\">Ideas</a>");
    add("<a href=\"#gallery\">Diagrams</a><a href=\"#counted\">How it was counted</a></nav>\n");
  }

  void introduction() {
    if (m_.size() < 2) {
      add("<p>Everything on this page is computed from the model’s blueprint: no weights were "
          "read, and no number of it was typed in.</p>\n");
      return;
    }
    const std::vector<Anatomy>& models = m_.anatomies;
    const auto size = [](const Anatomy& a) { return a.count.parameters.total; };
    const auto [least, most] = std::ranges::minmax_element(models, {}, size);
    const auto state = [](const Anatomy& a) { return a.count.state.elements_per_token; };
    const auto [lean, rich] = std::ranges::minmax_element(models, {}, state);
    const auto sparse = std::count_if(models.begin(), models.end(), [](const Anatomy& a) {
      return a.count.parameters.active != a.count.parameters.total;
    });
    add("<p>All of these models are decoders: a token becomes a vector, the vector passes through "
        "layers that each add something to it, and a matrix turns what arrives into a guess of the "
        "next token. What differs is what the layers are made of, and where the norms stand. The "
        "models here have {} ({}) to {} parameters ({}); {} of the {} are mixtures of experts, "
        "which use only a part of their parameters for a token. A token costs {} numbers of memory "
        "in {} and {} in {}.</p>\n",
        short_number(static_cast<double>(size(*least))), html(least->name()),
        short_number(static_cast<double>(size(*most))), html(most->name()), sparse, models.size(),
        grouped(state(*lean)), html(lean->name()), grouped(state(*rich)), html(rich->name()));
    add("<p class=\"soft\">The numbers and diagrams of this page are computed from the models’ "
        "blueprints: no weights were read. Dates, licences and links are from the models’ "
        "cards.</p>\n");
  }

  void tables() {
    add("<h2 id=\"table\">The models</h2>\n");
    out_ += models_table(m_);
    add("<h2>In numbers</h2>\n<p class=\"soft\">Weights in {}, state in {}, {} of context{}</p>\n",
        html(o_.compare.weights), info(o_.compare.state).name, plural(o_.compare.context, "token"),
        o_.compare.machine && m_.size() > 1 ? ". " + html(speeds_text(*o_.compare.machine)) : ".");
    out_ += numbers_table(m_);
    if (o_.comparison) return;
    add("<h2>In words</h2>\n");
    out_ += words_table(m_);
  }

  Plot scatter(std::string heading, PlotAxis x, PlotAxis y, auto at) const {
    Plot p{std::move(heading), std::move(x), std::move(y), {}, true};
    for (size_t i = 0; i < m_.size(); ++i)
      p.series.push_back({m_.names[i], {at(i)}, static_cast<int>(i)});
    return p;
  }

  void plots() {
    if (m_.size() < 2) return;
    std::vector<Plot> all;
    all.push_back(scatter("How much of a model a token uses", {"parameters (number)"},
                          {"active parameters (number per token)"}, [&](size_t i) {
                            const Count::Parameters& p = m_.counts[i].parameters;
                            return std::pair<double, double>(p.total, p.active);
                          }));
    all.push_back(scatter(
        "Deep or wide", {"layers (number)"}, {"d_model (numbers per token)"}, [&](size_t i) {
          const Anatomy& a = m_.anatomies[i];
          return std::pair<double, double>(a.layers(), a.blueprint.embedding.width);
        }));
    all.push_back(scatter("What a token costs", {"work to decode it (FLOPs)"},
                          {"what it adds to the state (bytes)", true, PlotAxis::Unit::bytes},
                          [&](size_t i) {
                            const Count& c = m_.counts[i];
                            return std::pair(c.flops_per_token.decode, c.state.bytes_per_token);
                          }));
    for (Plot& p : curve_plots(m_.comparison.curves, o_.compare)) all.push_back(std::move(p));
    add("<h2 id=\"plots\">In pictures</h2>\n<p class=\"soft\">Both axes are logarithmic. Lines "
        "over context end where the context ends that a model was made for.</p>\n<div "
        "class=\"plots\">\n");
    for (const Plot& p : all)
      add("<figure><div class=\"broad\">{}</div><div class=\"slim\">{}</div></figure>\n",
          plots_svg({&p, 1}, 1, 576, 420, p.title, false),
          plots_svg({&p, 1}, 1, 322, 330, p.title, false));
    add("</div>\n");
  }

  /// Which model has which idea, for wide windows.
  void matrix() {
    if (m_.size() < 2) return;
    add("<div class=\"scroll wide\"><table class=\"matrix\"><thead><tr><th></th>");
    for (const std::string& n : m_.names) add("<th>{}</th>", html(n));
    add("</tr></thead><tbody>\n");
    for (const Idea& idea : ideas()) {
      if (std::none_of(m_.anatomies.begin(), m_.anatomies.end(), idea.has)) continue;
      add("<tr><th>{}</th>", html(idea.name));
      for (const Anatomy& a : m_.anatomies)
        add("<td>{}</td>", idea.has(a) ? "<span class=\"dot\" title=\"yes\"></span>" : "");
      add("</tr>\n");
    }
    add("</tbody></table></div>\n");
  }

  /// What a model says that goes beyond "none", and whether no other says it.
  void notes(size_t model) {
    add("<ul>\n");
    for (const Fact& f : m_.structures[model]) {
      if (f.text == "none" || f.text == "no experts" || f.text == "not said") continue;
      const bool only =
          m_.size() > 2 && f.key != "shape" && f.key != "state" && f.key != "context" &&
          f.key != "embedding and head" && f.key != "attention" && f.key != "feed-forward" &&
          std::count_if(m_.structures.begin(), m_.structures.end(), [&](const auto& s) {
            return std::find(s.begin(), s.end(), f) != s.end();
          }) == 1;
      add("<li><b>{}</b>: {}{}</li>\n", html(f.key), html(f.text),
          only ? " <span class=\"only\">only here</span>" : "");
    }
    add("</ul>\n");
  }

  void gallery() {
    add("<h2 id=\"gallery\">Diagrams</h2>\n<p class=\"soft\">The stream runs upwards; what a part "
        "returns is added to it at (+). Where layers differ, each way stands with the layers that "
        "have it, and the bar on the left shows which layer has which. Details hang on dotted "
        "lines.</p>\n");
    const bool side = o_.comparison && m_.size() <= kMostSideBySide;
    if (side)
      add("<figure class=\"side wide\">{}</figure>\n", draw_svg(m_.anatomies, false, false));
    for (size_t i = 0; i < m_.size(); ++i) {
      add("<section class=\"model\" id=\"{}\"><h3>{}</h3>\n{}", report_anchor(m_.names[i]),
          html(m_.names[i]), card_line(m_.anatomies[i]));
      notes(i);
      if (!side)
        add("<figure class=\"wide\">{}</figure>\n", draw_svg({m_.anatomies[i]}, false, false));
      add("<figure class=\"tall\">{}</figure>\n</section>\n",
          o_.comparison ? draw_svg_of(m_.anatomies, i) : draw_svg({m_.anatomies[i]}, true, false));
    }
  }

  void foot() {
    add("<footer><h2 id=\"counted\" style=\"margin-top:0\">How it was counted</h2><pre>{}</pre>",
        html_lines(counting_conventions()));
    if (o_.compare.machine) {
      add("<p>{}: {}{}</p>", html(o_.compare.machine->name), html(o_.compare.machine->source),
          o_.compare.machine->note.empty() ? "" : ", " + html(o_.compare.machine->note));
    }
    add("</footer>\n</main>\n{}</body>\n</html>\n", table_script());
  }

  /// As html(), with line feeds kept.
  static std::string html_lines(std::string_view text) {
    std::string out;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      out += html(text.substr(at, end - at)) + "\n";
      at = end + 1;
    }
    return out;
  }

  const ReportOptions& o_;
  ReportModels m_;
  std::string out_;
};

}  // namespace

std::string report(std::span<const Blueprint> blueprints, const ReportOptions& options) {
  if (blueprints.empty()) fail(ErrorKind::invalid, "report: expected at least one model");
  if (options.comparison && blueprints.size() < 2)
    fail(ErrorKind::invalid, "report: a comparison needs at least two models");
  return Page(blueprints, options).write();
}

std::vector<std::string> report_models() {
  std::map<std::string, std::pair<int64_t, std::string>> best;  // by family: parameters and name
  for (const std::string& name : blueprint_names()) {
    const Blueprint bp = load_blueprint(name);
    const int64_t n = graph_of(bp).parameter_count();
    auto& b = best[bp.family.empty() ? "/" + name : bp.family];
    if (n > b.first) b = {n, name};
  }
  std::set<std::pair<int64_t, std::string>> by_size;
  for (const auto& [family, b] : best) by_size.insert(b);
  std::vector<std::string> names;
  for (const auto& [parameters, name] : by_size) names.push_back(name);
  return names;
}

}  // namespace ashlar
