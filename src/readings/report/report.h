// Pages about blueprints (ashlar/report.h), from the library's own types.
#pragma once

#include <span>
#include <string>

#include "ashlar/report.h"
#include "readings/compare/compare.h"

namespace ashlar {

/// HTML of the page: no other file or address is needed to show it; links lead to papers and cards.
/// Throws Error(invalid) for an empty list, for one model where a comparison is asked for, and as
/// compare() does.
std::string report(std::span<const Blueprint> blueprints, const ReportOptions& options = {});

}  // namespace ashlar
