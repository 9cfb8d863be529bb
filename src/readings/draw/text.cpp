// Figures as plain text for a terminal.
#include <fmt/format.h>

#include <algorithm>

#include "base/units.h"
#include "blueprint/wiring.h"
#include "figures/columns.h"
#include "readings/draw/figure.h"

namespace ashlar {
namespace {

std::string repeated(std::string_view what, size_t n) {
  std::string out;
  for (size_t i = 0; i < n; ++i) out += what;
  return out;
}

std::string centred(const std::string& text, size_t columns) {
  const size_t have = columns_of(text);
  if (have >= columns) return text;
  return padded(std::string((columns - have) / 2, ' ') + text, columns);
}

/// The column of the residual stream. Inside of the layers the stream runs on the left, parts hang
/// to the right of it:
///   ⊕◄─ part ─ norm ◄─┐
///   │                 │
///   ├─────────────────┘
class TextFigure {
 public:
  /// As wide as its words ask for, up to `columns`, but at least kNarrowest.
  TextFigure(const Anatomy& a, size_t columns) : a_(a), columns_(std::max(columns, kNarrowest)) {}

  std::vector<std::string> lines() {
    measure();
    const Blueprint& bp = a_.blueprint;
    const Count::Parameters& p = a_.count.parameters;
    out_.push_back(a_.name());
    for (std::string& line : lines_of(card_words(a_), total())) out_.push_back(std::move(line));
    const auto number = [](int64_t n) { return short_number(static_cast<double>(n)); };
    std::string numbers = number(p.total) + " parameters";
    if (p.active != p.total) numbers += ", " + number(p.active) + " active per token";
    if (p.active_without_embedding != p.active)
      numbers += ", " + number(p.active_without_embedding) + " without embedding";
    for (std::string& line : lines_of(numbers, total())) out_.push_back(std::move(line));
    if (bp.context > 0) out_.push_back("context " + plural(bp.context, "token"));
    out_.push_back(
        fmt::format("remembers {} numbers per token", grouped(a_.count.state.elements_per_token)));
    out_.push_back("");
    out_.push_back(centred("next token", total()));
    arrow();
    box(titled("Output head", head_facts(bp)));
    if (bp.final_norm) {
      arrow();
      box({"Final " + norm_name(*bp.final_norm)});
    }
    for (size_t i = a_.panels.size(); i-- > 0;) panel(a_.panels[i]);
    arrow();
    if (a_.absolute) {
      out_.push_back(centred("(+) ◄── " + position_words(bp.embedding), total()));
      arrow();
    }
    box(titled("Token embedding", embedding_facts(bp.embedding)));
    arrow();
    out_.push_back(centred("tokens", total()));
    if (!bp.mtp.empty()) {
      out_.push_back("");
      const std::string words = fmt::format(
          "and {} for multi-token prediction, {} parameters: it reads the stream after the last "
          "layer and the embedding of the next token, and predicts the token after it",
          plural(static_cast<int64_t>(bp.mtp.size()), "layer"), number(p.mtp));
      for (std::string& line : lines_of(words, total())) out_.push_back(std::move(line));
    }
    return out_;
  }

 private:
  static constexpr size_t kAround = 14;  // columns beside the inner ones
  static constexpr size_t kNarrowest = 36;
  size_t total() const { return inner_ + kAround; }

  std::vector<std::string> words(const Panel& p, bool mixer) const {
    std::vector<std::string> out;
    for (const size_t v : mixer ? p.mixers : p.ffns) {
      if (!out.empty()) out.push_back("or, by layer,");
      const PartWords w = words_of_part(a_, mixer, v);
      out.push_back(w.several ? w.name + " (" + w.layers + ")" : w.name);
      for (const Fact& f : w.facts) out.push_back("  " + f.text);
      if (!w.router.empty()) out.push_back("  router:");
      for (const Fact& f : w.router) out.push_back("    " + f.text);
    }
    return out;
  }

  void measure() {
    inner_ = 30;
    for (const Panel& p : a_.panels) {
      for (const bool mixer : {true, false}) {
        for (const std::string& w : words(p, mixer)) inner_ = std::max(inner_, columns_of(w) + 2);
      }
    }
    inner_ = std::min(inner_, columns_ - kAround);
  }

  void arrow() { out_.push_back(centred("▲", total())); }

  void box(const std::vector<std::string>& words) {
    std::vector<std::string> lines;
    for (const std::string& w : words) {
      for (std::string& line : lines_of(w, total() - 4)) lines.push_back(std::move(line));
    }
    size_t width = 26;
    for (const std::string& l : lines) width = std::max(width, columns_of(l) + 2);
    out_.push_back(centred("┌" + repeated("─", width) + "┐", total()));
    for (const std::string& l : lines)
      out_.push_back(centred("│" + centred(l, width) + "│", total()));
    out_.push_back(centred("└" + repeated("─", width) + "┘", total()));
  }

