// The column of a figure: from the tokens at the bottom along the residual stream to the head.
#include "readings/draw/column.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "base/units.h"
#include "blueprint/wiring.h"

namespace ashlar {
namespace {

constexpr double kGap = 22;   // between two parts: an arrow
constexpr double kPlus = 11;  // radius of (+)
constexpr double kNormHeight = 27;
constexpr double kBetween = 34;  // between parts that stand side by side: two lines
constexpr double kPanelTop = 34, kPanelBottom = 20;

std::string arc(double x1, double y1, double x2, double y2) {
  // From (x1, y1) right to x2, up to y2 and back left to x1: the residual's way round a part.
  constexpr double r = 9;
  return svg_path("M{} {}H{}Q{} {} {} {}V{}Q{} {} {} {}", x1, y1, x2 - r, x2, y1, x2, y1 - r,
                  y2 + r, x2, y2, x2 - r, y2);
}

/// A part in a slot: the card of each variant, with the layers that have it.
struct Slot {
  bool mixer = false;
  std::vector<size_t> variants;
  std::vector<Box> cards;  // bottom first
  double height = 0;
};

class Column {
 public:
  Column(Canvas& canvas, const Anatomy& anatomy) : c_(canvas), a_(anatomy) {
    for (const Panel& p : a_.panels)
      slots_.push_back({slot_of(true, p.mixers), slot_of(false, p.ffns)});
    strip_ = a_.mixers.size() > 1 || a_.ffns.size() > 1 || a_.panels.size() > 1;
    const double strip_columns = (a_.mixers.size() > 1 ? 1 : 0) + (a_.ffns.size() > 1 ? 1 : 0);
    strip_width_ = strip_ ? look().strip_label + strip_columns * (look().strip_cell + 3) : 0;
    double width = 210;
    for (const auto& pair : slots_) {
      for (const Slot& s : pair) {
        for (const Box& b : s.cards) width = std::max(width, Canvas::width(b));
      }
    }
    const double most =
        look().column - strip_width_ - look().strip_gap - 2 * (look().residual + look().margin);
    card_width_ = std::min(width + slot_pad() * 2, most);
    for (auto& pair : slots_) {
      for (Slot& s : pair) fit(s);
    }
  }

  Placed paint(double x, double y) {
    panel_x_ = x + strip_width_ + look().strip_gap;
    panel_width_ = card_width_ + 2 * (look().residual + look().margin);
    cx_ = panel_x_ + panel_width_ / 2;
    placed_.mixer_y.assign(a_.mixers.size(), 0);
    placed_.ffn_y.assign(a_.ffns.size(), 0);
    placed_.right = panel_x_ + panel_width_;
    placed_.card_right = cx_ + card_width_ / 2;
    y_ = y;
    top_parts();
    const double panels_top = y_;
    for (size_t p = a_.panels.size(); p-- > 0;) panel(p);
    if (strip_) strip(x + 12, panels_top, y_ - kGap);
    bottom_parts(x);
    placed_.width = placed_.right - x;
    placed_.height = y_ - y;
    return placed_;
  }

 private:
  const Look& look() const { return c_.look; }
  double slot_pad() const { return a_.mixers.size() > 1 || a_.ffns.size() > 1 ? 8 : 0; }

  /// Breaks the lines of a slot's cards to the width that they get.
  void fit(Slot& slot) {
    slot.height = 0;
    const bool several = slot.variants.size() > 1;
    for (Box& box : slot.cards) {
      box = Canvas::fitted(std::move(box), card_width_ - (several ? 2 * slot_pad() : 0));
      slot.height += Canvas::height(box);
    }
    if (several) slot.height += 2 * slot_pad() + 19 * static_cast<double>(slot.cards.size() - 1);
  }

