// Drawings: every blueprint draws, text fits, norms and layers stand where they are.
#include "readings/draw/draw.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

#include "base/error.h"
#include "figures/svg.h"
#include "readings/draw/anatomy.h"
#include "support/drawings.h"
#include "support/xml.h"

namespace ashlar {
namespace {

using testing::all_blueprints;
using testing::Element;
using testing::elements_of;
using testing::svg_of;

struct Rect {
  double x1, y1, x2, y2;
  bool within(const Rect& o, double by = 0.5) const {
    return x1 >= o.x1 - by && y1 >= o.y1 - by && x2 <= o.x2 + by && y2 <= o.y2 + by;
  }
  bool overlaps(const Rect& o) const { return x1 < o.x2 && o.x1 < x2 && y1 < o.y2 && o.y1 < y2; }
};

Rect rect_of(const Element& e) {
  const double x = e.number("x"), y = e.number("y");
  return {x, y, x + e.number("width"), y + e.number("height")};
}

/// Where the letters of a text stand: from the height of capitals to the depth of descenders.
/// `widest`: in the widest font, for programs that do not heed textLength.
Rect text_rect(const Element& e, bool widest = false) {
  const double size = e.number("font-size");
  const double w = widest ? text_room(e.text, size, e.attribute("font-weight") == "700")
                          : e.number("textLength");
  const std::string anchor = e.attribute("text-anchor");
  const double left = anchor == "middle" ? e.number("x") - w / 2
                      : anchor == "end"  ? e.number("x") - w
                                         : e.number("x");
  return {left, e.number("y") - 0.72 * size, left + w, e.number("y") + 0.2 * size};
}

std::string name_of(const Blueprint& bp) { return bp.name; }

TEST(Draw, EveryBlueprintInEveryFormat) {
  for (const Blueprint& bp : all_blueprints()) {
    for (const bool tall : {false, true}) {
      const std::string svg = svg_of(bp, tall);
      EXPECT_NO_THROW(elements_of(svg)) << name_of(bp);
      EXPECT_NE(svg.find("prefers-color-scheme:dark"), std::string::npos);
    }
    const std::string text = draw({&bp, 1}, {.format = DrawFormat::text});
    EXPECT_NE(text.find(fmt::format("{} ×", bp.blocks.size())), std::string::npos) << text;
    const std::string mermaid = draw({&bp, 1}, {.format = DrawFormat::mermaid});
    EXPECT_TRUE(mermaid.starts_with("flowchart BT\n"));
    size_t opened = 0, closed = 0;
    for (size_t at = 0; (at = mermaid.find("subgraph ", at)) != std::string::npos; ++at) ++opened;
    for (size_t at = 0; (at = mermaid.find("  end\n", at)) != std::string::npos; ++at) ++closed;
    EXPECT_EQ(opened, closed) << mermaid;
  }
}

/// Every text stands on the page and in its box in any font, and none on another.
void expect_texts_fit(const std::string& svg, const std::string& name) {
  const std::vector<Element> all = elements_of(svg);
  const Rect page{0, 0, all[0].number("width"), all[0].number("height")};
  std::vector<std::pair<Rect, std::string>> texts;
  int boxed = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].tag != "text") continue;
    const Rect text = text_rect(all[i]), widest = text_rect(all[i], true);
    EXPECT_TRUE(widest.within(page)) << name << ": " << all[i].text;
    EXPECT_GE(all[i].number("font-size"), 8) << name << ": " << all[i].text;
    for (const auto& [other, words] : texts)
      EXPECT_FALSE(text.overlaps(other)) << name << ": " << all[i].text << " on " << words;
    texts.push_back({text, all[i].text});
    const auto group = static_cast<size_t>(all[i].parent);
    if (all[group].attribute("class") != "box") continue;
    ++boxed;
    // The box is the group's first rectangle.
    size_t box = group + 1;
    while (all[box].tag != "rect") ++box;
    ASSERT_EQ(all[box].parent, all[i].parent);
    EXPECT_TRUE(text.within(rect_of(all[box]), 0)) << name << ": " << all[i].text;
    EXPECT_TRUE(widest.within(rect_of(all[box]), 0)) << name << ": " << all[i].text;
  }
  EXPECT_GT(boxed, 10) << name;
}

TEST(Draw, TextFitsItsBoxAndThePage) {
  for (const Blueprint& bp : all_blueprints()) {
    for (const bool tall : {false, true}) expect_texts_fit(svg_of(bp, tall), bp.name);
  }
}

TEST(Draw, FourSideBySideFitALaptop) {
  const std::vector<Blueprint> all = all_blueprints();
  for (size_t i = 0; i + 4 <= all.size(); i += 4) {
    const std::span four = std::span(all).subspan(i, 4);
    const std::string svg = draw(four);
    expect_texts_fit(svg, four[0].name + " and three more");
    EXPECT_LE(elements_of(svg)[0].number("width"), 1300);
  }
}

TEST(Draw, TallFiguresFitAPhone) {
  for (const Blueprint& bp : all_blueprints())
    EXPECT_LE(elements_of(svg_of(bp, true))[0].number("width"), 460) << bp.name;
}

