// Results as one page that a person wants to read, and as text.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace ashlar::lab {

/// One self-contained page; of several experiments with an overview before them.
std::string report_html(const std::vector<Json>& results);
std::string report_text(const std::vector<Json>& results);

}  // namespace ashlar::lab
