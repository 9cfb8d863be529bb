// Claims as JSON and as text.
#include <fmt/format.h>

#include <iterator>

#include "base/json_members.h"
#include "readings/claims/claims.h"
#include "readings/claims/claims_figures.h"

namespace ashlar {

ASHLAR_JSON_OF(Claim, id, statement, source, verdict, condition, found);

std::string claims_json(const std::vector<Claim>& claims) {
  return Json(claims).dump(1, ' ', false, Json::error_handler_t::replace);
}

std::string claims_text(const std::vector<Claim>& claims) {
  std::string counts, list;
  const auto out = std::back_inserter(list);
  for (const auto& [verdict, group] : by_verdict(claims)) {
    counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", group.size(), verdict.name);
    for (const Claim* c : group) {
      fmt::format_to(out, "{:9} {}\n          {}\n          ({})\n", c->verdict, c->id,
                     c->statement, c->source);
      if (!c->condition.empty()) fmt::format_to(out, "          {}\n", c->condition);
      for (const auto& [name, value] : c->found.items()) {
        if (!value.is_structured())
          fmt::format_to(out, "            {}: {}\n", figure_words(name),
                         figure_value(name, value));
      }
      list += '\n';
    }
  }
  return counts + "\n\n" + list;
}

}  // namespace ashlar
