// Boxes of diagrams.
#include "readings/draw/canvas.h"

#include <algorithm>
#include <cctype>

namespace ashlar {
namespace {

constexpr double kDot = 13;   // room of the dot before a line
constexpr double kSide = 12;  // from a box's edge to its text, at most
constexpr double kLeastTitle = 11, kLeastLine = 9.5;

double dot_of(const Label& l) { return l.tone.empty() ? 0 : kDot; }

double step_of(const Box& box) { return box.line_size + 4; }
double title_step(const Box& box) { return box.title_size * 1.3; }

/// Shapes and products are not broken before they have been made smaller.
bool is_formula(const std::string& text) {
  const size_t times = text.find(" × ");
  return text.find("→") != std::string::npos ||
         (times != std::string::npos && times > 0 &&
          std::isdigit(static_cast<unsigned char>(text[times - 1])) != 0);
}

/// What a box of that width leaves to its texts.
double room_of(double width) { return width - 2 * std::clamp(width * 0.07, 4.0, kSide); }

}  // namespace

bool Marks::differs(const Fact& fact) const {
  return std::any_of(said_.begin(), said_.end(), [&](const auto& model) {
    const auto it = model.find(fact.key);
    return it == model.end() || !it->second.contains(fact.text);
  });
}

std::vector<Label> labels(const std::vector<Fact>& facts) {
  std::vector<Label> out;
  for (const Fact& f : facts) out.push_back({f, {}});
  return out;
}

double fitting_size(std::string_view text, double size, bool bold, double room, double least) {
  const double needed = text_room(text, size, bold);
  return needed <= room ? size : std::max(least, size * room / needed);
}

bool Canvas::marked(const Fact& fact) {
  if (fact.key.empty()) return false;
  if (collect_) {
    marks_.say(model_, fact);
    return false;
  }
  return marks_.differs(fact);
}

void Canvas::say(double x, double y, const Fact& fact, TextStyle style, std::string_view shown) {
  if (shown.empty()) shown = fact.text;
  const double w = text_width(shown, style.size, style.bold);
  if (marked(fact)) {
    const double left = style.anchor == Anchor::start ? x
                        : style.anchor == Anchor::end ? x - w
                                                      : x - w / 2;
    svg.box(left - 3, y - style.size * 0.86, w + 6, style.size * 1.18, 3, "mark");
  }
  svg.text(x, y, shown, style);
}

double Canvas::say_lines(double x, double y, const Fact& fact, double room, TextStyle style) {
  const std::vector<std::string> lines = text_lines(fact.text, style.size, style.bold, room);
  for (size_t i = 0; i < lines.size(); ++i) {
    if (i > 0) y += style.size + 4;
    say(x, y, fact, style, lines[i]);
  }
  return y;
}

double Canvas::width(const Box& box) {
  double w = text_room(box.title.text, box.title_size, true);
  for (const Label& l : box.lines)
    w = std::max(w, text_room(l.fact.text, box.line_size) + dot_of(l));
  return w + 2 * kSide;
}

double Canvas::height(const Box& box) {
  const auto titles = static_cast<double>(box.broken_title.size());
  const double title = box.title.text.empty() ? 0 : title_step(box) * titles;
  double lines = 0;
  for (const Label& l : box.lines) lines += static_cast<double>(l.broken.size());
  return 2 * kBoxPad - 3 + title + step_of(box) * lines;
}

Box Canvas::fitted(Box box, double width) {
  const double room = room_of(width);
  box.title_size = fitting_size(box.title.text, box.title_size, true, room, kLeastTitle);
  box.broken_title = text_lines(box.title.text, box.title_size, true, room);
  // A word that is wider than the box, and formulas, make all its lines smaller.
  double size = box.line_size;
  for (const Label& l : box.lines) {
    const double free = room - dot_of(l);
    if (is_formula(l.fact.text))
      size = std::min(size, fitting_size(l.fact.text, box.line_size, false, free, kLeastLine));
    for (const std::string& line : text_lines(l.fact.text, size, false, free))
      size = std::min(size, fitting_size(line, size, false, free, 6));
  }
  box.line_size = size;
  for (const std::string& line : box.broken_title)
    box.title_size = std::min(box.title_size, fitting_size(line, box.title_size, true, room, 6));
  for (Label& l : box.lines) l.broken = text_lines(l.fact.text, size, false, room - dot_of(l));
  return box;
}

void Canvas::paint(const Box& box, double x, double y, double w) {
  svg.begin_group("box", box.hover);
  svg.box(x, y, w, height(box), kBoxRadius, box.tone);
  double at = y + kBoxPad - 1.5;
  if (!box.title.text.empty()) {
    const TextStyle style{.size = box.title_size, .bold = true, .classes = "t"};
    for (const std::string& line : box.broken_title) {
      say(x + w / 2, at + box.title_size * 0.95, box.title, style, line);
      at += title_step(box);
    }
  }
  for (const Label& l : box.lines) {
    for (const std::string& line : l.broken) {
      const double baseline = at + box.line_size;
      const double left = x + w / 2 - (text_room(line, box.line_size) + dot_of(l)) / 2;
      if (l.tone.empty()) {
        say(x + w / 2, baseline, l.fact, {.size = box.line_size}, line);
      } else {
        if (&line == l.broken.data())
          svg.circle(left + 4, baseline - box.line_size * 0.34, 4, l.tone + "-solid");
        say(left + kDot, baseline, l.fact, {.size = box.line_size, .anchor = Anchor::start}, line);
      }
      at += step_of(box);
    }
  }
  svg.end_group();
}

}  // namespace ashlar
