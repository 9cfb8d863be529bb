// What Python knows of characters beyond utf8proc's tables: cased letters outside the letter
// categories, digits that are not decimal. Generated from Python's unicodedata (Unicode 14) as a
// difference to utf8proc.
#include "jinja/unicode.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <iterator>

#include "base/utf8.h"

namespace ashlar::jinja {
namespace {

struct Range {
  uint32_t first, last;
};

constexpr Range kOtherLowercase[] = {
    {0xaa, 0xaa},       {0xba, 0xba},       {0x2b0, 0x2b8},     {0x2c0, 0x2c1},
    {0x2e0, 0x2e4},     {0x345, 0x345},     {0x37a, 0x37a},     {0x1d2c, 0x1d6a},
    {0x1d78, 0x1d78},   {0x1d9b, 0x1dbf},   {0x2071, 0x2071},   {0x207f, 0x207f},
    {0x2090, 0x209c},   {0x2170, 0x217f},   {0x24d0, 0x24e9},   {0x2c7c, 0x2c7d},
    {0xa69c, 0xa69d},   {0xa770, 0xa770},   {0xa7f8, 0xa7f9},   {0xab5c, 0xab5f},
    {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107b0}, {0x107b2, 0x107ba},
};

constexpr Range kOtherUppercase[] = {
    {0x2160, 0x216f}, {0x24b6, 0x24cf}, {0x1f130, 0x1f149}, {0x1f150, 0x1f169}, {0x1f170, 0x1f189},
};

constexpr Range kOtherDigit[] = {
    {0xb2, 0xb3},       {0xb9, 0xb9},       {0x1369, 0x1371},   {0x19da, 0x19da},
    {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
    {0x2474, 0x247c},   {0x2488, 0x2490},   {0x24ea, 0x24ea},   {0x24f5, 0x24fd},
    {0x24ff, 0x24ff},   {0x2776, 0x277e},   {0x2780, 0x2788},   {0x278a, 0x2792},
    {0x10a40, 0x10a43}, {0x10e60, 0x10e68}, {0x11052, 0x1105a}, {0x1f100, 0x1f10a},
};

template <size_t N>
bool within(const Range (&ranges)[N], uint32_t c) {
  const auto* it = std::upper_bound(std::begin(ranges), std::end(ranges), c,
                                    [](uint32_t value, const Range& r) { return value < r.first; });
  return it != std::begin(ranges) && c <= std::prev(it)->last;
}

utf8proc_category_t category(uint32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

}  // namespace

size_t char_size(std::string_view text, size_t at) {
  return std::min(utf8::length(static_cast<unsigned char>(text[at])), text.size() - at);
}

uint32_t char_at(std::string_view text, size_t at) { return utf8::next(text, at); }

bool is_space(uint32_t c) {
  return (c >= 0x09 && c <= 0x0d) || (c >= 0x1c && c <= 0x20) || c == 0x85 || c == 0xa0 ||
         c == 0x1680 || (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
         c == 0x205f || c == 0x3000;
}

bool is_line_break(uint32_t c) {
  return (c >= 0x0a && c <= 0x0d) || (c >= 0x1c && c <= 0x1e) || c == 0x85 || c == 0x2028 ||
         c == 0x2029;
}

bool is_alpha(uint32_t c) {
  const auto k = category(c);
  return k >= UTF8PROC_CATEGORY_LU && k <= UTF8PROC_CATEGORY_LO;
}

bool is_decimal(uint32_t c) { return category(c) == UTF8PROC_CATEGORY_ND; }
bool is_digit(uint32_t c) { return is_decimal(c) || within(kOtherDigit, c); }

bool is_alnum(uint32_t c) {
  const auto k = category(c);
  return is_alpha(c) || (k >= UTF8PROC_CATEGORY_ND && k <= UTF8PROC_CATEGORY_NO) || is_digit(c);
}
bool is_lower(uint32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LL || within(kOtherLowercase, c);
}
bool is_upper(uint32_t c) {
  return category(c) == UTF8PROC_CATEGORY_LU || within(kOtherUppercase, c);
}
bool is_title(uint32_t c) { return category(c) == UTF8PROC_CATEGORY_LT; }
bool is_cased(uint32_t c) { return is_lower(c) || is_upper(c) || is_title(c); }

bool is_case_ignorable(uint32_t c) {
  const auto k = category(c);
  if (k == UTF8PROC_CATEGORY_MN || k == UTF8PROC_CATEGORY_ME || k == UTF8PROC_CATEGORY_CF ||
      k == UTF8PROC_CATEGORY_LM || k == UTF8PROC_CATEGORY_SK)
    return true;
  for (const uint32_t other :
       {0x27u, 0x2eu, 0x3au, 0xb7u, 0x387u, 0x55fu, 0x5f4u, 0x2018u, 0x2019u, 0x2024u, 0x2027u,
        0xfe13u, 0xfe52u, 0xfe55u, 0xff07u, 0xff0eu, 0xff1au}) {
    if (c == other) return true;
  }
  return false;
}

bool is_printable(uint32_t c) {
  const auto k = category(c);
  return c == ' ' || (k > UTF8PROC_CATEGORY_CN && k < UTF8PROC_CATEGORY_ZS);
}

int digit_value(uint32_t c) {
  if (!is_decimal(c)) return -1;
  // Decimal digits come in runs of ten consecutive characters that start with the zero.
  uint32_t zero = c;
  while (is_decimal(zero - 1)) --zero;
  return static_cast<int>((c - zero) % 10);
}

// Small letters that become several characters (SpecialCasing) are those that fold to several: in
// upper case each of these in upper case, in title case the first letter, with iotas below it.
bool append_special(uint32_t c, bool title, std::string& out) {
  utf8proc_int32_t folded[8];
  int boundary = 0;
  const auto n = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), folded, 8,
                                         UTF8PROC_CASEFOLD, &boundary);
  if (n < 2 || n > 8 || category(c) == UTF8PROC_CATEGORY_LU) return false;
  constexpr utf8proc_int32_t kIota = 0x3b9, kIotaBelow = 0x345;
  bool begun = false;
  for (utf8proc_ssize_t i = 0; i < n; ++i) {
    const utf8proc_int32_t upper = utf8proc_toupper(folded[i]);
    const utf8proc_int32_t other = title && begun ? folded[i] : upper;
    begun |= upper != folded[i];
    utf8::append(static_cast<uint32_t>(other == kIota ? kIotaBelow : other), out);
  }
  return true;
}

void append_upper(uint32_t c, std::string& out) {
  if (!append_special(c, false, out))
    utf8::append(static_cast<uint32_t>(utf8proc_toupper(static_cast<int32_t>(c))), out);
}

void append_lower(uint32_t c, std::string& out) {
  if (c == 0x130)
    out += "i\xcc\x87";
  else
    utf8::append(static_cast<uint32_t>(utf8proc_tolower(static_cast<int32_t>(c))), out);
}

std::string escaped(uint32_t c) {
  return c < 0x100     ? fmt::format("\\x{:02x}", c)
         : c < 0x10000 ? fmt::format("\\u{:04x}", c)
                       : fmt::format("\\U{:08x}", c);
}

void append_title(uint32_t c, std::string& out) {
  const auto title = static_cast<uint32_t>(utf8proc_totitle(static_cast<int32_t>(c)));
  if (title != c || category(c) == UTF8PROC_CATEGORY_LT || !append_special(c, true, out))
    utf8::append(title, out);
}

}  // namespace ashlar::jinja
