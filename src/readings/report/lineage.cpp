// The lineage of ideas: when each was published, and which models took it up when.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdlib>
#include <iterator>

#include "figures/svg.h"
#include "readings/report/report_ideas.h"
#include "readings/report/report_page.h"

namespace ashlar {
namespace {

/// "2025-04" as 2025.25; 0 without a card.
double year_of(const Anatomy& a) {
  if (!a.card || a.card->date.size() < 4) return 0;
  const double year = std::atof(a.card->date.substr(0, 4).c_str());
  const double month = a.card->date.size() >= 7 ? std::atof(a.card->date.substr(5, 2).c_str()) : 1;
  return year + (month - 1) / 12;
}

/// An idea and the models that have it, by date of release.
struct Line {
  const Idea* idea;
  std::vector<size_t> models;
};

std::vector<Line> lines_of(const ReportModels& m, IdeaKind kind) {
  std::vector<Line> lines;
  for (const Idea& idea : ideas()) {
    if (idea.kind != kind) continue;
    Line line{&idea, {}};
    for (size_t i = 0; i < m.size(); ++i) {
      if (idea.has(m.anatomies[i])) line.models.push_back(i);
    }
    std::stable_sort(line.models.begin(), line.models.end(), [&](size_t a, size_t b) {
      return year_of(m.anatomies[a]) < year_of(m.anatomies[b]);
    });
    if (!line.models.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

/// A row per idea: an open circle where it was published, a dot for each model that has it.
std::string lineage_svg(const ReportModels& m, double width) {
  constexpr double kRow = 20, kMargin = 8;
  const bool slim = width < 400;
  const double label_size = slim ? 10.5 : 12;
  double labels = 0, last = 2018, first = 2017;
  for (const Idea& idea : ideas()) labels = std::max(labels, text_room(idea.name, label_size));
  for (const Anatomy& a : m.anatomies) last = std::max(last, year_of(a));
  last = std::ceil(last + 0.02);
  const double count_room = text_room("00 of 000", 10.5), left = kMargin + labels + 10,
               right = width - kMargin - (slim ? 4 : count_room + 8);
  const auto at = [&](double year) {
    return left + (year - first) / (last - first) * (right - left);
  };
  Svg svg;
  double y = kMargin + 22;
  int colour = 0;
  const double top = y;
  Svg body;
  for (const auto& [kind, kind_name] : kIdeaKinds) {
    const std::vector<Line> lines = lines_of(m, kind);
    if (lines.empty()) continue;
    body.text(kMargin, y + 14, kind_name,
              {.size = label_size, .bold = true, .anchor = Anchor::start});
    y += kRow;
    const std::string solid = fmt::format("s{}", colour), stroke = fmt::format("l{}", colour);
    for (const Line& line : lines) {
      const double middle = y + kRow / 2;
      body.begin_group("idea", fmt::format("{}, {}: {} of {} models", line.idea->name,
                                           line.idea->year, line.models.size(), m.size()));
      body.text(kMargin, middle + 4, line.idea->name,
                {.size = label_size, .classes = "t", .anchor = Anchor::start});
      const double published = at(line.idea->year),
                   end = std::max(published, at(year_of(m.anatomies[line.models.back()])));
      body.path(svg_path("M{} {}H{}", published, middle, end), stroke + " lead");
      body.circle(published, middle, 4.5, "plus");
      body.end_group();
      for (const size_t i : line.models) {
        const double year = year_of(m.anatomies[i]);
        if (!(year > 0)) continue;
        body.begin_group("point", m.names[i] + ", " + m.anatomies[i].card->date);
        body.circle(at(year), middle, slim ? 2.6 : 3.4, solid);
        body.end_group();
      }
      if (!slim)
        body.text(width - kMargin, middle + 4,
                  fmt::format("{} of {}", line.models.size(), m.size()),
                  {.size = 10.5, .classes = "s", .anchor = Anchor::end});
      y += kRow;
    }
    y += 6;
    ++colour;
  }
  for (double year = first; year <= last; ++year) {
    const double x = at(year);
    svg.path(svg_path("M{} {}V{}", x, top - 4, y), "grid");
    const bool said = !slim || std::fmod(year - first, 3) == 0;
    if (said) svg.text(x, top - 9, fmt::format("{:.0f}", year), {.size = 10.5, .classes = "s"});
  }
  svg.append(body);
  return svg_document(width, y + kMargin, "Lineage of ideas", "", svg.body(), false);
}

}  // namespace

std::string lineage_section(const ReportModels& m) {
  std::string out =
      "<h2 id=\"ideas\">A lineage of ideas</h2>\n<p>Hardly any part of today’s decoders stood in "
      "the first one. These are the changes: when each was published, which model of this page had "
      "it first, and which have it.</p>\n";
  const auto to = std::back_inserter(out);
  const bool dated = std::any_of(m.anatomies.begin(), m.anatomies.end(),
                                 [](const Anatomy& a) { return year_of(a) > 0; });
  if (m.size() > 1 && dated) {
    fmt::format_to(to,
                   "<figure class=\"broad plain\">{}</figure><figure class=\"slim plain\">{}"
                   "</figure>\n<p class=\"soft\">Open circles: the year of the publication. Dots: "
                   "models that have it, at the month of their release.</p>\n",
                   lineage_svg(m, 1040), lineage_svg(m, 344));
  }
  for (const auto& [kind, kind_name] : kIdeaKinds) {
    const std::vector<Line> lines = lines_of(m, kind);
    if (lines.empty()) continue;
    std::string heading = kind_name;
    heading[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(heading[0])));
    fmt::format_to(to, "<h3>{}</h3>\n<ul class=\"ideas\">\n", heading);
    for (const Line& line : lines) {
      std::string first, chips;
      for (const size_t i : line.models) {
        const std::string name = xml_escaped(m.names[i]);
        if (first.empty() && m.anatomies[i].card && line.models.size() > 1)
          first = fmt::format("<p><b>{}</b> ({}) had it first of {} here.</p>", name,
                              xml_escaped(m.anatomies[i].card->date), line.models.size());
        chips +=
            fmt::format("<a class=\"chip\" href=\"#{}\">{}</a>", report_anchor(m.names[i]), name);
      }
      fmt::format_to(to,
                     "<li><h4>{}<span class=\"year\">{}</span></h4><p>{}</p>{}<div "
                     "class=\"chips\">{}</div><p class=\"soft small\">{}</p></li>\n",
                     xml_escaped(line.idea->name), line.idea->year,
                     xml_escaped(line.idea->sentence), first, chips,
                     xml_escaped(line.idea->source));
    }
    out += "</ul>\n";
  }
  return out;
}

}  // namespace ashlar
