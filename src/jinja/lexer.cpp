// Jinja2's lexer: what its regular expressions match, by hand.
#include "jinja/lexer.h"

#include <algorithm>

#include "base/character_runs.h"
#include "base/utf8.h"
#include "jinja/unicode.h"
#include "jinja/value.h"

namespace ashlar::jinja {
namespace {

std::string normalize(std::string_view source) {
  std::string out;
  out.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      out += source[i];
      continue;
    }
    out += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

bool hex_digit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

class Lexer {
 public:
  Lexer(std::string_view source, int& line) : text_(normalize(source)), line_(line) { line_ = 1; }

  std::vector<Token> run() {
    while (at_ < text_.size()) root();
    add(TokenType::end, "");
    return std::move(tokens_);
  }

 private:
  enum class Tag { none, raw, block, variable, comment };

  bool starts(size_t at, std::string_view what) const {
    return at < text_.size() && text_.compare(at, what.size(), what) == 0;
  }

  size_t skip_space(size_t at) const { return utf8::end_of_run(text_, at, is_space); }

  // The - or + of the tag that begins at `at`, or a space.
  char sign_of(size_t at) const {
    return starts(at + 2, "-") || starts(at + 2, "+") ? text_[at + 2] : ' ';
  }

  // `{%- raw -%}` from `at`: where it ends, or 0.
  size_t raw_begin(size_t at) const {
    size_t i = skip_space(at + (sign_of(at) == ' ' ? 2 : 3));
    if (!starts(i, "raw")) return 0;
    i = skip_space(i + 3);
    if (starts(i, "-%}")) return skip_space(i + 3);
    return starts(i, "%}") ? i + 2 : 0;
  }

  // The end of a tag's closing delimiter `close` from `at`, with its whitespace control; 0 where
  // there is none.
  size_t tag_end(size_t at, std::string_view close, bool plus_and_trim) const {
    if (starts(at, "-") && starts(at + 1, close)) return skip_space(at + 1 + close.size());
    if (plus_and_trim && starts(at, "+") && starts(at + 1, close)) return at + 1 + close.size();
    if (!starts(at, close)) return 0;
    at += close.size();
    return plus_and_trim && starts(at, "\n") ? at + 1 : at;
  }

  void add(TokenType type, std::string text) {
    Budget::current()->take(sizeof(Token) + text.size());
    tokens_.push_back({type, line_, std::move(text)});
  }

  // Moves past [at_, end), which counts its lines and says whether a line now starts.
  void pass(size_t end) {
    line_ += static_cast<int>(std::count(text_.begin() + static_cast<std::ptrdiff_t>(at_),
                                         text_.begin() + static_cast<std::ptrdiff_t>(end), '\n'));
    line_starting_ = end > at_ && text_[end - 1] == '\n';
    at_ = end;
  }

  // Data before a tag whose sign is `sign`: the whitespace that the tag takes away is cut.
  void data(size_t end, char sign, bool variable) {
    std::string_view data(text_.data() + at_, end - at_);
    if (sign == '-') {
      data = data.substr(0, utf8::begin_of_run(data, 0, data.size(), is_space));
    } else if (sign != '+' && !variable) {
      const size_t line_begin = data.rfind('\n') + 1;  // 0 where there is none
      if ((line_begin > 0 || line_starting_) &&
          utf8::end_of_run(data, line_begin, is_space) == data.size())
        data = data.substr(0, line_begin);
    }
    if (!data.empty()) add(TokenType::data, std::string(data));
  }

  void root() {
    Tag tag = Tag::none;
    size_t at = at_, raw_end = 0;
    for (;; ++at) {
      at = text_.find('{', at);
      if (at == std::string::npos || at + 1 >= text_.size()) break;
      const char next = text_[at + 1];
      if (next == '{') tag = Tag::variable;
      if (next == '#') tag = Tag::comment;
      if (next == '%') tag = (raw_end = raw_begin(at)) ? Tag::raw : Tag::block;
      if (tag != Tag::none) break;
    }
    if (tag == Tag::none) {
      add(TokenType::data, text_.substr(at_));
      pass(text_.size());
      return;
    }
    const char sign = sign_of(at);
    const size_t end = tag == Tag::raw ? raw_end : at + (sign == ' ' ? 2 : 3);
    data(at, sign, tag == Tag::variable);
    pass(at);
    const int line = line_;
    pass(end);
    if (tag == Tag::raw) return raw();
    if (tag == Tag::comment) return comment();
    tokens_.push_back(
        {tag == Tag::block ? TokenType::block_begin : TokenType::variable_begin, line, ""});
    inside(tag == Tag::block);
  }

