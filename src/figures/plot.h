// Plots as SVG: lines over an axis, and points.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "figures/svg.h"

namespace ashlar {

struct PlotAxis {
  std::string label;  // with its unit: "context (tokens)"
  bool logarithmic = true;
  enum class Unit { number, bytes, seconds, tokens } unit = Unit::number;
};

struct PlotSeries {
  std::string name;
  std::vector<std::pair<double, double>> points;
  int colour = 0;  // beyond kSeriesColours they repeat, dashed in other ways
};

struct Plot {
  std::string title;
  PlotAxis x, y;
  std::vector<PlotSeries> series;
  bool scatter = false;  // points with their names instead of lines
};

/// The height at which the names of all lines find room, at least `least`.
double plot_height(const Plot& plot, double least);

/// Paints into the rectangle of that size; names of lines stand on the right, each led to by a line
/// from the end of its own. Values that are not positive are left out of logarithmic axes.
void paint_plot(Svg& svg, const Plot& plot, double x, double y, double width, double height);

}  // namespace ashlar