TEST(Draw, BoxesDoNotCoverEachOther) {
  for (const Blueprint& bp : all_blueprints()) {
    const std::vector<Element> all = elements_of(svg_of(bp));
    std::vector<Rect> boxes;
    for (size_t i = 1; i < all.size(); ++i) {
      if (all[i].tag != "rect" ||
          all[static_cast<size_t>(all[i].parent)].attribute("class") != "box")
        continue;
      const Rect r = rect_of(all[i]);
      for (const Rect& other : boxes) EXPECT_FALSE(r.overlaps(other)) << bp.name;
      boxes.push_back(r);
    }
    EXPECT_GE(boxes.size(), 4U) << bp.name;
  }
}

/// What hangs in the layers of a text figure, from the top: plus, norm, part, tap.
std::string sequence(const Blueprint& bp) {
  std::istringstream lines(draw({&bp, 1}, {.format = DrawFormat::text}));
  std::string line, out;
  while (std::getline(lines, line)) {
    if (line.find("⊕") != std::string::npos)
      out += "+";
    else if (line.find("├") != std::string::npos)
      out += "t";
    else if (line.find("┌──") != std::string::npos && line.starts_with("│"))
      out += "f";
    else if (line.starts_with("│") && line.find("Norm") != std::string::npos)
      out += "n";
  }
  return out;
}

/// Columns of each line, one per code point.
size_t widest(const std::string& text) {
  size_t widest = 0, columns = 0;
  for (const char c : text) {
    if (c == '\n')
      columns = 0;
    else if ((static_cast<unsigned char>(c) & 0xC0) != 0x80)
      widest = std::max(widest, ++columns);
  }
  return widest;
}

TEST(DrawText, FitsNarrowTerminals) {
  for (const Blueprint& bp : all_blueprints()) {
    const std::string wide = draw({&bp, 1}, {.format = DrawFormat::text, .columns = 200});
    for (const int columns : {40, 48, 60}) {
      const std::string text = draw({&bp, 1}, {.format = DrawFormat::text, .columns = columns});
      EXPECT_LE(widest(text), static_cast<size_t>(columns)) << bp.name << "\n" << text;
      if (widest(wide) <= static_cast<size_t>(columns)) {
        EXPECT_EQ(text, wide);
      }
    }
  }
  const std::vector<Blueprint> two{load_blueprint("qwen3-8b"), load_blueprint("deepseek-v3")};
  EXPECT_LE(widest(draw(two, {.format = DrawFormat::text, .columns = 40})), 40u);
}

TEST(Draw, NormsStandWhereTheyAre) {
  EXPECT_EQ(sequence(testing::qwen_like()), "+fnt+fnt");         // x + f(norm(x))
  EXPECT_EQ(sequence(testing::transformer_like()), "n+ftn+ft");  // norm(x + f(x))
  EXPECT_EQ(sequence(testing::olmo_like()), "+nft+nft");         // x + norm(f(x))
  EXPECT_EQ(sequence(testing::gemma_like()), "+nfnt+nfnt");      // x + norm(f(norm(x)))
}

/// Heights of the norms, sums and attention's card in the layers of an SVG figure.
TEST(Draw, NormsStandWhereTheyAreInSvg) {
  const auto order = [](const Blueprint& bp) {
    std::vector<std::pair<double, char>> at;
    const std::vector<Element> all = elements_of(svg_of(bp));
    for (const Element& e : all) {
      const bool in_layers = e.parent >= 0 && [&] {
        for (int p = e.parent; p >= 0; p = all[static_cast<size_t>(p)].parent) {
          if (all[static_cast<size_t>(p)].attribute("class") == "layers") return true;
        }
        return false;
      }();
      if (!in_layers) continue;
      const std::string kind = e.attribute("class");
      if (e.tag == "circle" && kind == "plus") at.push_back({e.number("cy"), '+'});
      if (e.tag == "circle" && kind == "wh") at.push_back({e.number("cy"), 't'});
      if (e.tag == "rect" && kind == "norm") at.push_back({e.number("y"), 'n'});
      if (e.tag == "rect" && (kind == "dense" || kind == "full"))
        at.push_back({e.number("y"), 'f'});
    }
    std::sort(at.begin(), at.end());
    std::string out;
    for (const auto& [y, c] : at) out += c;
    return out;
  };
  EXPECT_EQ(order(testing::qwen_like()), "+fnt+fnt");
  EXPECT_EQ(order(testing::transformer_like()), "n+ftn+ft");
  EXPECT_EQ(order(testing::olmo_like()), "+nft+nft");
  Blueprint sandwich = testing::qwen_like();
  for (Block& b : sandwich.blocks) b.wiring = Sandwich{};
  EXPECT_EQ(order(sandwich), "+nfnt+nfnt");
  // The feed-forward, the mixer, where the norm goes to both, the norm, the residual.
  Blueprint parallel = testing::qwen_like();
  for (Block& b : parallel.blocks) b.wiring = Parallel{};
  EXPECT_EQ(order(parallel), "+fftnt");
}