  Slot slot_of(bool mixer, const std::vector<size_t>& variants) {
    Slot slot{mixer, variants, {}, 0};
    for (const size_t v : variants) {
      const PartWords w = words_of_part(a_, mixer, v);
      Box box{w.tone,
              {mixer ? "attention.name" : "ffn.name", w.name},
              labels(w.facts),
              w.name + ": " + w.layers};
      if (w.several)
        box.lines.insert(box.lines.begin(), Label{{"layers." + w.tone, w.layers}, w.tone});
      slot.cards.push_back(std::move(box));
    }
    return slot;
  }

  void up_arrow(double from, double to) { c_.svg.arrow(cx_, from, cx_, to); }

  /// A box in the middle of the stream, at y_; moves y_ below it. Returns its left edge.
  double stream_box(Box box) {
    const double w = std::min(std::max(Canvas::width(box), 190.0), panel_width_);
    box = Canvas::fitted(std::move(box), w);
    c_.paint(box, cx_ - w / 2, y_, w);
    y_ += Canvas::height(box);
    return cx_ - w / 2;
  }

  void gap() {
    up_arrow(y_ + kGap, y_);
    y_ += kGap;
  }

  void top_parts() {
    const Blueprint& bp = a_.blueprint;
    c_.svg.text(cx_, y_ + 12, "next token", {.size = 12, .classes = "s"});
    y_ += 18;
    gap();
    head_top_ = y_;
    head_left_ = stream_box({"io",
                             {"head.name", "Output head"},
                             labels(head_facts(bp)),
                             "logits of every token of the vocabulary"});
    gap();
    if (bp.final_norm) {
      norm("final_norm", "Final " + norm_name(*bp.final_norm));
      gap();
    }
  }

  void norm(const std::string& key, const std::string& text) {
    const double size = fitting_size(text, 12, false, card_width_ - 20, 9),
                 w = std::max(text_room(text, size) + 20, 130.0);
    const Fact fact{key, text};
    const bool mark = c_.marked(fact);
    c_.svg.box(cx_ - w / 2, y_, w, kNormHeight, kNormHeight / 2, mark ? "norm marked" : "norm");
    c_.svg.text(cx_, y_ + kNormHeight / 2 + 4.2, text, {.size = size});
    y_ += kNormHeight;
  }

  void plus() {
    c_.svg.circle(cx_, y_ + kPlus, kPlus, "plus");
    const double y = y_ + kPlus;
    c_.svg.path(svg_path("M{} {}H{}M{} {}V{}", cx_ - 5, y, cx_ + 5, cx_, y - 5, y + 5), "w");
    y_ += 2 * kPlus;
  }

  /// Mixer or feed-forward with its norms, top to bottom.
  void sublayer(const Wiring& wiring, const Slot& slot) {
    const std::string name = slot.mixer ? "attention" : "ffn";
    const std::string norm_text = norm_name(norm_of(wiring));
    const NormPlaces norms = form_of(wiring).norms;
    if (norms.on_stream) {
      norm("norm." + name + ".on_stream", norm_text);
      gap();
    }
    const double plus_y = y_ + kPlus;
    plus();
    if (const std::string scale = residual_words(wiring); !scale.empty())
      c_.svg.text(cx_ + kPlus + 8, plus_y + kPlus + 4, scale,
                  {.size = 11, .classes = "s", .anchor = Anchor::start});
    gap();
    if (norms.after) {
      norm("norm." + name + ".after", norm_text);
      gap();
    }
    slot_cards(slot);
    gap();
    if (norms.before) {
      norm("norm." + name + ".before", norm_text);
      gap();
    }
    residual(plus_y);
  }

  /// The stream's way round what stands between y_, where it branches off (the arrow into the part
  /// began here), and the addition at `plus_y`.
  void residual(double plus_y) {
    const double xr = cx_ + card_width_ / 2 + look().residual;
    c_.svg.path(arc(cx_, y_, xr, plus_y), "w");
    c_.svg.arrow(xr - 9, plus_y, cx_ + kPlus, plus_y);
    c_.svg.circle(cx_, y_, 2.6, "wh");
    y_ += 6;
  }

