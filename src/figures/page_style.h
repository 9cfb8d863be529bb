// What pages have in common.
#pragma once

#include <string>
#include <string_view>

namespace ashlar {

/// A page up to the beginning of <main>, with the style sheet of reports and `more_style` behind it.
std::string page_head(std::string_view title, std::string_view more_style);

}  // namespace ashlar
