// The style sheet of report pages.
#pragma once

#include <string_view>

namespace ashlar {

std::string_view report_style();

}  // namespace ashlar
