// Edit distance by dynamic programming over one row.
#include "base/edit_distance.h"

#include <algorithm>
#include <utility>

#include "base/lower_case.h"

namespace ashlar {

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t up = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = up;
    }
  }
  return row[b.size()];
}

std::vector<std::string> nearest(std::string_view name, std::vector<std::string> names,
                                 size_t most) {
  const std::string head =
      lower_case(std::string(name.substr(0, 100)));  // names from files may be of any length
  // A name that goes on from what was written, or holds it, is meant more often than a short one.
  const auto distance = [&](const std::string& candidate) -> size_t {
    const std::string word = lower_case(candidate);
    if (head.size() >= 2 && word.starts_with(head)) return 0;
    const size_t edits = edit_distance(head, word);
    return head.size() >= 3 && word.find(head) != std::string::npos ? std::min<size_t>(edits, 1)
                                                                    : edits;
  };
  std::vector<std::pair<size_t, std::string>> order;
  for (std::string& candidate : names) {
    const size_t away = distance(candidate);
    order.emplace_back(away, std::move(candidate));
  }
  std::stable_sort(order.begin(), order.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (size_t i = 0; i < names.size(); ++i) names[i] = std::move(order[i].second);
  names.resize(std::min(names.size(), most));
  return names;
}

}  // namespace ashlar
