// Draw: the architecture of a blueprint as a diagram, for a browser, for Mermaid, for a terminal.
//
//   const ashlar::Blueprint bp = ashlar::load_blueprint("gemma-3-27b");
//   std::string svg = ashlar::draw({&bp, 1});
//
// Everything is read off the blueprint: which parts there are, which layers have which (equal
// layers are drawn once), where the norms stand relative to the residual stream, and every number.
#pragma once

#include <string>
#include <string_view>

namespace ashlar {

enum class DrawFormat { svg, mermaid, text };

struct DrawOptions {
  DrawFormat format = DrawFormat::svg;
  /// SVG: details below the layers instead of beside them, for narrow pages.
  bool tall = false;
  /// SVG: with background and style sheet; without, the page has figure_style() once.
  bool standalone = true;
  /// Text: most columns of a line; several models that do not fit stand below each other.
  int columns = 100;
};

/// By the extension of a file's name: .svg, .mmd or .mermaid, .txt. Throws Error(invalid)
/// otherwise.
DrawFormat draw_format_of(std::string_view file);

/// The style sheet of figures and plots, for a page that holds several.
std::string figure_style();

}  // namespace ashlar
