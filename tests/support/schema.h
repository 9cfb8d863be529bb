// The fields of a JSON text against the list of them in docs/json.md.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "support/paths.h"

namespace ashlar::testing {

/// `path` with every key below one of `maps` replaced by *: "by_kind.attention.bytes" ->
/// "by_kind.*.bytes".
inline void collect_fields(const Json& json, const std::string& path,
                           const std::set<std::string>& maps, std::set<std::string>& fields) {
  if (json.is_object()) {
    for (const auto& [key, value] : json.items()) {
      const std::string name = maps.contains(path) ? "*" : key;
      collect_fields(value, path.empty() ? name : path + "." + name, maps, fields);
    }
  } else if (json.is_array()) {
    for (const Json& item : json) collect_fields(item, path + "[]", maps, fields);
  } else {
    fields.insert(path);
  }
}

/// The fields that docs/json.md lists under "## section".
inline std::set<std::string> documented_fields(const std::string& section) {
  const std::string text = read_file(source_dir() + "/docs/json.md");
  std::set<std::string> fields;
  size_t at = text.find("\n## " + section + "\n");
  if (at == std::string::npos) return fields;
  const size_t end = std::min(text.find("\n## ", at + 1), text.size());
  while ((at = text.find("\n| `", at)) < end) {
    const size_t begin = at + 4, stop = text.find('`', begin);
    fields.insert(text.substr(begin, stop - begin));
    at = stop;
  }
  return fields;
}

/// Paths of the documented fields whose last key is free: "by_kind" for "by_kind.*.bytes".
inline std::set<std::string> free_maps(const std::set<std::string>& fields) {
  std::set<std::string> maps;
  for (const std::string& f : fields) {
    for (size_t star = f.find(".*"); star != std::string::npos; star = f.find(".*", star + 1))
      maps.insert(f.substr(0, star));
  }
  return maps;
}

/// What differs between a JSON text and its documentation; empty: nothing. Lists that are empty in
/// the JSON miss their fields, so give a JSON that has all of them.
inline std::vector<std::string> schema_differences(const std::string& text,
                                                   const std::string& section) {
  const std::set<std::string> documented = documented_fields(section);
  std::set<std::string> found;
  collect_fields(parse_json(text, section), "", free_maps(documented), found);
  std::vector<std::string> differences;
  for (const std::string& f : found) {
    if (!documented.contains(f)) differences.push_back("not documented: " + f);
  }
  for (const std::string& f : documented) {
    if (!found.contains(f)) differences.push_back("not there: " + f);
  }
  return differences;
}

}  // namespace ashlar::testing