  /// Mixer and feed-forward side by side: one norm feeds both, what they return is added together.
  /// The feed-forward stands above; a line on the right leads the norm past the mixer to it, one on
  /// the left leads what the mixer returns past the feed-forward to the sum.
  void side_by_side(const Wiring& wiring, const Slot& mixer, const Slot& ffn) {
    const double inner = cx_ + card_width_ / 2 + look().residual / 2,
                 outer = cx_ - card_width_ / 2 - look().residual / 2;
    const double plus_y = y_ + kPlus;
    plus();
    gap();
    slot_cards(ffn);
    const double feed = y_ + kBetween * 0.4, leave = y_ + kBetween * 0.7;
    c_.svg.arrow(cx_, feed, cx_, y_);
    y_ += kBetween;
    c_.svg.path(svg_path("M{} {}V{}H{}V{}H{}", cx_, y_, leave, outer, plus_y, cx_ - kPlus - 9),
                "w");
    c_.svg.arrow(cx_ - kPlus - 9, plus_y, cx_ - kPlus, plus_y);
    slot_cards(mixer);
    const double split = y_ + kGap * 0.7;
    c_.svg.path(svg_path("M{} {}H{}V{}H{}", cx_, split, inner, feed, cx_), "w");
    c_.svg.circle(cx_, split, 2.6, "wh");
    gap();
    norm("norm.block.before", norm_name(norm_of(wiring)));
    gap();
    residual(plus_y);
  }

  void slot_cards(const Slot& slot) {
    const double left = cx_ - card_width_ / 2, pad = slot_pad();
    if (slot.variants.size() > 1) {
      c_.svg.box(left, y_, card_width_, slot.height, kBoxRadius + 3, "slot");
      y_ += pad;
    }
    for (size_t i = slot.cards.size(); i-- > 0;) {
      const double inner = slot.variants.size() > 1 ? pad : 0;
      const Box& box = slot.cards[i];
      c_.paint(box, left + inner, y_, card_width_ - 2 * inner);
      const double middle = y_ + Canvas::height(box) / 2;
      (slot.mixer ? placed_.mixer_y : placed_.ffn_y)[slot.variants[i]] = middle;
      y_ += Canvas::height(box);
      if (i > 0) {
        c_.svg.text(cx_, y_ + 13.5, "or, by layer,", {.size = 11, .classes = "s"});
        y_ += 19;
      }
    }
    if (slot.variants.size() > 1) y_ += pad;
  }

  void panel(size_t index) {
    const Panel& p = a_.panels[index];
    const Slot &mixer = slots_[index][0], &ffn = slots_[index][1];
    // The panel stands behind its content, whose height is known only when it is painted.
    Svg above = std::exchange(c_.svg, Svg());
    const double top = y_;
    up_arrow(y_ + kPanelTop, y_ - 2);
    y_ += kPanelTop;
    if (form_of(p.wiring).norms.parallel) {
      side_by_side(p.wiring, mixer, ffn);
    } else {
      sublayer(p.wiring, ffn);
      c_.svg.path(svg_path("M{} {}V{}", cx_, y_ - 6, y_ + 8), "w");
      y_ += 8;
      sublayer(p.wiring, mixer);
    }
    c_.svg.path(svg_path("M{} {}V{}", cx_, y_ - 6, y_ + kPanelBottom), "w");
    y_ += kPanelBottom;
    const Svg content = std::exchange(c_.svg, std::move(above));
    c_.svg.begin_group("layers", wiring_formula(p.wiring));
    c_.svg.box(panel_x_, top, panel_width_, y_ - top, 14, "panel");
    const std::string times = fmt::format("{} ×", grouped(static_cast<int64_t>(p.layers.size())));
    c_.say(panel_x_ + 14, top + 27, {"layers", times},
           {.size = 19, .bold = true, .anchor = Anchor::start});
    if (a_.panels.size() > 1) {
      c_.say(panel_x_ + 14, y_ - 10, {"layers.panel", layer_words(p.layers, a_.layers())},
             {.size = 11, .classes = "s", .anchor = Anchor::start});
    }
    c_.svg.append(content);
    c_.svg.end_group();
    gap();
  }

