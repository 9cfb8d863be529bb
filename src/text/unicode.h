// Classes of characters as Hugging Face's tokenizers see them (Unicode 16), and sets of code
// points.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

namespace ashlar::unicode {

inline constexpr uint32_t kLast = 0x10FFFF;

/// General categories, in the order of the generated table.
enum Category : uint8_t {
  Lu,
  Ll,
  Lt,
  Lm,
  Lo,
  Mn,
  Mc,
  Me,
  Nd,
  Nl,
  No,
  Pc,
  Pd,
  Ps,
  Pe,
  Pi,
  Pf,
  Po,
  Sm,
  Sc,
  Sk,
  So,
  Zs,
  Zl,
  Zp,
  Cc,
  Cf,
  Co,
  Cn,
  Cs
};

/// A set of code points: sorted, disjoint, non-adjacent ranges [first, last].
class CodePoints {
 public:
  using Range = std::pair<uint32_t, uint32_t>;
  CodePoints() = default;
  explicit CodePoints(std::vector<Range> ranges);  // in any order, may overlap
  static CodePoints all() { return CodePoints({{0, kLast}}); }

  const std::vector<Range>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }
  bool contains(uint32_t c) const;
  CodePoints complement() const;
  CodePoints operator|(const CodePoints& other) const;
  CodePoints operator&(const CodePoints& other) const;

 private:
  std::vector<Range> ranges_;
};

/// The categories whose bits (1 << Category) are set.
CodePoints of_categories(uint32_t mask);
/// \p{name}: a general category ("L", "Lu", "Letter"), Han, Hiragana, Katakana, Hangul, Any, a
/// POSIX class such as Alnum. Nothing for a name that is not known here.
std::optional<CodePoints> property(std::string_view name);
CodePoints spaces();  // \s, which is the property White_Space
CodePoints digits();  // \d
CodePoints words();   // \w

Category category(uint32_t c);
bool is_space(uint32_t c);
/// \w as Rust's regular expressions read it, which added tokens with `single_word` go by.
bool is_rust_word(uint32_t c);
/// What the Punctuation pre-tokenizer and the StripAccents normalizer go by: an older Unicode.
bool is_punctuation(uint32_t c);
bool is_accent(uint32_t c);
bool is_numeric(uint32_t c);
/// The lower case, where it is one character.
uint32_t lower(uint32_t c);

/// Whether any normalization form may change, move or compose `c`.
bool is_norm_active(uint32_t c);
/// Whether `c` may not stand in NFC text as it is.
bool is_nfc_checked(uint32_t c);

}  // namespace ashlar::unicode
