// Graphs as SVG: columns of nodes, the edges between them, and what crosses from pass to pass.
#include "readings/draw/draw_graph.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "figures/svg.h"
#include "readings/draw/graph_layout.h"

namespace ashlar {
namespace {

constexpr double kRow = 34, kBoxHeight = 25, kPad = 9, kLane = 9, kGutter = 120, kMargin = 20,
                 kHead = 44, kBetween = 46, kTitleSize = 11.5, kDetailSize = 10;

std::string_view tone_of(const GraphCell& c) {
  static const std::map<std::string_view, std::string_view> kTones = {
      {"attention", "full"}, {"ffn", "dense"},       {"experts", "experts"},
      {"router", "another"}, {"norm", "norm"},       {"shared_experts", "experts"},
      {"residual", "io"},    {"embedding", "other"}, {"positions", "other"},
      {"head", "latent"},    {"mtp", "chunk"}};
  const auto it = kTones.find(c.kind);
  return it == kTones.end() ? "io" : it->second;
}

std::string written(const GraphCell& c) {
  return c.gradient.empty() ? c.detail : c.detail + " = " + c.gradient;
}

double width_of(const GraphCell& c) {
  return std::max(150.0, 2 * kPad + text_width(c.title, kTitleSize, true) + 10 +
                             text_width(written(c), kDetailSize));
}

struct Column {
  double x = 0, width = 0;  // of the boxes
  int lanes = 0;            // for edges past other boxes
  bool right = false;       // lanes to the right of the boxes, not to the left
};

/// An edge within a column that goes past other boxes.
struct Detour {
  size_t from, to;
  int lane = 0;
};

class Picture {
 public:
  explicit Picture(const GraphLayout& layout) : layout_(layout) {
    for (const GraphBlock& b : layout.blocks) detours_.push_back(detours_of(b));
    double x = kMargin + kPad;
    for (const Pass pass : layout.passes) {
      Column& c = columns_[pass];
      c.right = pass == Pass::backward && layout.passes.size() > 1;
      for (size_t i = 0; i < layout.blocks.size(); ++i) {
        for (const GraphCell& cell : layout.blocks[i].cells) {
          if (cell.pass == pass) c.width = std::max(c.width, width_of(cell));
        }
        for (const Detour& d : detours_[i]) {
          if (layout.blocks[i].cells[d.to].pass == pass) c.lanes = std::max(c.lanes, d.lane + 1);
        }
      }
      const double lanes = kLane * (c.lanes + 1);
      c.x = x + (c.right ? 0 : lanes);
      x = c.x + c.width + (c.right ? lanes : 0) + kGutter;
    }
    width_ = x - kGutter + kPad + kMargin;
  }

  std::string document(bool standalone) {
    double y = 64;
    svg_.text(kMargin, 30, "The graph, node by node",
              {.size = 17, .bold = true, .anchor = Anchor::start});
    svg_.text(kMargin, 50, layout_.summary(),
              {.size = 12, .classes = "s", .anchor = Anchor::start});
    for (size_t i = 0; i < layout_.blocks.size(); ++i) {
      if (i > 0) between(layout_.blocks[i - 1], layout_.blocks[i], y);
      if (i > 0) y += kBetween;
      y = block(i, y);
    }
    return svg_document(width_, y + kMargin, "Graph",
                        "The nodes of a graph by layer, pass and order of execution", svg_.body(),
                        standalone);
  }

 private:
  double middle(Pass pass) const { return columns_.at(pass).x + columns_.at(pass).width / 2; }
  static bool has(const GraphBlock& b, Pass pass) {
    return std::any_of(b.cells.begin(), b.cells.end(),
                       [&](const GraphCell& c) { return c.pass == pass; });
  }
  void between(const GraphBlock& above, const GraphBlock& below, double y) {
    for (const Pass pass : {Pass::forward, Pass::backward}) {
      if (columns_.count(pass) == 0 || !has(above, pass) || !has(below, pass)) continue;
      const bool down = pass == Pass::forward;
      svg_.arrow(middle(pass), down ? y + 3 : y + kBetween - 3, middle(pass),
                 down ? y + kBetween - 3 : y + 3);
    }
  }

  static std::vector<Detour> detours_of(const GraphBlock& b) {
    std::vector<Detour> all;
    for (size_t to = 0; to < b.cells.size(); ++to) {
      for (const size_t from : b.cells[to].reads) {
        const GraphCell &a = b.cells[from], &c = b.cells[to];
        if (a.pass != c.pass) continue;
        const double low = std::min(a.row, c.row), high = std::max(a.row, c.row);
        const bool past = std::any_of(b.cells.begin(), b.cells.end(), [&](const GraphCell& other) {
          return other.pass == a.pass && other.row > low && other.row < high;
        });
        if (past) all.push_back({from, to});
      }
    }
    // The shortest nearest to the boxes; edges out of one node share a lane.
    const auto span = [&](const Detour& d) {
      return std::abs(b.cells[d.from].row - b.cells[d.to].row);
    };
    std::stable_sort(all.begin(), all.end(),
                     [&](const Detour& l, const Detour& r) { return span(l) < span(r); });
    for (size_t i = 0; i < all.size(); ++i) {
      const auto clash = [&](const Detour& o) {
        if (o.lane != all[i].lane || o.from == all[i].from ||
            b.cells[o.to].pass != b.cells[all[i].to].pass)
          return false;
        const auto ends = [&](const Detour& d) {
          return std::minmax(b.cells[d.from].row, b.cells[d.to].row);
        };
        const auto [a, z] = ends(o);
        const auto [begin, end] = ends(all[i]);
        return begin < z && a < end;
      };
      while (std::any_of(all.begin(), all.begin() + static_cast<int64_t>(i), clash)) ++all[i].lane;
    }
    return all;
  }

