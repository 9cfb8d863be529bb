// Claims as JSON and as text.
#include <fmt/format.h>

#include <iterator>

#include "base/units.h"
#include "readings/claims/claims.h"
#include "readings/claims/claims_figures.h"

namespace ashlar {
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
  for (const auto& [verdict, n] : verdict_counts(claims))
    fmt::format_to(out, "{}{} {}", text.empty() ? "" : ", ", n, verdict);
  text += "\n\n";
  for (const Claim* claim : settled_first(claims)) {
    const Claim& c = *claim;
    fmt::format_to(out, "{:9} {}\n          {}\n          ({})\n", c.verdict, c.id, c.statement,
                   c.source);
    if (!c.condition.empty()) fmt::format_to(out, "          {}\n", c.condition);
    for (const auto& [name, value] : c.found.items()) {
      if (!value.is_structured())
        fmt::format_to(out, "            {}: {}\n", figure_words(name), figure_value(name, value));
    }
    text += '\n';
  }
  return text;
}

}  // namespace ashlar
