// Boxes of diagrams.
#include "readings/draw/canvas.h"

#include <algorithm>

namespace ashlar {
namespace {

constexpr double kDot = 13;  // room of the dot before a line

double label_width(const Label& l, double size) {
  return text_width(l.fact.text, size) + (l.tone.empty() ? 0 : kDot);
}

}  // namespace

bool Marks::differs(const Fact& fact) const {
  return std::any_of(said_.begin(), said_.end(), [&](const auto& model) {
    const auto it = model.find(fact.key);
    return it == model.end() || !it->second.contains(fact.text);
  });
}

std::vector<Label> labels(const std::vector<Fact>& facts, const std::string& tone) {
  std::vector<Label> out;
  for (const Fact& f : facts) out.push_back({f, tone});
  return out;
}

bool Canvas::marked(const Fact& fact) {
  if (fact.key.empty()) return false;
  if (collect_) {
    marks_.say(model_, fact);
    return false;
  }
  return marks_.differs(fact);
}

void Canvas::say(double x, double y, const Fact& fact, TextStyle style) {
  const double w = text_width(fact.text, style.size, style.bold);
  if (marked(fact)) {
    const double left = style.anchor == Anchor::start ? x
                        : style.anchor == Anchor::end ? x - w
                                                      : x - w / 2;
    svg.box(left - 3, y - style.size * 0.86, w + 6, style.size * 1.18, 3, "mark");
  }
  svg.text(x, y, fact.text, style);
}

double Canvas::width(const Box& box) {
  double w = text_width(box.title.text, box.title_size, true);
  for (const Label& l : box.lines) w = std::max(w, label_width(l, box.line_size));
  return w + 2 * kBoxPad + 6;
}

double Canvas::height(const Box& box) {
  const double title = box.title.text.empty() ? 0 : box.title_size * 1.3;
  return 2 * kBoxPad - 3 + title + kLineStep * static_cast<double>(box.lines.size());
}

void Canvas::paint(const Box& box, double x, double y, double w) {
  svg.begin_group("box", box.hover);
  svg.box(x, y, w, height(box), kBoxRadius, box.tone);
  double at = y + kBoxPad - 1.5;
  if (!box.title.text.empty()) {
    say(x + w / 2, at + box.title_size * 0.95, box.title,
        {.size = box.title_size, .bold = true, .classes = "t"});
    at += box.title_size * 1.3;
  }
  for (const Label& l : box.lines) {
    const double baseline = at + box.line_size,
                 left = x + w / 2 - label_width(l, box.line_size) / 2;
    if (l.tone.empty()) {
      say(x + w / 2, baseline, l.fact, {.size = box.line_size});
    } else {
      svg.circle(left + 4, baseline - box.line_size * 0.34, 4, l.tone + "-solid");
      say(left + kDot, baseline, l.fact, {.size = box.line_size, .anchor = Anchor::start});
    }
    at += kLineStep;
  }
  svg.end_group();
}

}  // namespace ashlar
