// Report pages.
#include "readings/report/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <map>

#include "base/error.h"
#include "base/units.h"
#include "figures/page_style.h"
#include "readings/compare/compare_report.h"
#include "readings/compare/compare_words.h"
#include "readings/draw/draw.h"
#include "readings/report/report_ideas.h"

namespace ashlar {
namespace {

std::string html(std::string_view text) { return xml_escaped(text); }

/// A name as it may stand in an id and a link.
std::string anchor(std::string_view name) {
  std::string out = "m-";
  for (const char c : name) out += std::isalnum(static_cast<unsigned char>(c)) != 0 ? c : '-';
  return out;
}

class Page {
 public:
  Page(std::span<const Blueprint> blueprints, const ReportOptions& o)
      : blueprints_(blueprints), o_(o) {
    for (const Blueprint& bp : blueprints) {
      models_.push_back(anatomy_of(bp));
      structures_.push_back(structure_of(models_.back()));
      counts_.push_back(count(bp, {.context = o.compare.context,
                                   .weights = o.compare.weights,
                                   .state = o.compare.state,
                                   .training = false}));
    }
    if (blueprints.size() > 1) {
      comparison_ = compare(blueprints, o.compare);
      names_ = comparison_.models;
    } else {
      names_ = {models_[0].name()};
    }
  }

  std::string write() {
    head();
    if (o_.comparison) differences();
    table();
    plots();
    if (!o_.comparison) idea_section();
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
    if (o_.comparison) return join(names_, ", ") + " compared";
    return blueprints_.size() == 1 ? names_[0]
                                   : fmt::format("{} language models, cut open", names_.size());
  }

  void head() {
    add("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
        "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n"
        "<title>{}</title>\n<style>\n{}{}</style>\n</head>\n<body>\n<main>\n<h1>{}</h1>\n",
        html(title()), report_style(), figure_style(), html(title()));
    introduction();
    add("<nav>");
    if (o_.comparison) add("<a href=\"#differences\">Differences</a>");
    add("<a href=\"#table\">Table</a><a href=\"#plots\">Plots</a>");
    if (!o_.comparison) add("<a href=\"#ideas\">Ideas</a>");
    add("<a href=\"#gallery\">Diagrams</a><a href=\"#counted\">How it was counted</a></nav>\n");
  }

  void introduction() {
    if (models_.size() < 2) {
      add("<p>Everything on this page is computed from the model’s blueprint: no weights were "
          "read, "
          "and no number of it was typed in.</p>\n");
      return;
    }
    const auto by_size = [&](const Anatomy& a, const Anatomy& b) {
      return a.count.parameters.total < b.count.parameters.total;
    };
    const auto [least, most] = std::minmax_element(models_.begin(), models_.end(), by_size);
    const auto state = [](const Anatomy& a) { return a.count.state.elements_per_token; };
    const auto [lean, rich] = std::minmax_element(
        models_.begin(), models_.end(),
        [&](const Anatomy& a, const Anatomy& b) { return state(a) < state(b); });
    const auto sparse = std::count_if(models_.begin(), models_.end(), [](const Anatomy& a) {
      return a.count.parameters.active != a.count.parameters.total;
    });
    add("<p>All of these models are decoders: a token becomes a vector, the vector passes through "
        "layers that each add something to it, and a matrix turns what arrives into a guess of the "
        "next token. What differs is what the layers are made of, and where the norms stand. The "
        "models here have {} ({}) to {} parameters ({}); {} of the {} are mixtures of experts, "
        "which use only a part of their parameters for a token. A token costs {} numbers of memory "
        "in {} and {} in {}.</p>\n",
        short_number(static_cast<double>(least->count.parameters.total)), html(least->name()),
        short_number(static_cast<double>(most->count.parameters.total)), html(most->name()), sparse,
        models_.size(), grouped(state(*lean)), html(lean->name()), grouped(state(*rich)),
        html(rich->name()));
    add("<p class=\"soft\">Everything on this page, the diagrams included, is computed from the "
        "models’ blueprints: no weights were read, and no number of theirs was typed in.</p>\n");
  }

  void differences() {
    add("<h2 id=\"differences\">Differences</h2>\n<div "
        "class=\"scroll\"><table><thead><tr><th></th>");
    for (const std::string& n : names_) add("<th>{}</th>", html(n));
    add("</tr></thead><tbody>\n");
    for (const bool same : {false, true}) {
      for (const Statement& s : comparison_.statements) {
        if (s.same != same) continue;
        add("<tr><th>{}</th>", html(s.topic));
        for (const std::string& w : s.words)
          add("<td class=\"w{}\">{}</td>", same ? "" : " differs", html(w));
        add("</tr>\n");
      }
    }
    add("</tbody></table></div>\n");
  }

  const std::string& said(size_t model, std::string_view topic) const {
    static const std::string kNothing;
    for (const Fact& f : structures_[model]) {
      if (f.key == topic) return f.text;
    }
    return kNothing;
  }

