// Figures as SVG: header, column of layers, insets, and lines from the parts to their insets.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "readings/draw/canvas.h"
#include "readings/draw/column.h"
#include "readings/draw/figure.h"

namespace ashlar {
namespace {

constexpr double kMargin = 24, kBetween = 46, kInsetGap = 16, kHeaderGap = 22;
constexpr double kExpertsMiddle = 150;  // from the top of their inset

struct Extent {
  double width = 0, height = 0;
};

struct Tile {
  std::string what;
  Fact value;
};

std::vector<Tile> tiles_of(const Anatomy& a) {
  const Blueprint& bp = a.blueprint;
  const Count::Parameters& p = a.count.parameters;
  const auto number = [](int64_t n) { return short_number(static_cast<double>(n)); };
  std::vector<Tile> tiles{{"parameters", {"parameters", number(p.total)}}};
  if (p.active != p.total) tiles.push_back({"active per token", {"active", number(p.active)}});
  if (p.active_without_embedding != p.active) {
    tiles.push_back({p.active != p.total ? "active without embedding" : "without embedding",
                     {"active.without_embedding", number(p.active_without_embedding)}});
  }
  tiles.push_back({"layers", {"layers.count", grouped(static_cast<int64_t>(a.layers()))}});
  tiles.push_back({"d_model", {"d_model", grouped(bp.embedding.width)}});
  tiles.push_back({"vocabulary", {"vocabulary", grouped(bp.embedding.vocab)}});
  if (bp.context > 0) tiles.push_back({"context", {"context", grouped(bp.context)}});
  tiles.push_back(
      {"state per token", {"state", grouped(a.count.state.elements_per_token) + " numbers"}});
  return tiles;
}

double header(Canvas& c, const Anatomy& a, double x, double y, double width) {
  const double size = fitting_size(a.name(), 22, true, width, 9);
  std::string name = a.name();
  while (text_room(name, size, true) > width && name.size() > 4) {
    name.resize(name.size() - 4);
    while (!name.empty() && (static_cast<unsigned char>(name.back()) & 0xC0) == 0x80)
      name.pop_back();
    name += "...";
  }
  c.svg.text(x, y + 20, name, {.size = size, .bold = true, .anchor = Anchor::start});
  double at = x, top = y + 32;
  if (const std::string card = card_words(a); !card.empty())
    top = c.say_lines(x, y + 39, {"", card}, width,
                      {.size = 11.5, .classes = "s", .anchor = Anchor::start}) +
          9;
  for (const Tile& t : tiles_of(a)) {
    const double w = std::max(text_room(t.what, 11), text_room(t.value.text, 14, true));
    if (at > x && at + w > x + width) {
      at = x;
      top += 40;
    }
    c.svg.text(at, top + 12, t.what, {.size = 11, .classes = "s", .anchor = Anchor::start});
    c.say(at, top + 29, t.value, {.size = 14, .bold = true, .anchor = Anchor::start});
    at += w + 18;
  }
  return top + 36 - y;
}

Extent column_extent(const Anatomy& a, const Look& look) {
  Marks marks(1);
  Canvas canvas(marks, 0, true, look);
  const Placed p = paint_column(canvas, a, 0, 0);
  return {p.width, p.height};
}

double inset_height(const Anatomy& a, const Inset& inset, const Look& look) {
  Marks marks(1);
  Canvas canvas(marks, 0, true, look);
  return paint_inset(canvas, a, inset, 0, 0);
}

/// From a part's card to its inset, dotted in the part's colour.
void link(Canvas& c, const std::string& tone, double x1, double y1, double x2, double y2) {
  const double middle = (x1 + x2) / 2;
  c.svg.path(svg_path("M{} {}C{} {} {} {} {} {}", x1, y1, middle, y1, middle, y2, x2, y2),
             tone + "-link");
}

/// Insets below each other, as one column of a figure.
struct InsetColumn {
  std::vector<std::pair<Inset, double>> insets;  // and their heights
  double height = -kInsetGap;
};

/// Where a mixture has experts, their inside and what else is further from the stream stands in a
/// second column.
std::vector<InsetColumn> inset_columns(const Anatomy& a, const Look& look) {
  const std::vector<Inset> insets = insets_of(a);
  const bool experts = std::any_of(insets.begin(), insets.end(),
                                   [](const Inset& i) { return i.what == Inset::What::experts; });
  std::vector<InsetColumn> columns(experts ? 2 : 1);
  for (const Inset& i : insets) {
    const bool far = i.what == Inset::What::dense || i.what == Inset::What::mtp;
    InsetColumn& column = columns[far ? columns.size() - 1 : 0];
    column.insets.emplace_back(i, inset_height(a, i, look));
    column.height += column.insets.back().second + kInsetGap;
  }
  return columns;
}

/// `head`: the height of the highest header of those side by side so far, so that their layers
/// begin together.
Extent tall_figure(Canvas& c, const Anatomy& a, double x, double y, double& head) {
  const Extent column = column_extent(a, c.look);
  const double width = std::max(column.width, c.look.inset);
  head = std::max(head, header(c, a, x, y, width));
  double at = y + head + kHeaderGap;
  paint_column(c, a, x + (width - column.width) / 2, at);
  at += column.height + kHeaderGap;
  for (const Inset& inset : insets_of(a))
    at += paint_inset(c, a, inset, x + (width - c.look.inset) / 2, at) + kInsetGap;
  return {width, at - kInsetGap - y};
}

Extent wide_figure(Canvas& c, const Anatomy& a, double x, double y) {
  const Extent column = column_extent(a, c.look);
  const std::vector<InsetColumn> columns = inset_columns(a, c.look);
  double body = column.height,
         width = column.width + static_cast<double>(columns.size()) * (kBetween + c.look.inset);
  for (const InsetColumn& i : columns) body = std::max(body, i.height);
  const double head = header(c, a, x, y, width) + kHeaderGap;
  const Placed p = paint_column(c, a, x, y + head + (body - column.height) / 2);
  double ix = x + column.width + kBetween, experts_y = 0;
  for (size_t k = 0; k < columns.size(); ++k) {
    double at = y + head + (body - columns[k].height) / 2;
    for (const auto& [inset, height] : columns[k].insets) {
      const double iy = at + std::min(height / 2, 60.0);
      for (const size_t v : inset.variants) {
        const std::string& tone = inset.of_mixer() ? a.mixers[v].tone : a.ffns[v].tone;
        if (k == 0) {
          link(c, tone, p.card_right, inset.of_mixer() ? p.mixer_y[v] : p.ffn_y[v], ix, iy);
        } else if (std::holds_alternative<ExpertFfnPart>(a.ffns[v].part)) {
          link(c, tone, ix - kBetween, experts_y, ix, iy);
        }
      }
      if (inset.what == Inset::What::experts) experts_y = at + kExpertsMiddle;
      at += paint_inset(c, a, inset, ix, at) + kInsetGap;
    }
    ix += c.look.inset + kBetween;
  }
  return {width, head + body};
}

std::string description(const Anatomy& a) {
  std::vector<std::string> parts{fmt::format("{}: {}, d_model {}", a.name(),
                                             plural(static_cast<int64_t>(a.layers()), "layer"),
                                             grouped(a.blueprint.embedding.width))};
  for (const MixerVariant& v : a.mixers)
    parts.push_back(mixer_name(v.part) + ", " + reach_words(v.part) + " (" +
                    layer_words(v.layers, a.layers()) + ")");
  for (const FfnVariant& v : a.ffns)
    parts.push_back(ffn_name(v.part) + " (" + layer_words(v.layers, a.layers()) + ")");
  return join(parts, "; ");
}

}  // namespace

std::string draw_svg_of(const std::vector<Anatomy>& models, size_t index) {
  Marks marks(models.size());
  double head = 0;
  for (size_t m = 0; m < models.size(); ++m) {
    Canvas canvas(marks, m, true);
    tall_figure(canvas, models[m], 0, 0, head);
  }
  Canvas canvas(marks, index, false);
  head = 0;
  const Extent e = tall_figure(canvas, models[index], kMargin, kMargin, head);
  return svg_document(e.width + 2 * kMargin, e.height + 2 * kMargin, models[index].name(),
                      description(models[index]), canvas.svg.body(), false);
}

std::string draw_svg(const std::vector<Anatomy>& models, bool tall, bool standalone) {
  // Several stand beside each other with their details below them: from four on each as narrow as
  // can be read, so that a laptop shows them.
  const bool several = models.size() > 1, many = models.size() > 3;
  const Look look = many ? kNarrowLook : Look{};
  const double between = many ? 28 : 48;
  Marks marks(models.size());
  Svg body;
  double width = 0, height = 0, head = 0;
  for (const bool collect : {true, false}) {
    double x = kMargin;
    height = 0;
    for (size_t m = 0; m < models.size(); ++m) {
      Canvas canvas(marks, m, collect, look);
      const Extent e = tall || several ? tall_figure(canvas, models[m], x, kMargin, head)
                                       : wide_figure(canvas, models[m], x, kMargin);
      if (!collect) body.append(canvas.svg);
      x += e.width + (m + 1 < models.size() ? between : 0);
      height = std::max(height, e.height);
    }
    width = x + kMargin;
  }
  height += 2 * kMargin;
  if (several) {
    body.box(kMargin, height - 12, 26, 15, 3, "mark");
    body.text(kMargin + 34, height, "is not the same in all of them",
              {.size = 12, .classes = "s", .anchor = Anchor::start});
    height += 22;
  }
  std::vector<std::string> names, words;
  for (const Anatomy& a : models) {
    names.push_back(a.name());
    words.push_back(description(a));
  }
  return svg_document(width, height, join(names, ", "), join(words, ". "), body.body(), standalone);
}

}  // namespace ashlar