  double block(size_t index, double y) {
    const GraphBlock& b = layout_.blocks[index];
    const double height = kHead + b.rows * kRow + kPad;
    svg_.box(kMargin, y, width_ - 2 * kMargin, height, 10, "panel");
    svg_.text(kMargin + kPad, y + 19, layout_.title(b),
              {.size = 13, .bold = true, .anchor = Anchor::start});
    for (const Pass pass : layout_.passes) {
      if (layout_.passes.size() > 1 && has(b, pass))
        svg_.text(middle(pass), y + kHead - 8, enum_name(pass), {.size = 11, .classes = "s"});
    }
    top_ = y + kHead;
    crossings(b);
    std::set<std::pair<size_t, size_t>> past;
    for (const Detour& d : detours_[index]) {
      past.insert({d.from, d.to});
      detour(b, d);
    }
    for (size_t to = 0; to < b.cells.size(); ++to) {
      for (const size_t from : b.cells[to].reads) {
        if (b.cells[from].pass == b.cells[to].pass && past.count({from, to}) == 0)
          straight(b.cells[from], b.cells[to]);
      }
    }
    for (const GraphCell& c : b.cells) box(c);
    return y + height;
  }

  double centre(const GraphCell& c) const { return top_ + c.row * kRow + kRow / 2; }

  void box(const GraphCell& c) {
    const Column& column = columns_.at(c.pass);
    const double y = centre(c) - kBoxHeight / 2;
    svg_.begin_group("node", c.hover);
    svg_.box(column.x, y, column.width, kBoxHeight, c.port ? kBoxHeight / 2 : 6,
             c.port ? "slot" : tone_of(c));
    svg_.text(column.x + kPad, y + 16.5, c.title,
              {.size = kTitleSize, .bold = !c.port, .anchor = Anchor::start});
    svg_.text(column.x + column.width - kPad, y + 16.5, written(c),
              {.size = kDetailSize, .classes = "s", .anchor = Anchor::end});
    svg_.end_group();
  }

  void straight(const GraphCell& from, const GraphCell& to) {
    const double x = middle(to.pass), half = kBoxHeight / 2;
    const double down = to.row > from.row ? 1 : -1;
    svg_.arrow(x, centre(from) + down * half, x, centre(to) - down * half);
  }

  void detour(const GraphBlock& b, const Detour& d) {
    const GraphCell &from = b.cells[d.from], &to = b.cells[d.to];
    const Column& c = columns_.at(to.pass);
    const double edge = c.right ? c.x + c.width : c.x;
    const double lane = edge + (c.right ? 1 : -1) * kLane * (d.lane + 1.5);
    const double y1 = centre(from) + (to.row > from.row ? 4 : -4), y2 = centre(to);
    svg_.path(svg_path("M{} {}H{}V{}", edge, y1, lane, y2), "w");
    svg_.arrow(lane, y2, edge, y2);
  }

  /// Values of an earlier pass that a later one reads.
  void crossings(const GraphBlock& b) {
    for (const GraphCell& to : b.cells) {
      for (const size_t r : to.reads) {
        const GraphCell& from = b.cells[r];
        if (from.pass == to.pass) continue;
        const bool right = columns_.at(to.pass).x > columns_.at(from.pass).x;
        const Column &a = columns_.at(from.pass), &z = columns_.at(to.pass);
        const double x1 = right ? a.x + a.width : a.x, x2 = right ? z.x : z.x + z.width;
        const double bend = (x2 - x1) / 2;
        svg_.path(svg_path("M{} {}C{} {} {} {} {} {}", x1, centre(from), x1 + bend, centre(from),
                           x2 - bend, centre(to), x2, centre(to)),
                  fmt::format("{}-link", tone_of(from)));
        svg_.circle(x2, centre(to), 2.6, fmt::format("{}-solid", tone_of(from)));
      }
    }
  }

  const GraphLayout& layout_;
  std::map<Pass, Column> columns_;
  std::vector<std::vector<Detour>> detours_;
  double width_ = 0, top_ = 0;
  Svg svg_;
};

}  // namespace

std::string draw_graph(const Graph& graph, const DrawOptions& options) {
  const GraphLayout layout = layout_of(graph);
  switch (options.format) {
    case DrawFormat::svg:
      return Picture(layout).document(options.standalone);
    case DrawFormat::mermaid:
      return graph_mermaid(layout);
    case DrawFormat::text:
      return graph_text(layout, options.columns);
  }
  return {};
}

}  // namespace ashlar
