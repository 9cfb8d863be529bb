// Boxes with lines of text for diagrams, measured so that nothing overflows, and the marking of
// what differs between models.
#pragma once

#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "figures/svg.h"
#include "readings/draw/words.h"

namespace ashlar {

/// What each of several models says, by key. A figure is painted twice: first to collect, then to
/// mark.
class Marks {
 public:
  explicit Marks(size_t models) : said_(models) {}
  void say(size_t model, const Fact& fact) { said_[model][fact.key].insert(fact.text); }
  /// Whether another model does not say the same.
  bool differs(const Fact& fact) const;

 private:
  std::vector<std::map<std::string, std::set<std::string>>> said_;
};

/// How wide a figure may become, in pixels: the whole of one model, or one of several that stand
/// side by side.
struct Look {
  double column = 400;                 // the layers, with the strip on their left
  double inset = 392, inset_pad = 16;  // a look inside, and from its edge to its boxes
  double residual = 24, margin = 14;   // from a card to the line round it, and on to the panel
  double strip_label = 34, strip_cell = 13, strip_gap = 14;
  double inner() const { return inset - 2 * inset_pad; }
};
/// Four of these and what is between them fit into 1280 pixels.
inline constexpr Look kNarrowLook{.column = 290,
                                  .inset = 290,
                                  .inset_pad = 9,
                                  .residual = 13,
                                  .margin = 7,
                                  .strip_label = 30,
                                  .strip_cell = 9,
                                  .strip_gap = 6};

/// A line of text in a box; with a tone a dot of its colour stands before it.
struct Label {
  Fact fact;
  std::string tone;
  std::vector<std::string> broken = {};  // the text in lines, once the box is fitted
};

struct Box {
  std::string tone;
  Fact title;
  std::vector<Label> lines;
  std::string hover;
  double title_size = 13, line_size = 11.5;
  std::vector<std::string> broken_title = {};

  void add(std::string key, std::string text) {
    lines.push_back({{std::move(key), std::move(text)}, {}});
  }
};

std::vector<Label> labels(const std::vector<Fact>& facts);

class Canvas {
 public:
  /// `collect`: only note what is said.
  Canvas(Marks& marks, size_t model, bool collect, const Look& of = {})
      : look(of), marks_(marks), model_(model), collect_(collect) {}

  static double width(const Box& box);   // at which no line is broken
  static double height(const Box& box);  // of a fitted box
  /// The box with texts that fit into so many pixels: smaller, or in several lines.
  static Box fitted(Box box, double width);
  /// A fitted box.
  void paint(const Box& box, double x, double y, double width);
  /// A text that is marked if it differs; centred at x unless the style says otherwise. `shown`:
  /// the part of it that stands here.
  void say(double x, double y, const Fact& fact, TextStyle style = {}, std::string_view shown = {});
  /// The same in lines that fit into `room`; returns the baseline of the last one.
  double say_lines(double x, double y, const Fact& fact, double room, TextStyle style = {});
  /// Whether a shape that stands for `fact` is to be marked.
  bool marked(const Fact& fact);

  Svg svg;
  Look look;

 private:
  Marks& marks_;
  size_t model_;
  bool collect_;
};

constexpr double kBoxPad = 9, kBoxRadius = 7;

/// A text that is centred in a pill: as large as fits.
double fitting_size(std::string_view text, double size, bool bold, double room, double least);

}  // namespace ashlar
