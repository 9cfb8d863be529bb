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

inline std::string product(int64_t heads, int64_t dim) {
  return fmt::format("{} × {}", grouped(heads), grouped(dim));
}

/// A part of a mixer, with what it is made of in lines.
inline Box attention_box(const std::string& tone, const std::string& name, const std::string& title,
                         std::vector<std::string> lines) {
  Box box{tone, {"attention." + name, title}, {}, {}, 12.5, 11};
  for (std::string& line : lines) box.add("attention." + name + ".shape", std::move(line));
  return box;
}

/// A line from which several boxes are fed.
inline void rail(Canvas& c, double y, const std::vector<double>& xs) {
  c.svg.path(svg_path("M{} {}H{}", xs.front(), y, xs.back()), "w");
}

/// What stands below the boxes of an inset; returns where it ends.
inline double footer(Canvas& c, double x, double y, const Fact& fact) {
  const TextStyle style{.size = 11.5, .classes = "s"};
  return c.say_lines(x + c.look.inset / 2, y, fact, c.look.inner(), style) + 2;
}

/// The stream that enters at the bottom, told apart for the boxes at `xs`; returns the height.
inline double entering_stream(Canvas& c, const std::vector<double>& xs, double cx, double y,
                              int64_t width) {
  c.svg.path(svg_path("M{} {}H{}M{} {}v8", xs.front(), y, xs.back(), cx, y), "w");
  c.say(cx + 8, y + 13, {"d_model", grouped(width)},
        {.size = 11, .classes = "s", .anchor = Anchor::start});
  return 32;
}

using Span = std::pair<double, double>;  // left and right of a box

/// Paints boxes from the top down and draws the arrows of some columns between them.
class Stack {
 public:
  Stack(Canvas& c, double y) : c_(c), y_(y) {}
  /// Arrows into the boxes above; `passing`: lines that only pass by.
  void arrows(const std::vector<double>& xs, const std::vector<double>& passing = {}) {
    for (const double x : xs) c_.svg.arrow(x, y_ + kGap, x, y_);
    for (const double x : passing) line(x, y_ + kGap, y_);
    y_ += kGap;
  }
  /// One row of boxes, past which lines at `passing` run; a line leads on to those that are lower
  /// than the row.
  void row(const std::vector<std::pair<Box, Span>>& boxes,
           const std::vector<double>& passing = {}) {
    std::vector<Box> fitted;
    double height = 0;
    for (const auto& [box, span] : boxes) {
      fitted.push_back(Canvas::fitted(box, span.second - span.first));
      height = std::max(height, Canvas::height(fitted.back()));
    }
    for (const double x : passing) line(x, y_ + height, y_);
    for (size_t i = 0; i < boxes.size(); ++i) {
      const Span& span = boxes[i].second;
      c_.paint(fitted[i], span.first, y_, span.second - span.first);
      if (const double end = Canvas::height(fitted[i]); end < height)
        line((span.first + span.second) / 2, y_ + height, y_ + end);
    }
    y_ += height;
  }
  double y() const { return y_; }

 private:
  static constexpr double kGap = 18;

  void line(double x, double from, double to) {
    c_.svg.path(svg_path("M{} {}V{}", x, from, to), "w");
  }

  Canvas& c_;
  double y_;
};

}  // namespace ashlar
