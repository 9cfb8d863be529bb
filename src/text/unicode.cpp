// Character classes looked up in the generated table.
#include "text/unicode.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "text/unicode_data.inc"

namespace ashlar::unicode {
namespace {

constexpr uint32_t bit(Category c) { return 1u << c; }
constexpr uint32_t kLetters = bit(Lu) | bit(Ll) | bit(Lt) | bit(Lm) | bit(Lo);
constexpr uint32_t kMarks = bit(Mn) | bit(Mc) | bit(Me);
constexpr uint32_t kNumbers = bit(Nd) | bit(Nl) | bit(No);
constexpr uint32_t kPunctuation =
    bit(Pc) | bit(Pd) | bit(Ps) | bit(Pe) | bit(Pi) | bit(Pf) | bit(Po);
constexpr uint32_t kSymbols = bit(Sm) | bit(Sc) | bit(Sk) | bit(So);
constexpr uint32_t kSeparators = bit(Zs) | bit(Zl) | bit(Zp);
constexpr uint32_t kOthers = bit(Cc) | bit(Cf) | bit(Co) | bit(Cn) | bit(Cs);

CodePoints from_table(std::span<const uint32_t> bounds) {
  std::vector<CodePoints::Range> ranges;
  for (size_t i = 0; i + 1 < bounds.size(); i += 2) ranges.emplace_back(bounds[i], bounds[i + 1]);
  return CodePoints(std::move(ranges));
}

template <const auto& table>
bool in_table(uint32_t c) {
  static const CodePoints points = from_table(table);
  return points.contains(c);
}

// Two stages of 256: the flags of every code point, built once from the ranges.
struct Flags {
  enum : uint8_t { kActive = 1, kNfc = 2 };
  std::array<uint16_t, 0x1100> page{};
  std::vector<std::array<uint8_t, 256>> pages;

  Flags() : pages(1) {
    mark(kNormActiveRanges, kActive);
    mark(kNfcCheckRanges, kNfc);
  }
  void mark(std::span<const uint32_t> bounds, uint8_t flag) {
    for (size_t i = 0; i + 1 < bounds.size(); i += 2) {
      for (uint32_t c = bounds[i]; c <= bounds[i + 1]; ++c) {
        uint16_t& p = page[c >> 8];
        if (p == 0) {
          p = static_cast<uint16_t>(pages.size());
          pages.emplace_back();
        }
        pages[p][c & 255] |= flag;
      }
    }
  }
  uint8_t of(uint32_t c) const { return pages[page[c >> 8]][c & 255]; }
};

const Flags& flags() {
  static const Flags table;
  return table;
}

}  // namespace

CodePoints::CodePoints(std::vector<Range> ranges) {
  std::sort(ranges.begin(), ranges.end());
  for (const Range& r : ranges) {
    if (r.first > r.second) continue;
    if (!ranges_.empty() && r.first <= ranges_.back().second + 1) {
      ranges_.back().second = std::max(ranges_.back().second, r.second);
    } else {
      ranges_.push_back(r);
    }
  }
}

bool CodePoints::contains(uint32_t c) const {
  auto after = std::upper_bound(ranges_.begin(), ranges_.end(), Range{c, UINT32_MAX});
  return after != ranges_.begin() && std::prev(after)->second >= c;
}

CodePoints CodePoints::complement() const {
  std::vector<Range> out;
  uint32_t from = 0;
  for (const Range& r : ranges_) {
    if (r.first > from) out.emplace_back(from, r.first - 1);
    from = r.second + 1;
  }
  if (from <= kLast) out.emplace_back(from, kLast);
  return CodePoints(std::move(out));
}

CodePoints CodePoints::operator|(const CodePoints& other) const {
  std::vector<Range> both = ranges_;
  both.insert(both.end(), other.ranges_.begin(), other.ranges_.end());
  return CodePoints(std::move(both));
}

CodePoints CodePoints::operator&(const CodePoints& other) const {
  return (complement() | other.complement()).complement();
}

CodePoints of_categories(uint32_t mask) {
  std::vector<CodePoints::Range> ranges;
  const size_t count = std::size(kCategoryRuns);
  for (size_t i = 0; i < count; ++i) {
    if ((mask >> (kCategoryRuns[i] & 31) & 1) == 0) continue;
    ranges.emplace_back(kCategoryRuns[i] >> 5,
                        i + 1 < count ? (kCategoryRuns[i + 1] >> 5) - 1 : kLast);
  }
  return CodePoints(std::move(ranges));
}

CodePoints spaces() { return of_categories(kSeparators) | CodePoints({{9, 13}, {0x85, 0x85}}); }
CodePoints digits() { return of_categories(bit(Nd)); }
CodePoints words() { return from_table(kWordRanges); }

std::optional<CodePoints> property(std::string_view given) {
  std::string name;  // Names are compared without case, spaces, '-' and '_'.
  for (char c : given) {
    if (c == ' ' || c == '-' || c == '_') continue;
    name.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c);
  }
  struct Named {
    const char* names;
    uint32_t mask;
  };
  static constexpr Named kNamed[] = {{" l letter ", kLetters},
                                     {" lu uppercaseletter ", bit(Lu)},
                                     {" ll lowercaseletter ", bit(Ll)},
                                     {" lt titlecaseletter ", bit(Lt)},
                                     {" lm modifierletter ", bit(Lm)},
                                     {" lo otherletter ", bit(Lo)},
                                     {" m mark combiningmark ", kMarks},
                                     {" mn nonspacingmark ", bit(Mn)},
                                     {" mc spacingmark ", bit(Mc)},
                                     {" me enclosingmark ", bit(Me)},
                                     {" n number ", kNumbers},
                                     {" nd decimalnumber digit ", bit(Nd)},
                                     {" nl letternumber ", bit(Nl)},
                                     {" no othernumber ", bit(No)},
                                     {" p punctuation ", kPunctuation},
                                     {" pc connectorpunctuation ", bit(Pc)},
                                     {" pd dashpunctuation ", bit(Pd)},
                                     {" ps openpunctuation ", bit(Ps)},
                                     {" pe closepunctuation ", bit(Pe)},
                                     {" pi initialpunctuation ", bit(Pi)},
                                     {" pf finalpunctuation ", bit(Pf)},
                                     {" po otherpunctuation ", bit(Po)},
                                     {" s symbol ", kSymbols},
                                     {" sm mathsymbol ", bit(Sm)},
                                     {" sc currencysymbol ", bit(Sc)},
                                     {" sk modifiersymbol ", bit(Sk)},
                                     {" so othersymbol ", bit(So)},
                                     {" z separator ", kSeparators},
                                     {" zs spaceseparator ", bit(Zs)},
                                     {" zl lineseparator ", bit(Zl)},
                                     {" zp paragraphseparator ", bit(Zp)},
                                     {" c other ", kOthers},
                                     {" cc control cntrl ", bit(Cc)},
                                     {" cf format ", bit(Cf)},
                                     {" co privateuse ", bit(Co)},
                                     {" cn unassigned ", bit(Cn)},
                                     {" cs surrogate ", bit(Cs)}};
  const std::string key = fmt::format(" {} ", name);
  for (const Named& n : kNamed) {
    if (std::string_view(n.names).find(key) != std::string_view::npos) return of_categories(n.mask);
  }
  if (name == "han") return from_table(kHanRanges);
  if (name == "hiragana") return from_table(kHiraganaRanges);
  if (name == "katakana") return from_table(kKatakanaRanges);
  if (name == "hangul") return from_table(kHangulRanges);
  if (name == "any") return CodePoints::all();
  if (name == "space" || name == "whitespace") return spaces();
  if (name == "word") return words();
  if (name == "ascii") return CodePoints({{0, 127}});
  return std::nullopt;
}