TEST(Draw, ExpertsAreAsManyAsThereAre) {
  for (const char* name : {"deepseek-v3", "llama-4-maverick", "gpt-oss-20b", "grok-2", "kimi-k2"}) {
    const Blueprint bp = load_blueprint(name);
    const auto& e = std::get<ExpertFfnPart>(bp.blocks.back().ffn);
    const std::vector<Element> all = elements_of(svg_of(bp));
    int64_t idle = 0, chosen = 0;
    for (const Element& p : all) {
      if (p.parent < 0 || all[static_cast<size_t>(p.parent)].attribute("class") != "squares")
        continue;
      const std::string d = p.attribute("d");
      (p.attribute("class") == "idle" ? idle : chosen) += std::count(d.begin(), d.end(), 'M');
    }
    EXPECT_EQ(chosen, e.top_k) << name;
    EXPECT_EQ(idle + chosen, e.experts) << name;
  }
}

int64_t marks_in(const std::string& svg) {
  int64_t n = 0;
  for (const Element& e : elements_of(svg))
    n += e.attribute("class").find("mark") != std::string::npos;
  return n;
}

TEST(Draw, SideBySideMarksWhatDiffers) {
  const Blueprint a = testing::qwen_like();
  EXPECT_EQ(marks_in(draw(std::vector{a, a})), 1);  // the legend
  Blueprint b = a;
  for (Block& block : b.blocks) std::get<DenseFfn>(block.ffn).width = 24;
  const std::string svg = draw(std::vector{a, b});
  EXPECT_NO_THROW(elements_of(svg));
  // In each: the card's width, gate, up and down, the total, and the legend.
  EXPECT_EQ(marks_in(svg), 2 * 5 + 1);
  Blueprint c = a;
  for (Block& block : c.blocks) block.wiring = InnerPostNorm{};
  EXPECT_EQ(marks_in(draw(std::vector{a, c})), 2 * 2 + 1);  // two norms that stand elsewhere
  for (Block& block : c.blocks) block.wiring = Parallel{};
  // One norm in place of two, the totals.
  EXPECT_EQ(marks_in(draw(std::vector{a, c})), 2 + 1 + 2 + 1);
}

TEST(Draw, NamesOfFilesChooseTheFormat) {
  EXPECT_EQ(draw_format_of("a/b.svg"), DrawFormat::svg);
  EXPECT_EQ(draw_format_of("x.mmd"), DrawFormat::mermaid);
  EXPECT_EQ(draw_format_of("x.txt"), DrawFormat::text);
  EXPECT_THROW(draw_format_of("x.png"), Error);
  EXPECT_THROW(draw({}), Error);
}

TEST(Draw, NamesCannotBreakThePicture) {
  Blueprint bp = testing::qwen_like();
  for (const std::string& name :
       {std::string("<script>alert('&\"')</script>"), std::string("a\x01\tb\x7f"),
        std::string(500, 'W'), std::string("模型 模型 模型"), std::string("]] --> \" end")}) {
    bp.name = name;
    for (const bool tall : {false, true}) {
      const std::vector<Element> all = elements_of(svg_of(bp, tall));
      const Rect page{0, 0, all[0].number("width"), all[0].number("height")};
      for (const Element& e : all) {
        if (e.tag != "text") continue;
        EXPECT_TRUE(text_rect(e).within(page)) << e.text;
      }
    }
    const std::string mermaid = draw({&bp, 1}, {.format = DrawFormat::mermaid});
    const std::string label = mermaid.substr(0, mermaid.find('\n', mermaid.find("subgraph")));
    EXPECT_EQ(std::count(label.begin(), label.end(), '"'), 2) << label;
  }
}

// Widths are Helvetica's, whose metrics are published.
TEST(Draw, TextIsMeasured) {
  EXPECT_DOUBLE_EQ(text_width("Wi", 1000), 944 + 222);
  EXPECT_DOUBLE_EQ(text_width("Wi", 1000, true), 944 + 278);
  EXPECT_DOUBLE_EQ(text_width("a × b", 10), (556 + 278 + 584 + 278 + 556) / 100.0);
  EXPECT_DOUBLE_EQ(text_width("", 12), 0);
  // DejaVu Sans, the widest of the usual ones.
  EXPECT_DOUBLE_EQ(text_room("Wi", 1000), 989 + 278);
  EXPECT_DOUBLE_EQ(text_room("Wi", 1000, true), 1103 + 343);
}

TEST(Draw, LongTextsBreakAtCommasThenAtWords) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(text_lines("a b", 10, false, 100), (Lines{"a b"}));
  EXPECT_EQ(text_lines("16 heads of 256, 2 KV heads", 10, false, 100),
            (Lines{"16 heads of 256,", "2 KV heads"}));
  EXPECT_EQ(text_lines("heads heads heads", 10, false, 70), (Lines{"heads heads", "heads"}));
  EXPECT_EQ(text_lines("unbreakable", 10, false, 5), (Lines{"unbreakable"}));
}

}  // namespace
}  // namespace ashlar
