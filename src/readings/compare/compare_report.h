// Numbers and plots that comparisons and reports share.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "figures/plot.h"
#include "readings/compare/compare.h"

namespace ashlar {

/// The row of sizes that says what context each model was made for.
inline constexpr const char* kMadeFor = "context made for";

/// Whose speeds a table says, in a sentence or two.
std::string speeds_text(const Machine& machine);

/// A value of the table of sizes as people read it: "7.30B", "2.15 GiB", "unknown".
std::string size_text(double value, const std::string& unit);

/// Memory and time per token over context, tokens per second and time of a step over batch; those
/// of speed only where a machine was planned for.
std::vector<Plot> curve_plots(std::span<const Curves> curves, const CompareOptions& options);

/// Plots in a grid of so many columns, each of that size, higher where the names of its lines need
/// it.
std::string plots_svg(std::span<const Plot> plots, int columns, double width, double height,
                      std::string_view title, bool standalone);

}  // namespace ashlar