  void comment() {
    for (size_t at = at_; at < text_.size(); ++at) {
      at = text_.find_first_of("-+#", at);
      if (at == std::string::npos) break;
      if (const size_t end = tag_end(at, "#}", true)) return pass(end);
    }
    raise("Missing end of comment tag");
  }

  void raw() {
    for (size_t at = at_; (at = text_.find("{%", at)) != std::string::npos; ++at) {
      const char sign = sign_of(at);
      const size_t i = skip_space(at + (sign == ' ' ? 2 : 3));
      if (!starts(i, "endraw")) continue;
      const size_t end = tag_end(skip_space(i + 6), "%}", true);
      if (!end) continue;
      data(at, sign, false);
      return pass(end);
    }
    raise("Missing end of raw directive");
  }

  // The inside of a block or variable tag, up to and with its end.
  void inside(bool block) {
    std::string open;
    while (at_ < text_.size()) {
      Budget::current()->step();
      if (open.empty()) {
        if (const size_t end = tag_end(at_, block ? "%}" : "}}", block)) {
          add(block ? TokenType::block_end : TokenType::variable_end, "");
          return pass(end);
        }
      }
      const uint32_t c = char_at(text_, at_);
      if (is_space(c)) {
        pass(skip_space(at_));
      } else if (is_decimal(c)) {
        number();
      } else if (is_word(c) || is_identifier_part(c)) {
        name();
      } else if (c == '\'' || c == '"') {
        string(static_cast<char>(c));
      } else {
        op(open);
      }
    }
  }

  // Where the characters from `at` that `belong` end; single underscores may stand between them, and
  // before the first where `led`.
  size_t run(size_t at, auto&& belong, bool led = false) const {
    for (bool may = led;; may = true) {
      const size_t next = may && starts(at, "_") ? at + 1 : at;
      if (next >= text_.size() || !belong(text_[next])) return at;
      at = next + 1;
    }
  }
  size_t digits(size_t at) const {
    return run(at, [](char c) { return c >= '0' && c <= '9'; });
  }

  // The end of a number with a point or an exponent, or `at_`.
  size_t float_end() const {
    const size_t integer = digits(at_);
    if (integer == at_ || (at_ > 0 && text_[at_ - 1] == '.')) return at_;
    size_t end = integer;
    if (starts(end, ".") && digits(end + 1) > end + 1) end = digits(end + 1);
    if (starts(end, "e") || starts(end, "E")) {
      const size_t exponent = end + (starts(end + 1, "+") || starts(end + 1, "-") ? 2 : 1);
      if (digits(exponent) > exponent) return digits(exponent);
    }
    return end > integer ? end : at_;
  }

  // Zeros alone begin no other digits: 0777 is no number.
  size_t integer_end() const {
    if (text_[at_] != '0') return digits(at_);
    const char mark = at_ + 1 < text_.size() ? static_cast<char>(text_[at_ + 1] | 0x20) : ' ';
    const size_t first = at_ + 2;
    size_t end = first;
    if (mark == 'b')
      end = run(
          first, [](char c) { return c == '0' || c == '1'; }, true);
    if (mark == 'o')
      end = run(
          first, [](char c) { return c >= '0' && c <= '7'; }, true);
    if (mark == 'x') end = run(first, hex_digit, true);
    return end > first ? end : run(at_, [](char c) { return c == '0'; });
  }

  void number() {
    const size_t floating = float_end();
    const size_t end = floating > at_ ? floating : integer_end();
    if (end == at_) return name();  // digits of other scripts
    std::string text = text_.substr(at_, end - at_);
    std::erase(text, '_');
    add(floating > at_ ? TokenType::floating : TokenType::integer, std::move(text));
    pass(end);
  }

  void name() {
    size_t end = at_;
    while (end < text_.size()) {
      const uint32_t c = char_at(text_, end);
      if (!is_word(c) && !is_identifier_part(c)) break;
      end += char_size(text_, end);
    }
    bool valid = is_identifier_start(char_at(text_, at_));
    for (size_t i = at_; i < end; i += char_size(text_, i))
      valid &= is_identifier_part(char_at(text_, i));
    if (!valid) raise("Invalid character in identifier");
    add(TokenType::name, text_.substr(at_, end - at_));
    pass(end);
  }

