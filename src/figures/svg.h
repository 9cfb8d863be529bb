// SVG as text: measured labels, boxes and lines, and one style sheet for light and dark.
#pragma once

#include <fmt/format.h>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ashlar {

/// Width in pixels of UTF-8 text in a Helvetica-like font of `size` pixels. Every label is written
/// with this width as its textLength, so it is this wide in any font.
double text_width(std::string_view text, double size, bool bold = false);

/// The most that the same text takes in any of the usual fonts: what boxes have room for, as not
/// every program that shows SVG heeds textLength.
double text_room(std::string_view text, double size, bool bold = false);

/// The text in lines that each fit into `room` pixels, broken after commas where that is enough,
/// else between words; a word that is longer stands alone.
std::vector<std::string> text_lines(std::string_view text, double size, bool bold, double room);

/// Text with entities for some of its characters; control characters become spaces.
std::string with_entities(std::string_view text,
                          std::span<const std::pair<char, std::string_view>> entities);

/// Text as content or attribute of XML; control characters, which XML cannot hold, become spaces.
std::string xml_escaped(std::string_view text);

/// A number with at most two decimals: "12", "3.5".
std::string svg_number(double value);

/// The data of a path: `format` with such numbers in place of its {}.
template <class... Numbers>
std::string svg_path(std::string_view format, Numbers... numbers) {
  return fmt::format(fmt::runtime(format), svg_number(numbers)...);
}

enum class Anchor { start, middle, end };

struct TextStyle {
  double size = 12;
  bool bold = false;
  std::string_view classes = "t";  // t: text, s: less important, and tones
  Anchor anchor = Anchor::middle;
};

/// Shapes in the order in which they are painted. Coordinates are pixels, y grows downwards.
class Svg {
 public:
  /// `y` is the baseline.
  void text(double x, double y, std::string_view text, const TextStyle& style = {});
  void box(double x, double y, double width, double height, double radius,
           std::string_view classes);
  void circle(double x, double y, double radius, std::string_view classes);
  void path(std::string_view d, std::string_view classes);
  /// From (x1, y1) to (x2, y2), with a head at the end.
  void arrow(double x1, double y1, double x2, double y2);
  /// Shapes up to end_group belong together; `title` is what a browser shows on hovering.
  void begin_group(std::string_view classes, std::string_view title = {});
  void end_group();
  void append(const Svg& other) { body_ += other.body_; }
  const std::string& body() const { return body_; }

 private:
  std::string body_;
};

/// A whole <svg> element. `standalone`: with XML's first line, background and style sheet;
/// otherwise for a page that has svg_style() once.
std::string svg_document(double width, double height, std::string_view title,
                         std::string_view description, const std::string& body, bool standalone);

/// The style sheet of all drawings and plots, light and, where the reader prefers it, dark.
std::string svg_style();

/// Colours of the n-th series of a plot: classes s0, s1, ... of that many kinds.
inline constexpr int kSeriesColours = 10;

}  // namespace ashlar
