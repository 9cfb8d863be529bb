// Edit distance by dynamic programming over one row.
#include "base/edit_distance.h"

#include <algorithm>

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
  const std::string_view head = name.substr(0, 100);  // names from files may be of any length
  std::stable_sort(names.begin(), names.end(), [&](const auto& a, const auto& b) {
    return edit_distance(head, a) < edit_distance(head, b);
  });
  names.resize(std::min(names.size(), most));
  return names;
}

}  // namespace ashlar