  void table() {
    add("<h2 id=\"table\">In numbers</h2>\n<p class=\"soft\">Weights in {}, state in {}, {} of "
        "context{}</p>\n",
        html(o_.compare.weights), info(o_.compare.state).name, plural(o_.compare.context, "token"),
        o_.compare.machine ? ". " + html(speeds_text(*o_.compare.machine)) : ".");
    add("<div class=\"scroll\"><table><thead><tr><th>model</th><th class=\"n\">parameters</th>"
        "<th class=\"n\">active</th><th class=\"n\">layers</th><th class=\"n\">d_model</th>"
        "<th class=\"n\">vocabulary</th><th class=\"n\">made for</th>"
        "<th class=\"n\">state / token</th><th class=\"n\">state at context</th>"
        "<th class=\"n\">weights</th><th class=\"n\">read / token</th>"
        "<th class=\"n\">FLOPs / token</th>");
    const SizeRow* decode = nullptr;
    for (const SizeRow& r : comparison_.sizes) {
      if (r.name == "decode at the limit") decode = &r;
    }
    if (decode != nullptr) add("<th class=\"n\">tokens / s</th>");
    add("</tr></thead><tbody>\n");
    for (size_t i = 0; i < models_.size(); ++i) {
      const Count& c = counts_[i];
      const Blueprint& bp = models_[i].blueprint;
      const auto bytes = [](double n) { return short_bytes(n); };
      add("<tr><th><a href=\"#{}\">{}</a></th>", anchor(names_[i]), html(names_[i]));
      for (const std::string& cell :
           {short_number(static_cast<double>(c.parameters.total)),
            short_number(static_cast<double>(c.parameters.active)),
            grouped(static_cast<int64_t>(models_[i].layers())), grouped(bp.embedding.width),
            grouped(bp.embedding.vocab), bp.context > 0 ? grouped(bp.context) : std::string("?"),
            bytes(c.state.bytes_per_token), bytes(static_cast<double>(c.state.bytes_at_context)),
            bytes(static_cast<double>(c.weights.bytes)), bytes(c.weights.bytes_per_token),
            short_number(c.flops_per_token.decode)})
        add("<td class=\"n\">{}</td>", cell);
      if (decode != nullptr)
        add("<td class=\"n\">{}</td>", size_text(decode->values[i], "tokens/s"));
      add("</tr>\n");
    }
    add("</tbody></table></div>\n");
    if (!o_.comparison) in_words();
  }

  void in_words() {
    add("<h2>In words</h2>\n<div class=\"scroll\"><table><thead><tr><th>model</th>");
    static constexpr const char* kTopics[] = {"attention", "reach", "positions", "norms",
                                              "feed-forward"};
    for (const char* topic : kTopics) add("<th>{}</th>", topic);
    add("</tr></thead><tbody>\n");
    for (size_t i = 0; i < models_.size(); ++i) {
      add("<tr><th>{}</th>", html(names_[i]));
      for (const char* topic : kTopics) add("<td class=\"w\">{}</td>", html(said(i, topic)));
      add("</tr>\n");
    }
    add("</tbody></table></div>\n");
  }

  Plot scatter(std::string heading, PlotAxis x, PlotAxis y, auto at) const {
    Plot p{std::move(heading), std::move(x), std::move(y), {}, true};
    for (size_t i = 0; i < models_.size(); ++i)
      p.series.push_back({names_[i], {at(i)}, static_cast<int>(i)});
    return p;
  }

  void plots() {
    if (models_.size() < 2) return;
    using Unit = PlotAxis::Unit;
    const auto real = [](int64_t n) { return static_cast<double>(n); };
    std::vector<Plot> all;
    all.push_back(scatter(
        "How much of a model a token uses", {"parameters", true, Unit::number},
        {"active parameters per token", true, Unit::number}, [&](size_t i) {
          return std::pair{real(counts_[i].parameters.total), real(counts_[i].parameters.active)};
        }));
    all.push_back(scatter("Deep or wide", {"layers", true, Unit::number},
                          {"d_model", true, Unit::number}, [&](size_t i) {
                            return std::pair{real(static_cast<int64_t>(models_[i].layers())),
                                             real(models_[i].blueprint.embedding.width)};
                          }));
    all.push_back(scatter(
        "What a token costs", {"FLOPs to decode it", true, Unit::number},
        {"bytes that it adds to the state", true, Unit::bytes}, [&](size_t i) {
          return std::pair{counts_[i].flops_per_token.decode, counts_[i].state.bytes_per_token};
        }));
    for (Plot& p : curve_plots(comparison_.curves, o_.compare)) all.push_back(std::move(p));
    add("<h2 id=\"plots\">In pictures</h2>\n<div class=\"plots\">\n");
    for (const Plot& p : all)
      add("<figure>{}</figure>\n", plots_svg({&p, 1}, 1, 600, 430, p.title, false));
    add("</div>\n");
  }

