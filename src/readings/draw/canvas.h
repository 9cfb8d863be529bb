// Boxes with lines of text for diagrams, measured so that nothing overflows, and the marking of
// what differs between models.
#pragma once

#include <map>
#include <set>
#include <string>
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

/// A line of text in a box; with a tone a dot of its colour stands before it.
struct Label {
  Fact fact;
  std::string tone;
};

struct Box {
  std::string tone;
  Fact title;
  std::vector<Label> lines;
  std::string hover;
  double title_size = 13, line_size = 11.5;
};

std::vector<Label> labels(const std::vector<Fact>& facts, const std::string& tone = {});

class Canvas {
 public:
  /// `collect`: only note what is said.
  Canvas(Marks& marks, size_t model, bool collect)
      : marks_(marks), model_(model), collect_(collect) {}

  static double width(const Box& box);  // least width
  static double height(const Box& box);
  void paint(const Box& box, double x, double y, double width);
  /// A text that is marked if it differs; centred at x unless the style says otherwise.
  void say(double x, double y, const Fact& fact, TextStyle style = {});
  /// Whether a shape that stands for `fact` is to be marked.
  bool marked(const Fact& fact);

  Svg svg;

 private:
  Marks& marks_;
  size_t model_;
  bool collect_;
};

constexpr double kBoxPad = 9, kBoxRadius = 7, kLineStep = 15.5;

}  // namespace ashlar
