// Boxes above each other with arrows between them: what the insets of mixers are painted with.
#pragma once

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/units.h"
#include "readings/draw/column.h"

namespace ashlar {

namespace inset_layout {
constexpr double kGap = 18, kPad = 16, kInner = kInsetWidth - 2 * kPad;
}

inline std::string product(int64_t heads, int64_t dim) {
  return fmt::format("{} × {}", grouped(heads), grouped(dim));
}

inline void footer(Canvas& c, double x, double y, const Fact& fact) {
  c.say(x + kInsetWidth / 2, y, fact, {.size = 11.5, .classes = "s"});
}

/// Paints boxes from the top down and draws the arrows of some columns between them.
class Stack {
 public:
  Stack(Canvas& c, double y) : c_(c), y_(y) {}
  /// Arrows into the boxes above; `passing`: lines that only pass by.
  void arrows(const std::vector<double>& xs, const std::vector<double>& passing = {}) {
    for (const double x : xs) c_.svg.arrow(x, y_ + inset_layout::kGap, x, y_);
    for (const double x : passing) pass(x, inset_layout::kGap);
    y_ += inset_layout::kGap;
  }
  /// One row of boxes; lines run past what is lower than the row.
  void row(const std::vector<std::pair<Box, std::pair<double, double>>>& boxes) {
    double height = 0;
    for (const auto& [box, span] : boxes) height = std::max(height, Canvas::height(box));
    for (const auto& [box, span] : boxes) c_.paint(box, span.first, y_, span.second - span.first);
    y_ += height;
  }
  /// A line past a row of this height.
  void pass(double x, double height) {
    c_.svg.path(fmt::format("M{} {}V{}", svg_number(x), svg_number(y_ + height), svg_number(y_)),
                "w");
  }
  double y() const { return y_; }

 private:
  Canvas& c_;
  double y_;
};

}  // namespace ashlar
