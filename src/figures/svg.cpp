// SVG elements.
#include "figures/svg.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace ashlar {

std::string with_entities(std::string_view text,
                          std::span<const std::pair<char, std::string_view>> entities) {
  std::string out;
  for (const char c : text) {
    const auto it = std::find_if(entities.begin(), entities.end(),
                                 [&](const auto& entity) { return entity.first == c; });
    if (it != entities.end())
      out += it->second;
    else
      out += static_cast<unsigned char>(c) < 32 ? ' ' : c;
  }
  return out;
}

std::string xml_escaped(std::string_view text) {
  static constexpr std::pair<char, std::string_view> kEntities[] = {
      {'&', "&amp;"},  {'<', "&lt;"},   {'>', "&gt;"},
      {'"', "&quot;"}, {'\'', "&#39;"}, {'\x7f', " "}};
  return with_entities(text, kEntities);
}

std::string svg_number(double value) {
  std::string text = fmt::format("{:.2f}", value);
  text.erase(text.find_last_not_of('0') + 1);
  if (text.ends_with('.')) text.pop_back();
  return text == "-0" ? "0" : text;
}

void Svg::text(double x, double y, std::string_view text, const TextStyle& style) {
  if (text.empty()) return;
  std::string attributes;
  if (style.bold) attributes += " font-weight=\"700\"";
  if (style.anchor != Anchor::start)
    attributes += style.anchor == Anchor::end ? " text-anchor=\"end\"" : " text-anchor=\"middle\"";
  fmt::format_to(std::back_inserter(body_),
                 "<text class=\"{}\" x=\"{}\" y=\"{}\" font-size=\"{}\"{} textLength=\"{}\" "
                 "lengthAdjust=\"spacingAndGlyphs\">{}</text>\n",
                 style.classes, svg_number(x), svg_number(y), svg_number(style.size), attributes,
                 svg_number(text_width(text, style.size, style.bold)), xml_escaped(text));
}

void Svg::box(double x, double y, double width, double height, double radius,
              std::string_view classes) {
  fmt::format_to(std::back_inserter(body_),
                 "<rect class=\"{}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{}\"/>\n",
                 classes, svg_number(x), svg_number(y), svg_number(width), svg_number(height),
                 svg_number(radius));
}

void Svg::circle(double x, double y, double radius, std::string_view classes) {
  fmt::format_to(std::back_inserter(body_), "<circle class=\"{}\" cx=\"{}\" cy=\"{}\" r=\"{}\"/>\n",
                 classes, svg_number(x), svg_number(y), svg_number(radius));
}

void Svg::path(std::string_view d, std::string_view classes) {
  fmt::format_to(std::back_inserter(body_), "<path class=\"{}\" d=\"{}\"/>\n", classes, d);
}

void Svg::arrow(double x1, double y1, double x2, double y2) {
  const double dx = x2 - x1, dy = y2 - y1, length = std::max(std::hypot(dx, dy), 1e-9);
  const double ux = dx / length, uy = dy / length, head = std::min(7.0, length), half = 3.6;
  const double bx = x2 - ux * head, by = y2 - uy * head;
  path(svg_path("M{} {}L{} {}", x1, y1, bx, by), "w");
  path(svg_path("M{} {}L{} {}L{} {}Z", x2, y2, bx - uy * half, by + ux * half, bx + uy * half,
                by - ux * half),
       "wh");
}

void Svg::begin_group(std::string_view classes, std::string_view title) {
  fmt::format_to(std::back_inserter(body_), "<g class=\"{}\">\n", classes);
  if (!title.empty())
    fmt::format_to(std::back_inserter(body_), "<title>{}</title>\n", xml_escaped(title));
}

void Svg::end_group() { body_ += "</g>\n"; }

std::string svg_document(double width, double height, std::string_view title,
                         std::string_view description, const std::string& body, bool standalone) {
  const std::string w = svg_number(std::ceil(width)), h = svg_number(std::ceil(height));
  std::string out;
  if (standalone) out += "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
  fmt::format_to(std::back_inserter(out),
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ashlar\" width=\"{}\" "
                 "height=\"{}\" viewBox=\"0 0 {} {}\" role=\"img\" font-family=\"Helvetica, Arial, "
                 "'Liberation Sans', sans-serif\">\n<title>{}</title>\n",
                 w, h, w, h, xml_escaped(title));
  if (!description.empty())
    fmt::format_to(std::back_inserter(out), "<desc>{}</desc>\n", xml_escaped(description));
  if (standalone) {
    out += "<style>\n" + svg_style() + "</style>\n";
    fmt::format_to(std::back_inserter(out),
                   "<rect class=\"page\" x=\"0\" y=\"0\" width=\"{}\" height=\"{}\"/>\n", w, h);
  }
  return out + body + "</svg>\n";
}

}  // namespace ashlar
