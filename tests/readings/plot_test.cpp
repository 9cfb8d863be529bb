// Axes of plots: whatever the range, there are round numbers to read it by.
#include "figures/plot.h"

#include <gtest/gtest.h>

#include "support/xml.h"

namespace ashlar::testing {
namespace {

/// Labels of the ticks at the left of a plot of these values.
std::vector<double> labels(double least, double most) {
  Plot plot;
  plot.x = {.label = "x", .logarithmic = false};
  plot.y = {.label = "", .logarithmic = true};
  plot.series = {{.name = "", .points = {{0, least}, {1, most}}}};
  Svg svg;
  paint_plot(svg, plot, 0, 0, 600, 300);
  std::vector<double> found;
  for (const Element& e : XmlReader("<svg>" + svg.body() + "</svg>").read()) {
    if (e.tag != "text" || e.attribute("text-anchor") != "end") continue;
    size_t digits = 0;
    const double number = std::stod(e.text, &digits);
    found.push_back(e.text.substr(digits) == "K"   ? number * 1e3
                    : e.text.substr(digits) == "M" ? number * 1e6
                                                   : number);
  }
  return found;
}

TEST(Plots, LogarithmicAxesOfEveryRangeHaveTicks) {
  EXPECT_EQ(labels(3.27, 3.34), (std::vector<double>{3.28, 3.3, 3.32, 3.34}));
  EXPECT_EQ(labels(0.5, 500), (std::vector<double>{0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500}));
  for (const double least : {1e-4, 0.031, 1.0, 3.3, 47.0}) {
    for (const double wider : {1.004, 1.02, 1.1, 1.6, 3.0, 20.0, 3000.0}) {
      const std::vector<double> ticks = labels(least, least * wider);
      EXPECT_GE(ticks.size(), 3u) << least << " to " << least * wider;
      for (size_t i = 1; i < ticks.size(); ++i) EXPECT_LT(ticks[i - 1], ticks[i]) << least;
    }
  }
}

}  // namespace
}  // namespace ashlar::testing
