// The filter wordwrap: Python's textwrap of every line, with its habits.
#include <algorithm>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

/// What Python's textwrap takes for whitespace.
bool is_blank(uint32_t c) { return c == ' ' || (c >= '\t' && c <= '\r'); }
/// A letter, an underscore, or a number that is no decimal digit.
bool is_letter(uint32_t c) { return is_word(c) && !is_decimal(c); }
bool ends_word(uint32_t c) {
  return is_word(c) || c == '!' || c == '"' || c == '\'' || c == '&' || c == '.' || c == ',' ||
         c == '?';
}

/// A piece that is not divided unless it is longer than a line.
struct Chunk {
  size_t begin, end;  // characters
};

struct Options {
  int64_t width;
  bool break_long_words, break_on_hyphens, divide_at_hyphens;
};

class Line {
 public:
  explicit Line(const Str& text) : text_(text) {
    Charge charge;
    charge.take(text.length * (sizeof(uint32_t) + sizeof(size_t)));
    for (size_t at = 0; at < text.bytes.size(); at += char_size(text.bytes, at)) {
      chars_.push_back(char_at(text.bytes, at));
      offsets_.push_back(at);
    }
    offsets_.push_back(text.bytes.size());
  }

  void wrap(const Options& options, std::vector<Value>& lines) const;

 private:
  bool letter(size_t i) const { return i < chars_.size() && is_letter(chars_[i]); }
  bool dash(size_t i) const { return i < chars_.size() && chars_[i] == '-'; }
  bool blank(Chunk c) const {
    return std::all_of(chars_.begin() + static_cast<std::ptrdiff_t>(c.begin),
                       chars_.begin() + static_cast<std::ptrdiff_t>(c.end), is_space);
  }
  size_t after_dashes(size_t i) const {
    while (dash(i)) ++i;
    return i;
  }
  /// At least two dashes that stand between words, from i on.
  bool long_dash(size_t i) const {
    if (i == 0 || !ends_word(chars_[i - 1]) || !dash(i) || !dash(i + 1)) return false;
    const size_t end = after_dashes(i);
    return end < chars_.size() && is_word(chars_[end]);
  }
  /// A hyphen of a compound word: letters on both sides.
  bool hyphen(size_t i) const {
    if (!dash(i) || i < 2 || !letter(i - 1)) return false;
    const bool before = letter(i - 2) || (i >= 3 && dash(i - 2) && letter(i - 3));
    return before && letter(i + 1) && (letter(i + 2) || (dash(i + 2) && letter(i + 3)));
  }
  size_t end_of_chunk(size_t i, bool divide) const;
  /// How much of a chunk that is too long goes onto a line with `room` characters left.
  size_t first_part(Chunk chunk, size_t room, bool at_hyphens) const;
  Value text(size_t begin, size_t end) const {
    return with_markup(slice_bytes(text_, offsets_[begin], offsets_[end]), false);
  }

  const Str& text_;
  std::vector<uint32_t> chars_;
  std::vector<size_t> offsets_;
};

size_t Line::end_of_chunk(size_t i, bool divide) const {
  const size_t size = chars_.size();
  const bool blanks = is_blank(chars_[i]);
  if (blanks || !divide) {
    while (i < size && is_blank(chars_[i]) == blanks) ++i;
    return i;
  }
  if (long_dash(i)) return after_dashes(i);
  for (++i; i < size && !is_blank(chars_[i]); ++i) {
    if (hyphen(i)) return i + 1;
    if (long_dash(i)) return i;
  }
  return i;
}

size_t Line::first_part(Chunk chunk, size_t room, bool at_hyphens) const {
  const size_t size = chunk.end - chunk.begin;
  if (!at_hyphens || size <= room) return std::min(room, size);
  size_t end = room;
  while (end > 0 && !dash(chunk.begin + end - 1)) --end;
  for (size_t i = 0; i + 1 < end; ++i) {
    if (!dash(chunk.begin + i)) return end;
  }
  return room;
}

void Line::wrap(const Options& options, std::vector<Value>& lines) const {
  const auto width = static_cast<size_t>(options.width);
  std::vector<Chunk> chunks;
  Charge charge;
  for (size_t i = 0; i < chars_.size(); i = chunks.back().end) {
    charge.take(sizeof(Chunk));
    chunks.push_back({i, end_of_chunk(i, options.divide_at_hyphens)});
  }
  const size_t first_line = lines.size();
  for (size_t next = 0; next < chunks.size();) {
    Budget::current()->step();
    if (lines.size() > first_line && blank(chunks[next])) ++next;
    if (next == chunks.size()) break;
    const size_t begin = chunks[next].begin;
    size_t end = begin;
    Chunk last = {begin, begin};
    const auto take = [&](Chunk c) {
      last = c;
      end = c.end;
    };
    while (next < chunks.size() && chunks[next].end - begin <= width) take(chunks[next++]);
    if (next < chunks.size() && chunks[next].end - chunks[next].begin > width) {
      Chunk& chunk = chunks[next];
      if (options.break_long_words) {
        const size_t part = first_part(chunk, width - (end - begin), options.break_on_hyphens);
        take({chunk.begin, chunk.begin + part});
        chunk.begin += part;
      } else if (end == begin) {
        take(chunks[next++]);
      }
    }
    // An empty last part keeps blanks before it, as in Python.
    if (last.end > last.begin && blank(last)) end = last.begin;
    if (end > begin) lines.push_back(text(begin, end));
  }
}

}  // namespace

Value filter_wordwrap(Interpreter&, const Value& value, Args& args) {
  const Bound bound("wordwrap", args,
                    {"width", "break_long_words", "wrapstring", "break_on_hyphens"});
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is(Kind::string)) raise("'{}' object has no attribute 'splitlines'", type_name(value));
  const bool hyphens_given = bound.has(3);
  const Options options = {.width = bound.integer(0, 79),
                           .break_long_words = bound.truth(1, true),
                           .break_on_hyphens = bound.truth(3, true),
                           // Python asks whether it is True itself.
                           .divide_at_hyphens = !hyphens_given || (bound.at(3).is(Kind::boolean) &&
                                                                   bound.at(3).as_bool())};
  const Value separator = bound.is_none(2) ? Value::string("\n") : bound.at(2);
  if (!separator.is(Kind::string))
    raise("'{}' object has no attribute 'join'", type_name(separator));
  std::vector<Value> paragraphs;
  const Value source = split_lines(value, false);
  for (const Value& line : source.items()) {
    if (options.width <= 0) raise("invalid width {} (must be > 0)", options.width);
    std::vector<Value> lines;
    Line(line.as_str()).wrap(options, lines);
    paragraphs.push_back(join(separator, Value::list(std::move(lines))));
  }
  return join(separator, Value::list(std::move(paragraphs)));
}

}  // namespace ashlar::jinja