  void row(const std::string& inside) {
    out_.push_back("│ " + padded(inside, total() - 6) + "   │");
  }

  /// One row of the branch of a part: stream on the left, way round on the right.
  void branch(const std::string& stream, const std::string& inside) {
    row(stream + " " + padded(inside, inner_ + 4));
  }

  void framed(const std::vector<std::string>& lines) {
    branch("│", " ┌" + repeated("─", inner_) + "┐");
    for (const std::string& l : lines) {
      for (const std::string& line : lines_of(l, inner_ - 2))
        branch("│", " │ " + padded(line, inner_ - 1) + "│");
    }
    branch("│", " └" + repeated("─", inner_) + "┘");
  }

  void sublayer(const Panel& p, bool mixer) {
    const std::string norm = norm_name(norm_of(p.wiring));
    const NormPlaces norms = form_of(p.wiring).norms;
    if (norms.on_stream) {
      branch("▲", "");
      row(norm + " (on the stream)");
      branch("▲", "");
    }
    branch("⊕", "◄┐ " + residual_words(p.wiring));
    if (norms.after) {
      branch("│", " │");
      branch("│", " " + norm);
    }
    branch("│", " ▲");
    framed(words(p, mixer));
    branch("│", " ▲");
    if (norms.before) {
      branch("│", " " + norm);
      branch("│", " ▲");
    }
    branch("├", "─┘");
  }

  /// Mixer and feed-forward side by side: one norm, one addition.
  void side_by_side(const Panel& p) {
    branch("⊕", "◄┐");
    branch("│", " ▲");
    framed(words(p, false));
    for (const std::string& line : lines_of("+ side by side, both read the norm", inner_ + 2))
      branch("│", " " + line);
    framed(words(p, true));
    branch("│", " ▲");
    branch("│", " " + norm_name(norm_of(p.wiring)));
    branch("│", " ▲");
    branch("├", "─┘");
  }

  void panel(const Panel& p) {
    arrow();
    std::string title = fmt::format("─ {} × ", p.layers.size()), which;
    if (a_.panels.size() > 1) which = "(" + layer_words(p.layers, a_.layers()) + ") ";
    const bool beside = columns_of(title + which) + 2 <= total();
    if (beside) title += which;
    out_.push_back("┌" + title + repeated("─", total() - 2 - columns_of(title)) + "┐");
    if (!beside) {
      for (const std::string& line : lines_of(which, total() - 6)) row(line);
    }
    row("▲");
    if (form_of(p.wiring).norms.parallel) {
      side_by_side(p);
    } else {
      sublayer(p, false);
      row("│");
      sublayer(p, true);
    }
    row("│");
    out_.push_back("└" + repeated("─", total() - 2) + "┘");
  }

  const Anatomy& a_;
  std::vector<std::string> out_;
  size_t inner_ = 30, columns_;
};

}  // namespace

std::vector<std::string> titled(std::string title, const std::vector<Fact>& facts) {
  std::vector<std::string> lines{std::move(title)};
  for (const Fact& f : facts) lines.push_back(f.text);
  return lines;
}

std::string draw_text(const std::vector<Anatomy>& models, int columns) {
  const auto room = static_cast<size_t>(std::max(columns, 1));
  std::vector<std::vector<std::string>> figures;
  std::vector<size_t> widths;
  size_t sum = 0;
  for (const Anatomy& a : models) {
    figures.push_back(TextFigure(a, 1000).lines());
    size_t width = 0;
    for (const std::string& l : figures.back()) width = std::max(width, columns_of(l));
    widths.push_back(width);
    sum += width + 3;
  }
  std::string out;
  const auto put = [&](std::string line) {
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  };
  if (models.size() > 1 && sum <= room) {
    size_t rows = 0;
    for (const auto& f : figures) rows = std::max(rows, f.size());
    for (size_t r = 0; r < rows; ++r) {
      std::string line;
      for (size_t m = 0; m < figures.size(); ++m)
        line += padded(r < figures[m].size() ? figures[m][r] : "", widths[m] + 3);
      put(std::move(line));
    }
    return out;
  }
  for (size_t m = 0; m < figures.size(); ++m) {
    if (m > 0) out += "\n";
    const bool narrow = widths[m] > room;
    for (const std::string& line : narrow ? TextFigure(models[m], room).lines() : figures[m])
      put(line);
  }
  return out;
}

}  // namespace ashlar
