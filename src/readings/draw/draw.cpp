// The entry of drawing: formats, and what they share.
#include "readings/draw/draw.h"

#include <filesystem>

#include "base/error.h"
#include "figures/svg.h"
#include "readings/draw/figure.h"

namespace ashlar {

std::string draw(std::span<const Blueprint> blueprints, const DrawOptions& options) {
  if (blueprints.empty()) fail(ErrorKind::invalid, "draw: expected at least one blueprint");
  std::vector<Anatomy> models;
  for (const Blueprint& bp : blueprints) models.push_back(anatomy_of(bp));
  switch (options.format) {
    case DrawFormat::svg:
      return draw_svg(models, options.tall, options.standalone);
    case DrawFormat::mermaid:
      return draw_mermaid(models);
    case DrawFormat::text:
      return draw_text(models, options.columns);
  }
  return {};
}

DrawFormat draw_format_of(std::string_view file) {
  const std::string extension = std::filesystem::path(file).extension().string();
  if (extension == ".svg") return DrawFormat::svg;
  if (extension == ".mmd" || extension == ".mermaid") return DrawFormat::mermaid;
  if (extension == ".txt") return DrawFormat::text;
  fail(ErrorKind::invalid, "{}: expected a name that ends in .svg, .png, .pdf, .mmd or .txt", file);
}

std::string figure_style() { return svg_style(); }

}  // namespace ashlar
