// Widths of text from the advance widths of fonts, and lines that fit into a width.
#include <algorithm>
#include <array>
#include <cstdint>
#include <vector>

#include "figures/svg.h"

namespace ashlar {
namespace {

/// Thousandths of the size, for U+0020 to U+007E.
using Advances = std::array<uint16_t, 95>;

// Adobe's font metrics of Helvetica, which Arial and Liberation Sans share.
constexpr Advances kHelvetica = {
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333,  278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667,
    611, 778, 722, 278, 500, 667, 556, 833, 722, 778, 667, 778, 722, 667,  611, 722, 667, 944, 667,
    667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556, 278,  556, 556, 222, 222, 500,
    222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500,  500, 334, 260, 334, 584};
constexpr Advances kHelveticaBold = {
    278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556,
    556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611, 975, 722, 722, 722, 722, 667,
    611, 778, 722, 278, 556, 722, 611, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667,
    667, 611, 333, 278, 333, 584, 556, 333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556,
    278, 889, 611, 611, 611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584};

// DejaVu Sans, about as wide as Verdana: the widest of the fonts that stand in for a missing
// Helvetica.
constexpr Advances kDejaVu = {
    318, 401, 460, 838, 636, 950, 780, 275, 390, 390, 500, 838, 318, 361,  318, 337, 636, 636, 636,
    636, 636, 636, 636, 636, 636, 636, 337, 337, 838, 838, 838, 531, 1000, 684, 686, 698, 770, 632,
    575, 775, 752, 295, 295, 656, 557, 863, 748, 787, 603, 787, 695, 635,  611, 732, 684, 989, 685,
    611, 685, 390, 337, 390, 838, 500, 500, 613, 635, 550, 635, 615, 352,  635, 634, 278, 278, 579,
    278, 974, 634, 612, 635, 635, 411, 521, 392, 634, 592, 818, 592, 592,  525, 636, 337, 636, 838};
constexpr Advances kDejaVuBold = {
    348,  456, 521, 838, 696, 1002, 872, 306,  457, 457, 523, 838, 380, 415,  380, 365,
    696,  696, 696, 696, 696, 696,  696, 696,  696, 696, 400, 400, 838, 838,  838, 580,
    1000, 774, 762, 734, 830, 683,  683, 821,  837, 372, 372, 775, 637, 995,  837, 850,
    733,  850, 770, 720, 682, 812,  774, 1103, 771, 724, 725, 457, 365, 457,  838, 500,
    500,  675, 716, 593, 716, 678,  435, 716,  712, 343, 343, 665, 343, 1042, 712, 687,
    716,  716, 493, 595, 478, 712,  652, 924,  645, 652, 582, 712, 365, 712,  838};

struct Beyond {
  char32_t code;
  uint16_t helvetica, helvetica_bold, dejavu, dejavu_bold;
};

/// What formulas and sentences use beyond ASCII.
constexpr Beyond kBeyond[] = {
    {U'×', 584, 584, 838, 838}, {U'÷', 549, 549, 838, 838},   {U'√', 549, 549, 637, 667},
    {U'≤', 549, 549, 838, 838}, {U'≥', 549, 549, 838, 838},   {U'±', 549, 549, 838, 838},
    {U'−', 584, 584, 838, 838}, {U'→', 1000, 1000, 838, 838}, {U'←', 1000, 1000, 838, 838},
    {U'⊙', 768, 768, 838, 838}, {U'·', 278, 278, 318, 380},   {U'–', 556, 556, 500, 500},
    {U'•', 350, 350, 590, 639}, {U'²', 333, 333, 401, 438},   {U'ᵀ', 385, 430, 385, 430},
    {U'’', 222, 278, 318, 380}, {U'α', 578, 615, 659, 687},   {U'β', 575, 610, 638, 716},
    {U'σ', 617, 684, 634, 779}, {U'θ', 556, 541, 612, 687},   {U'…', 1000, 1000, 1000, 1000}};

double advance(char32_t c, bool bold, bool widest) {
  if (c >= 32 && c < 127) {
    const double slim = (bold ? kHelveticaBold : kHelvetica)[c - 32];
    return widest ? std::max<double>(slim, (bold ? kDejaVuBold : kDejaVu)[c - 32]) : slim;
  }
  for (const Beyond& b : kBeyond) {
    if (b.code != c) continue;
    const double slim = bold ? b.helvetica_bold : b.helvetica;
    return widest ? std::max<double>(slim, bold ? b.dejavu_bold : b.dejavu) : slim;
  }
  // Letters with accents are as wide as letters, ideograms as high as they are wide.
  return c >= 0xC0 && c < 0x400 ? (widest ? 720 : 600) : 1000;
}

/// The code point that begins at `at`, which moves behind it; malformed bytes count as one each.
char32_t next_code_point(std::string_view text, size_t& at) {
  const auto byte = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at++);
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
  char32_t c = more == 0 ? lead : lead & (0x3F >> more);
  for (int i = 0; i < more && at < text.size() && (byte(at) & 0xC0) == 0x80; ++i)
    c = (c << 6) | (byte(at++) & 0x3F);
  return c;
}

double sum_of(std::string_view text, double size, bool bold, bool widest) {
  double sum = 0;
  for (size_t at = 0; at < text.size();) sum += advance(next_code_point(text, at), bold, widest);
  return sum * size / 1000;
}

}  // namespace

double text_width(std::string_view text, double size, bool bold) {
  return sum_of(text, size, bold, false);
}

double text_room(std::string_view text, double size, bool bold) {
  return sum_of(text, size, bold, true);
}

std::vector<std::string> text_lines(std::string_view text, double size, bool bold, double room) {
  // Pieces that may stand in lines of their own: clauses if each fits, else words.
  const auto pieces = [&](bool clauses) {
    std::vector<std::string> out;
    size_t begin = 0;
    for (size_t at = 0; at <= text.size(); ++at) {
      const bool end = at == text.size();
      if (!end && (text[at] != ' ' ||
                   (clauses && (at == 0 || (text[at - 1] != ',' && text[at - 1] != ';')))))
        continue;
      if (at > begin) out.emplace_back(text.substr(begin, at - begin));
      begin = at + 1;
    }
    return out;
  };
  const auto fits = [&](std::string_view line) {
    return text_room(line, size, bold) <= room + 1e-6;
  };
  if (fits(text)) return {std::string(text)};
  std::vector<std::string> parts = pieces(true);
  if (!std::all_of(parts.begin(), parts.end(), fits)) parts = pieces(false);
  std::vector<std::string> lines;
  for (const std::string& part : parts) {
    if (!lines.empty() && fits(lines.back() + " " + part)) {
      lines.back() += " " + part;
    } else {
      lines.push_back(part);
    }
  }
  return lines;
}

}  // namespace ashlar