  void string(char quote) {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) raise("unexpected char {} at {}", repr_char(quote), count(at_));
    add(TokenType::string, unescape(std::string_view(text_).substr(at_ + 1, end - at_ - 1)));
    pass(end + 1);
  }

  static std::string repr_char(char c) { return c == '\'' ? "\"'\"" : fmt::format("'{}'", c); }
  size_t count(size_t end) const {
    return static_cast<size_t>(std::count_if(text_.begin(),
                                             text_.begin() + static_cast<std::ptrdiff_t>(end),
                                             [](char c) { return (c & 0xc0) != 0x80; }));
  }

  // Python's unicode-escape codec.
  static std::string unescape(std::string_view in) {
    std::string out;
    for (size_t i = 0; i < in.size();) {
      if (in[i] != '\\' || i + 1 >= in.size()) {
        out += in[i++];
        continue;
      }
      const char c = in[i + 1];
      i += 2;
      constexpr std::string_view kFrom = "\\'\"abfnrtv", kTo = "\\'\"\a\b\f\n\r\t\v";
      const size_t wanted = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
      if (const size_t known = kFrom.find(c); known != std::string_view::npos) {
        out += kTo[known];
      } else if (c == '\n') {
        continue;
      } else if (c >= '0' && c <= '7') {
        uint32_t code = 0;
        --i;
        for (int n = 0; n < 3 && i < in.size() && in[i] >= '0' && in[i] <= '7'; ++n) {
          code = code * 8 + static_cast<uint32_t>(in[i++] - '0');
        }
        utf8::append(code, out);
      } else if (wanted) {
        uint64_t code = 0;
        size_t n = 0;
        for (; n < wanted && i < in.size() && hex_digit(in[i]); ++n, ++i) {
          const char h = in[i];
          code = code * 16 + static_cast<uint64_t>(h <= '9' ? h - '0' : (h | 0x20) - 'a' + 10);
        }
        if (n < wanted)
          raise("truncated \\{} escape", c == 'x' ? "xXX" : c == 'u' ? "uXXXX" : "UXXXXXXXX");
        if (code > 0x10ffff) raise("illegal Unicode character");
        utf8::append(static_cast<uint32_t>(code), out);
      } else if (c == 'N') {
        throw Failure{"\\N{...} in a string is not supported: write the character itself",
                      ErrorKind::unsupported};
      } else if (static_cast<unsigned char>(c) >= 0x80) {
        // Jinja2 spells out characters beyond ASCII before it unescapes: the backslash meets
        // another.
        const uint32_t code = char_at(in, i - 1);
        i += char_size(in, i - 1) - 1;
        out += escaped(code);
      } else {
        out += '\\';
        out += c;
      }
    }
    return out;
  }

  void op(std::string& open) {
    constexpr std::string_view kTwo[] = {"//", "**", "==", "!=", ">=", "<="};
    constexpr std::string_view kOne = "+-/*%~[](){}<>=.:|,;";
    std::string text;
    for (const auto two : kTwo) {
      if (starts(at_, two)) text = two;
    }
    const char c = text_[at_];
    if (text.empty() && kOne.find(c) != std::string_view::npos) text = c;
    if (text.empty()) {
      raise("unexpected char '{}' at {}", text_.substr(at_, char_size(text_, at_)), count(at_));
    }
    if (c == '(') open += ')';
    if (c == '[') open += ']';
    if (c == '{') open += '}';
    if (c == ')' || c == ']' || c == '}') {
      if (open.empty()) raise("unexpected '{}'", c);
      if (open.back() != c) raise("unexpected '{}', expected '{}'", c, open.back());
      open.pop_back();
    }
    const size_t size = text.size();
    add(TokenType::op, std::move(text));
    pass(at_ + size);
  }

  std::string text_;
  int& line_;
  size_t at_ = 0;
  bool line_starting_ = true;
  std::vector<Token> tokens_;
};

}  // namespace

std::vector<Token> tokenize(std::string_view source, int& line) {
  return Lexer(source, line).run();
}

std::string describe(const Token& token) {
  // Names and operators are called by their text.
  static constexpr const char* kNames[] = {"template data / text",
                                           "begin of statement block",
                                           "end of statement block",
                                           "begin of print statement",
                                           "end of print statement",
                                           nullptr,
                                           "string",
                                           "integer",
                                           "float",
                                           nullptr,
                                           "end of template"};
  static_assert(std::size(kNames) == static_cast<size_t>(TokenType::end) + 1);
  const char* name = kNames[static_cast<size_t>(token.type)];
  return name ? name : token.text;
}

}  // namespace ashlar::jinja
