// Published configs and how tests of families read them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

#include "base/json.h"
#include "families/family.h"
#include "support/names.h"
#include "support/paths.h"

namespace ashlar::testing {

inline std::filesystem::path source_folder() { return source_dir(); }

inline std::vector<std::string> published_names() {
  std::vector<std::string> names;
  for (const auto& entry :
       std::filesystem::directory_iterator(source_folder() / "tests/families/published"))
    names.push_back(entry.path().stem().string());
  std::sort(names.begin(), names.end());
  return names;
}

inline Json published_config(const std::string& name) {
  return read_json(source_folder() / "tests/families/published" / (name + ".json"));
}

inline Blueprint published(const std::string& name) {
  Blueprint bp = read_config(published_config(name), name).blueprint;
  bp.name = name;
  return bp;
}

/// Names of the tensors that a file of this blueprint holds.
inline std::set<std::string> tensor_names(const Blueprint& bp, const Family& family, bool gguf) {
  const Names names = names_of(family, bp);
  std::set<std::string> all;
  const Graph graph = graph_of(bp);
  for (const Param& p : graph.params()) {
    int64_t layer = 0;
    const Name* name = names.find(p.name, static_cast<int64_t>(bp.blocks.size()), &layer);
    if (name == nullptr) continue;
    const auto& sources = gguf ? name->gguf : name->config;
    if (!sources.empty()) all.insert(ashlar::filled(sources[0].name, layer));
  }
  return all;
}

inline Blueprint through_gguf(const Blueprint& bp, const Family& family) {
  GgufKeys keys = write_gguf_keys(bp, family);
  for (auto& [key, value] : keys.keys.items()) {  // as the file keeps them
    if (value.is_number_float()) value = static_cast<double>(value.get<float>());
  }
  const std::set<std::string> tensors = tensor_names(bp, family, true);
  keys.has_tensor = [&](std::string_view name) { return tensors.count(std::string(name)) > 0; };
  return read_gguf_keys(keys, std::string(family.gguf), "file.gguf").blueprint;
}

/// Equal but for numbers that differ by no more than this share of themselves.
inline void expect_same(const Blueprint& a, const Blueprint& b, double share) {
  for (const Difference& d : diff(a, b)) {
    if (!rounded_alike(d, share))
      ADD_FAILURE() << b.name << ": " << d.path << ": " << d.a << " and " << d.b;
  }
}

}  // namespace ashlar::testing
