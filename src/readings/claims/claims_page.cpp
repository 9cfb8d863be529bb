// Claims as a page.
#include <fmt/format.h>

#include <iterator>

#include "blueprint/card.h"
#include "figures/page_style.h"
#include "figures/svg.h"
#include "readings/claims/claims_figures.h"
#include "readings/draw/words.h"

namespace ashlar {
namespace {

constexpr const char* kStyle = R"(main{max-width:960px}
.counts{display:flex;flex-wrap:wrap;gap:10px;margin:16px 0}
.counts a{text-decoration:none;border-radius:12px;padding:8px 16px;color:#fff}
.counts b{font-size:24px;display:block;line-height:1.2}
.holds{background:#2a7d46}.holds-if{background:#8a5d00}.fails{background:#b42318}.undecided{background:#44608a}
.open{background:#566170}
article{border:1px solid var(--line);border-radius:14px;padding:14px 18px;margin:14px 0;background:var(--card);
overflow-wrap:anywhere}
article h3{margin:6px 0;font-size:18px}
.verdict{display:inline-block;border-radius:7px;padding:0 9px;color:#fff;font-size:13.5px}
article table{font-size:14px;margin:8px 0}
article th{font-weight:400;background:none;position:static;white-space:normal;width:62%}
article td{font-weight:600;font-variant-numeric:tabular-nums}
summary{cursor:pointer;color:var(--accent);font-size:14px}
)";

/// "arXiv 2412.19437" becomes a link to it.
std::string with_links(std::string_view source) {
  constexpr std::string_view kWord = "arXiv ";
  std::string out;
  for (size_t at = 0; at < source.size();) {
    const size_t found = source.find(kWord, at);
    if (found == std::string_view::npos) return out + xml_escaped(source.substr(at));
    size_t end = found + kWord.size();
    while (end < source.size() &&
           (source[end] == '.' || (source[end] >= '0' && source[end] <= '9')))
      ++end;
    const std::string id(source.substr(found + kWord.size(), end - found - kWord.size()));
    out += xml_escaped(source.substr(at, found - at));
    out += fmt::format("<a href=\"https://arxiv.org/abs/{0}\" rel=\"noopener\">arXiv {0}</a>",
                       xml_escaped(id));
    at = end;
  }
  return out;
}

std::string cards_of(const Claim& c) {
  std::vector<std::string> links;
  for (const std::string& model : c.models) {
    const auto card = card_of(model);
    if (!card || (card->page.empty() && card->paper.empty())) continue;
    links.push_back(fmt::format("<a href=\"{}\" rel=\"noopener\">{}</a>",
                                xml_escaped(card->page.empty() ? card->paper : card->page),
                                xml_escaped(model)));
  }
  return join(links, ", ");
}

std::string row(const std::string& name, const std::string& value) {
  return fmt::format("<tr><th>{}</th><td>{}</td></tr>\n", xml_escaped(name), xml_escaped(value));
}

std::string article(const Claim& c) {
  std::string out;
  const auto to = std::back_inserter(out);
  fmt::format_to(to,
                 "<article id=\"{0}\">\n<span class=\"verdict {1}\">{1}</span>\n<h3>{2}</h3>\n"
                 "<p class=\"soft small\">Source: {3}</p>\n",
                 xml_escaped(c.id), xml_escaped(c.verdict), xml_escaped(c.statement),
                 with_links(c.source));
  if (!c.condition.empty()) fmt::format_to(to, "<p>{}</p>\n", xml_escaped(c.condition));
  std::string rows;
  for (const auto& [name, value] : c.found.items()) {
    if (!value.is_structured()) rows += row(figure_words(name), figure_value(name, value));
  }
  if (!rows.empty()) out += "<table><tbody>\n" + rows + "</tbody></table>\n";
  for (const auto& [name, value] : c.found.items()) {
    if (!value.is_structured()) continue;
    fmt::format_to(to, "<details><summary>{} ({})</summary>\n<table><tbody>\n",
                   xml_escaped(figure_words(name)), value.size());
    for (const auto& [key, item] : value.items()) out += row(key, figure_value(name, item));
    out += "</tbody></table></details>\n";
  }
  if (const std::string cards = cards_of(c); !cards.empty())
    fmt::format_to(to, "<p class=\"soft small\">Computed from the blueprints of {}.</p>\n", cards);
  return out + "</article>\n";
}

}  // namespace

std::string claims_html(const std::vector<Claim>& claims) {
  constexpr std::string_view kTitle = "Claims, settled by computation";
  std::string html = page_head(kTitle, kStyle);
  const auto to = std::back_inserter(html);
  fmt::format_to(
      to,
      "<h1>{}</h1>\n<p>{} statements of papers, model cards and articles about language models. "
      "Each is settled by readings of the models’ blueprints: the numbers are computed, not "
      "quoted.</p>\n<div class=\"counts\">\n",
      kTitle, claims.size());
  std::string articles;
  for (const auto& [verdict, group] : by_verdict(claims)) {
    if (group.empty()) continue;
    fmt::format_to(to, "<a class=\"{0}\" href=\"#{0}\"><b>{1}</b>{0}</a>\n", verdict.name,
                   group.size());
    articles += fmt::format("<h2 id=\"{}\">{}</h2>\n", verdict.name, verdict.heading);
    for (const Claim* c : group) articles += article(*c);
  }
  return html + "</div>\n" + articles + "</main>\n</body>\n</html>\n";
}

}  // namespace ashlar
