// Graphs as text for a terminal, and as Mermaid flowcharts.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "readings/draw/figure.h"
#include "readings/draw/graph_layout.h"

namespace ashlar {
namespace {

/// Whether another pass reads the cell.
bool crosses(const GraphBlock& b, size_t cell) {
  return std::any_of(b.cells.begin(), b.cells.end(), [&](const GraphCell& c) {
    return c.pass != b.cells[cell].pass &&
           std::find(c.reads.begin(), c.reads.end(), cell) != c.reads.end();
  });
}

std::string fitted(std::string text, size_t width) {
  if (text.size() > width) text = text.substr(0, width - 1) + "~";
  return text + std::string(width - text.size(), ' ');
}

}  // namespace

std::string graph_text(const GraphLayout& layout, int columns) {
  const size_t passes = layout.passes.size();
  const size_t width = std::max<size_t>(20, static_cast<size_t>(columns) / passes - 2);
  std::string out = layout.summary() + "\n";
  if (passes > 1) out += "down: forward, up: backward; * is kept for a later pass\n";
  for (const GraphBlock& b : layout.blocks) {
    out += fmt::format("\n== {}\n", layout.title(b));
    std::string head;
    for (const Pass pass : layout.passes) head += fitted(enum_name(pass), width) + "  ";
    if (passes > 1) out += head.substr(0, head.find_last_not_of(' ') + 1) + "\n";
    // Half rows, which stand for what is centred beside two, go to the row above.
    std::map<std::pair<int, Pass>, std::string> grid;
    for (size_t i = 0; i < b.cells.size(); ++i) {
      const GraphCell& c = b.cells[i];
      std::string text = (c.port ? "(" + c.title + ")" : c.title);
      if (crosses(b, i)) text += " *";
      text += " " + c.detail;
      if (!c.gradient.empty()) text = fmt::format("{} = {}", c.title, c.gradient);
      grid[{static_cast<int>(std::floor(c.row)), c.pass}] = text;
    }
    for (int row = 0; row < static_cast<int>(b.rows); ++row) {
      std::string line;
      for (const Pass pass : layout.passes) {
        const auto it = grid.find({row, pass});
        line += fitted(it == grid.end() ? "" : it->second, width) + "  ";
      }
      out += line.substr(0, line.find_last_not_of(' ') + 1) + "\n";
    }
  }
  return out;
}

std::string graph_mermaid(const GraphLayout& layout) {
  std::string out = "flowchart TB\n";
  for (size_t i = 0; i < layout.blocks.size(); ++i) {
    const GraphBlock& b = layout.blocks[i];
    out += fmt::format("  subgraph b{}[{}]\n", i, mermaid_label({layout.title(b)}));
    for (const Pass pass : layout.passes) {
      out += fmt::format("  subgraph b{}{}[{}]\n", i, enum_name(pass),
                         mermaid_label({enum_name(pass)}));
      for (size_t k = 0; k < b.cells.size(); ++k) {
        const GraphCell& c = b.cells[k];
        if (c.pass != pass) continue;
        std::vector<std::string> lines{c.title, c.detail};
        if (!c.gradient.empty()) lines.push_back(c.gradient);
        out += fmt::format("  b{}n{}{}{}{}\n", i, k, c.port ? "([" : "[", mermaid_label(lines),
                           c.port ? "])" : "]");
      }
      out += "  end\n";
    }
    out += "  end\n";
    for (size_t k = 0; k < b.cells.size(); ++k) {
      for (const size_t r : b.cells[k].reads)
        out += fmt::format("  b{}n{} {} b{}n{}\n", i, r,
                           b.cells[r].pass == b.cells[k].pass ? "-->" : "-.->", i, k);
    }
  }
  // From block to block: the passes follow each other there.
  for (size_t i = 1; i < layout.blocks.size(); ++i) {
    for (const Pass pass : layout.passes) {
      if (pass == Pass::forward)
        out += fmt::format("  b{}{} --> b{}{}\n", i - 1, enum_name(pass), i, enum_name(pass));
      if (pass == Pass::backward)
        out += fmt::format("  b{}{} --> b{}{}\n", i, enum_name(pass), i - 1, enum_name(pass));
    }
  }
  return out;
}

}  // namespace ashlar