Category category(uint32_t c) {
  const auto* after =
      std::upper_bound(std::begin(kCategoryRuns), std::end(kCategoryRuns), c << 5 | 31);
  return static_cast<Category>(*(after - 1) & 31);
}

bool is_space(uint32_t c) {
  if (c < 0x80) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85 || (kSeparators >> category(c) & 1) != 0;
}

bool is_rust_word(uint32_t c) {
  constexpr uint32_t kWord = kLetters | kMarks | bit(Nd) | bit(Nl) | bit(Pc);
  if ((kWord >> category(c) & 1) != 0) return true;
  // Join_Control, and the symbols that are Alphabetic.
  return c == 0x200C || c == 0x200D || (c >= 0x24B6 && c <= 0x24E9) ||
         (c >= 0x1F130 && c <= 0x1F149) || (c >= 0x1F150 && c <= 0x1F169) ||
         (c >= 0x1F170 && c <= 0x1F189);
}

bool is_punctuation(uint32_t c) { return in_table<kPunctuationRanges>(c); }
bool is_accent(uint32_t c) { return in_table<kAccentRanges>(c); }
bool is_numeric(uint32_t c) { return in_table<kNumericRanges>(c); }

uint32_t lower(uint32_t c) {
  constexpr size_t kRuns = std::size(kLowerRuns) / 4;
  size_t low = 0, high = kRuns;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (kLowerRuns[middle * 4] <= c)
      low = middle + 1;
    else
      high = middle;
  }
  // Runs of every other character may interleave: the one before may hold `c` too.
  for (size_t back = 0; back < 2 && low > back; ++back) {
    const uint32_t* run = kLowerRuns + (low - 1 - back) * 4;
    if (c <= run[1] && (c - run[0]) % run[2] == 0) return c + run[3];
  }
  return c;
}

bool is_norm_active(uint32_t c) { return (flags().of(c) & Flags::kActive) != 0; }
bool is_nfc_checked(uint32_t c) { return (flags().of(c) & Flags::kNfc) != 0; }

}  // namespace ashlar::unicode
