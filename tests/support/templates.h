// Real chat templates, and what Transformers makes of them (tools/golden_templates.py).
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "base/json.h"
#include "support/paths.h"

namespace ashlar::testing {

inline const std::filesystem::path kTemplates =
    std::filesystem::path(source_dir()) / "tests/text/templates";

inline const Json& template_golden() {
  static const Json kGolden = read_json(kTemplates / "golden.json");
  return kGolden;
}

/// The names of the real ones.
inline std::vector<std::string> template_names() {
  std::vector<std::string> out;
  for (const auto& [name, cases] : template_golden()["real"].items()) out.push_back(name);
  return out;
}

}  // namespace ashlar::testing
