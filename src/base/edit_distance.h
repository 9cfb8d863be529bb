// How far two names are apart, to suggest what a user may have meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar {

/// Insertions, deletions and changes that turn a into b (Levenshtein).
size_t edit_distance(std::string_view a, std::string_view b);

/// The `most` names nearest to `name`, nearest first, equal ones in their order.
std::vector<std::string> nearest(std::string_view name, std::vector<std::string> names,
                                 size_t most);

}  // namespace ashlar