  /// One cell per layer, the first at the bottom, coloured like the cards.
  void strip(double x, double top, double bottom) {
    const auto layers = static_cast<double>(a_.layers());
    const double height = bottom - top - 30, cell = height / layers;
    const double inset = cell > 5 ? 1 : cell > 2.5 ? 0.5 : 0;
    double column = x + 22;
    const auto paint_column_of = [&](bool mixer) {
      c_.svg.text(column + look().strip_cell / 2, top + 9, mixer ? "att" : "ffn",
                  {.size = 9.5, .classes = "s"});
      std::map<std::string, std::string> cells;  // one path per tone
      for (size_t i = 0; i < a_.layers(); ++i) {
        const std::string& tone =
            mixer ? a_.mixers[a_.mixer_of[i]].tone : a_.ffns[a_.ffn_of[i]].tone;
        const double y = top + 15 + height - cell * static_cast<double>(i + 1) + inset / 2;
        cells[tone] += svg_path("M{} {}h{}v{}h{}z", column, y, look().strip_cell, cell - inset,
                                -look().strip_cell);
      }
      for (const auto& [tone, path] : cells) c_.svg.path(path, tone + "-solid");
      column += look().strip_cell + 3;
    };
    c_.svg.begin_group("strip", "which layer has which part");
    if (a_.mixers.size() > 1) paint_column_of(true);
    if (a_.ffns.size() > 1) paint_column_of(false);
    const TextStyle number{.size = 10, .classes = "s", .anchor = Anchor::end};
    c_.svg.text(x + 18, top + 24, std::to_string(a_.layers() - 1), number);
    c_.svg.text(x + 18, top + 15 + height - 1, "0", number);
    c_.svg.text(x + 18, bottom - 2, "layer", number);
    c_.svg.end_group();
  }

  void bottom_parts(double x) {
    const Embedding& e = a_.blueprint.embedding;
    if (a_.absolute) {
      const double py = y_ + kPlus, px = cx_ + kPlus + 20;
      Box box{"io", {}, labels({{"positions", position_words(e)}}), "added to the embedding"};
      const double w =
          std::min(Canvas::width(box), std::max(placed_.right - px, 0.5 * look().column - 40));
      box = Canvas::fitted(std::move(box), w);
      plus();
      c_.paint(box, px, py - Canvas::height(box) / 2, w);
      c_.svg.arrow(px, py, cx_ + kPlus, py);
      placed_.right = std::max(placed_.right, px + w);
      gap();
    }
    const double box_top = y_;
    const double box_left = stream_box({"io",
                                        {"embedding.name", "Token embedding"},
                                        labels(embedding_facts(e)),
                                        "one row of the table per token"});
    if (a_.blueprint.head.tied) tie(x, box_left, box_top + 14);
    gap();
    c_.svg.text(cx_, y_ + 11, "tokens", {.size = 12, .classes = "s"});
    y_ += 18;
  }

  /// The head reads the embedding's table: a line round the layers.
  void tie(double x, double from, double embedding_y) {
    const double left = x + 3, head = head_top_ + 14;
    c_.svg.begin_group("tie", "one table: the head is tied to the embedding");
    c_.svg.path(svg_path("M{} {}H{}Q{} {} {} {}V{}Q{} {} {} {}H{}", from, embedding_y, left + 8,
                         left, embedding_y, left, embedding_y - 8, head + 8, left, head, left + 8,
                         head, head_left_),
                "link");
    c_.svg.end_group();
  }

  Canvas& c_;
  const Anatomy& a_;
  std::vector<std::array<Slot, 2>> slots_;
  Placed placed_;
  bool strip_ = false;
  double strip_width_ = 0, card_width_ = 0, panel_x_ = 0, panel_width_ = 0, cx_ = 0, y_ = 0,
         head_top_ = 0, head_left_ = 0;
};

}  // namespace

Placed paint_column(Canvas& canvas, const Anatomy& anatomy, double x, double y) {
  return Column(canvas, anatomy).paint(x, y);
}

}  // namespace ashlar