  void idea_section() {
    add("<h2 id=\"ideas\">The ideas, by year</h2>\n<p>Hardly any part of today’s decoders stood in "
        "the first one. These are the changes, in the order in which they were published, and the "
        "models of this page that have them.</p>\n<ul class=\"ideas\">\n");
    for (const Idea& idea : ideas()) {
      std::string chips;
      for (size_t i = 0; i < models_.size(); ++i) {
        if (idea.has(models_[i])) chips += "<span class=\"chip\">" + html(names_[i]) + "</span>";
      }
      if (chips.empty()) continue;
      add("<li><h3>{}<span class=\"year\">{}</span></h3><p>{}</p><div class=\"chips\">{}</div>"
          "<p class=\"soft\" style=\"font-size:13px\">{}</p></li>\n",
          html(idea.name), idea.year, html(idea.sentence), chips, html(idea.source));
    }
    add("</ul>\n");
    if (models_.size() < 2) return;
    add("<div class=\"scroll\"><table class=\"matrix\"><thead><tr><th></th>");
    for (const std::string& n : names_) add("<th>{}</th>", html(n));
    add("</tr></thead><tbody>\n");
    for (const Idea& idea : ideas()) {
      if (std::none_of(models_.begin(), models_.end(), idea.has)) continue;
      add("<tr><th>{}</th>", html(idea.name));
      for (const Anatomy& a : models_)
        add("<td>{}</td>", idea.has(a) ? "<span class=\"dot\" title=\"yes\"></span>" : "");
      add("</tr>\n");
    }
    add("</tbody></table></div>\n");
  }

  /// What a model says that goes beyond "none", and whether no other says it.
  void notes(size_t model) {
    add("<ul>\n");
    for (const Fact& f : structures_[model]) {
      if (f.text == "none" || f.text == "no experts" || f.text == "not said") continue;
      const bool only = models_.size() > 2 && f.key != "shape" && f.key != "state" &&
                        f.key != "context" && f.key != "embedding and head" &&
                        f.key != "attention" && f.key != "feed-forward" &&
                        std::count_if(structures_.begin(), structures_.end(), [&](const auto& s) {
                          return std::find(s.begin(), s.end(), f) != s.end();
                        }) == 1;
      add("<li><b>{}</b>: {}{}</li>\n", html(f.key), html(f.text),
          only ? " <span class=\"only\">only here</span>" : "");
    }
    add("</ul>\n");
  }

  std::string figure(std::span<const Blueprint> of, bool tall) const {
    return draw(of, {.tall = tall, .standalone = false});
  }

  void gallery() {
    add("<h2 id=\"gallery\">Diagrams</h2>\n<p class=\"soft\">The stream runs upwards; what a part "
        "returns is added to it at (+). Where layers differ, each way stands with the layers that "
        "have it, and the bar on the left shows which layer has which. Details hang on dotted "
        "lines.</p>\n");
    if (o_.comparison && blueprints_.size() < 4)
      add("<figure class=\"side wide\">{}</figure>\n", figure(blueprints_, false));
    for (size_t i = 0; i < models_.size(); ++i) {
      const std::span<const Blueprint> one = blueprints_.subspan(i, 1);
      add("<section class=\"model\" id=\"{}\"><h3>{}</h3>\n", anchor(names_[i]), html(names_[i]));
      notes(i);
      if (!o_.comparison || blueprints_.size() >= 4)
        add("<figure class=\"wide\">{}</figure>\n", figure(one, false));
      add("<figure class=\"tall\">{}</figure>\n</section>\n", figure(one, true));
    }
  }

  void foot() {
    add("<footer><h2 id=\"counted\" style=\"margin-top:0\">How it was counted</h2><pre>{}</pre>",
        html_lines(counting_conventions()));
    if (o_.compare.machine) {
      add("<p>{}: {}{}</p>", html(o_.compare.machine->name), html(o_.compare.machine->source),
          o_.compare.machine->note.empty() ? "" : ", " + html(o_.compare.machine->note));
    }
    add("</footer>\n</main>\n</body>\n</html>\n");
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

  std::span<const Blueprint> blueprints_;
  const ReportOptions& o_;
  std::vector<Anatomy> models_;
  std::vector<std::vector<Fact>> structures_;
  std::vector<Count> counts_;
  std::vector<std::string> names_;
  Comparison comparison_;
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
  struct Best {
    std::string name;
    int64_t parameters = 0;
  };
  std::map<std::string, Best> best;  // by family
  for (const std::string& name : blueprint_names()) {
    const Blueprint bp = load_blueprint(name);
    const int64_t n = graph_of(bp).parameter_count();
    Best& b = best[bp.family.empty() ? "/" + name : bp.family];
    if (n > b.parameters) b = {name, n};
  }
  std::vector<Best> list;
  for (const auto& [family, b] : best) list.push_back(b);
  std::sort(list.begin(), list.end(),
            [](const Best& a, const Best& b) { return a.parameters < b.parameters; });
  std::vector<std::string> names;
  for (const Best& b : list) names.push_back(b.name);
  return names;
}

}  // namespace ashlar
