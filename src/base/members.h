// Structs that name their members.
#pragma once

#include <algorithm>
#include <string_view>

namespace ashlar {

/// Takes the first name off a list "a, b, c".
constexpr std::string_view take_name(std::string_view& names) {
  const size_t end = std::min(names.find(", "), names.size());
  const std::string_view name = names.substr(0, end);
  names.remove_prefix(std::min(end + 2, names.size()));
  return name;
}

/// Whether the list has all of `names`; both are written "a, b, c".
constexpr bool lists(std::string_view list, std::string_view names) {
  while (!names.empty()) {
    const std::string_view name = take_name(names);
    bool found = false;
    for (std::string_view rest = list; !rest.empty() && !found;) found = take_name(rest) == name;
    if (!found) return false;
  }
  return true;
}

/// Calls v with the name and the value of each member: `names` are theirs, as the source lists them.
/// Of a member that is an op (graph/op.h) the attributes are visited, as if they were the struct's.
template <class V, class... Members>
void visit_members(V& v, std::string_view names, Members&... members) {
  const auto visit = [&](auto& member) {
    const std::string_view name = take_name(names);
    if constexpr (requires { member.attributes(v); })
      member.attributes(v);
    else
      v(name, member);
  };
  (visit(members), ...);
}

}  // namespace ashlar
