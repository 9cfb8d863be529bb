// Finding the matches of a pattern in text, left to right, as Hugging Face's tokenizers do.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace ashlar {

struct PatternNode;

/// A regular expression as a table: one step per character, whatever the expression. It matches at
/// a position what a backtracking matcher would (the first alternative that leads to a match).
/// Assertions about one character ahead (`(?!\S)`, `$`) are part of the table.
class Dfa {
 public:
  static constexpr size_t kNone = SIZE_MAX;
  /// Null if the expression is not regular, or too large.
  static std::unique_ptr<Dfa> build(const PatternNode& root);

  /// The end of the match that begins at `from`, or kNone. `text` is valid UTF-8.
  size_t match(std::string_view text, size_t from) const;
  /// Whether a match may begin with this byte.
  bool may_begin(unsigned char byte) const { return may_begin_[byte]; }

 private:
  friend class DfaBuilder;
  uint32_t class_of(uint32_t c) const { return pages_[page_[c >> 8] * 256u + (c & 255)]; }

  uint8_t ascii_[128];
  std::vector<uint16_t> page_;  // c >> 8 to a page of 256 classes
  std::vector<uint8_t> pages_;
  std::vector<uint32_t>
      table_;               // [state offset + class]: next state's offset << 1 | a match ended here
  uint32_t end_class_ = 0;  // the class of "no more text"
  uint32_t start_ = 0;
  bool may_begin_[256];
};

/// Any other expression.
class PcreMatcher {
 public:
  PcreMatcher(const PatternNode& root, std::string_view where);
  /// The first match at or after `from`. Throws Error(resource) when the search takes too long.
  bool find(std::string_view text, size_t from, size_t& start, size_t& end) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
  std::string where_;
};

class Pattern {
 public:
  /// Throws Error; `where` names the pattern in it.
  static Pattern regex(std::string_view source, std::string_view where);
  static Pattern literal(std::string_view text);

  /// Calls piece(start, end, is_match) for the matches and for what is between them, in order:
  /// together all of `text`. Empty matches are reported too.
  template <class F>
  void split(std::string_view text, F&& piece) const {
    size_t done = 0, from = 0, last_end = Dfa::kNone, start = 0, end = 0;
    while (from <= text.size() && find(text, from, start, end)) {
      if (start == end && last_end == end) {  // no empty match right behind a match
        from = after(text, from);
        continue;
      }
      if (done != start) piece(done, start, false);
      piece(start, end, true);
      done = from = last_end = end;
    }
    if (done != text.size()) piece(done, text.size(), false);
  }

  /// `text` with `content` in the place of every match; grown(bytes) may refuse what it becomes.
  template <class Grown>
  std::string replaced(std::string_view text, std::string_view content, Grown&& grown) const {
    std::string out;
    out.reserve(text.size());
    split(text, [&](size_t begin, size_t end, bool is_match) {
      out += is_match ? content : text.substr(begin, end - begin);
      grown(out.size());
    });
    return out;
  }

 private:
  bool find(std::string_view text, size_t from, size_t& start, size_t& end) const;
  static size_t after(std::string_view text, size_t at);

  std::string literal_;
  std::shared_ptr<const Dfa> dfa_;
  std::shared_ptr<const PcreMatcher> pcre_;
  /// For expressions X+Y: where the match fails at a character of X, it fails in all of that run of
  /// X.
  std::shared_ptr<const Dfa> leading_run_;
};

}  // namespace ashlar
