// Results as one page that a person wants to read, and as text.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace ashlar::lab {

/// One self-contained page; of several experiments with an overview before them.
std::string report_html(const std::vector<Json>& results);
std::string report_text(const std::vector<Json>& results);

/// One row per criterion: a dot for each seed's difference, the mean and its interval, and the size
/// that was asked for. Each row has a scale of its own. `width` in pixels.
std::string differences_svg(const Json& result, double width);

/// Training loss over tokens, operations and seconds; loss over the rate; loss by position; right
/// answers by difficulty: those that the result has, each an <svg>.
std::vector<std::string> plots_of(const Json& result);

}  // namespace ashlar::lab
