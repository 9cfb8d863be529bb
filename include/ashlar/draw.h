// Draw: the architecture of a blueprint as a diagram, for a browser, for Mermaid, for a terminal.
//
//   const ashlar::Blueprint bp = ashlar::Blueprint::load("gemma-3-27b");
//   std::string svg = ashlar::draw(bp);
//
// Everything is read off the blueprint: which parts there are, which layers have which (equal
// layers are drawn once), where the norms stand relative to the residual stream, and every number.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "ashlar/blueprint.h"

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

namespace ASHLAR_V1 {

/// One model as SVG, Mermaid or text. Throws Error(invalid). Any number of threads may draw at a
/// time.
std::string draw(const Blueprint& blueprint, const DrawOptions& options = {});
/// Several side by side: what is not the same in all of them is marked. Throws Error(invalid) for
/// an empty list.
std::string draw(std::span<const Blueprint> blueprints, const DrawOptions& options = {});

/// Which nodes draw_graph() shows.
enum class DrawnGraph {
  forward,
  training,    // a step of training: forward pass, backward pass, and what is kept for it
  recomputed,  // the same with each layer computed again from its input
};
/// The nodes of the graph, layers that are alike once; `options.tall` does not count. `mtp`: with
/// the layer for multi-token prediction, of which a step of training takes the loss. Throws
/// Error(invalid) for `mtp` of a model without such a layer.
std::string draw_graph(const Blueprint& blueprint, DrawnGraph graph = DrawnGraph::forward,
                       const DrawOptions& options = {}, bool mtp = false);

}  // namespace ASHLAR_V1
