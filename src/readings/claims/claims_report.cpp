// Claims as JSON, as text and as a page.
#include <fmt/format.h>

#include <iterator>

#include "base/units.h"
#include "figures/svg.h"
#include "readings/claims/claims.h"

namespace ashlar {
namespace {

/// Numbers as people read them; anything nested as JSON.
std::string shown(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return grouped(value.get<int64_t>());
  if (value.is_number()) return fmt::format("{:.4g}", value.get<double>());
  return value.dump();
}

constexpr const char* kPage = R"(<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Claims, settled by computation</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<style>
:root { color-scheme: light dark; --line: #8884; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
article { border-top: 1px solid var(--line); padding: 1rem 0; }
h2 { font-size: 1.1rem; margin: 0 0 .3rem; }
.verdict { display: inline-block; border-radius: .4rem; padding: 0 .5rem; color: #fff; font-size: .85rem; }
.holds { background: #2a7d46; } .holds-if { background: #9a6700; }
.fails { background: #b42318; } .open { background: #5b6470; }
.source { opacity: .7; font-size: .9rem; }
table { border-collapse: collapse; font-size: .9rem; }
td { border-bottom: 1px solid var(--soft); padding: .1rem .8rem .1rem 0; vertical-align: top; }
td:last-child { font-variant-numeric: tabular-nums; overflow-wrap: anywhere; }
</style></head><body>
<h1>Claims, settled by computation</h1>
<p>Each statement is settled by readings of the architectures' blueprints; the numbers are computed, not quoted.</p>
)";

}  // namespace

std::string claims_json(const std::vector<Claim>& claims) {
  Json json = Json::array();
  for (const Claim& c : claims) {
    json.push_back({{"id", c.id},
                    {"statement", c.statement},
                    {"source", c.source},
                    {"verdict", c.verdict},
                    {"condition", c.condition},
                    {"found", c.found}});
  }
  return json.dump(1, ' ', false, Json::error_handler_t::replace);
}

std::string claims_text(const std::vector<Claim>& claims) {
  std::string text;
  const auto out = std::back_inserter(text);
  for (const Claim& c : claims) {
    fmt::format_to(out, "{:9} {}\n          {}\n          ({})\n", c.verdict, c.id, c.statement,
                   c.source);
    if (!c.condition.empty()) fmt::format_to(out, "          {}\n", c.condition);
    for (const auto& [name, value] : c.found.items()) {
      if (!value.is_structured()) fmt::format_to(out, "            {} = {}\n", name, shown(value));
    }
    text += '\n';
  }
  return text;
}

std::string claims_html(const std::vector<Claim>& claims) {
  std::string html = kPage;
  const auto out = std::back_inserter(html);
  for (const Claim& c : claims) {
    fmt::format_to(out,
                   "<article id=\"{0}\">\n<h2><span class=\"verdict {1}\">{1}</span> {0}</h2>\n",
                   xml_escaped(c.id), xml_escaped(c.verdict));
    fmt::format_to(out, "<p>{}</p>\n<p class=\"source\">{}</p>\n", xml_escaped(c.statement),
                   xml_escaped(c.source));
    if (!c.condition.empty()) fmt::format_to(out, "<p><b>{}</b></p>\n", xml_escaped(c.condition));
    const auto row = [&](const std::string& name, const Json& value) {
      fmt::format_to(out, "<tr><td>{}</td><td>{}</td></tr>\n", xml_escaped(name),
                     xml_escaped(shown(value)));
    };
    html += "<table>\n";
    for (const auto& [name, value] : c.found.items()) {
      if (!value.is_structured()) row(name, value);
    }
    html += "</table>\n";
    for (const auto& [name, value] : c.found.items()) {
      if (!value.is_structured()) continue;
      fmt::format_to(out, "<details><summary>{} ({})</summary>\n<table>\n", xml_escaped(name),
                     value.size());
      for (const auto& [key, item] : value.items()) row(key, item);
      html += "</table></details>\n";
    }
    html += "</article>\n";
  }
  return html + "</body></html>\n";
}

}  // namespace ashlar
