// Jinja2's lexer: what its regular expressions match, by hand.
#include "jinja/lexer.h"

#include <algorithm>
#include <cctype>
#include <charconv>

#include "base/character_runs.h"
#include "base/utf8.h"
#include "jinja/string.h"
#include "jinja/unicode.h"

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

class Lexer {
 public:
  Lexer(std::string_view source, int& line) : text_(normalize(source)), line_(line) { line_ = 1; }

  std::vector<Token> run() {
    while (at_ < text_.size()) root();
    add(TokenType::end, "");
    return std::move(tokens_);
  }

 private:
  bool starts(size_t at, std::string_view what) const {
    return at < text_.size() && text_.compare(at, what.size(), what) == 0;
  }

  size_t skip_space(size_t at) const { return utf8::end_of_run(text_, at, is_space); }

  // The - or + of the tag that begins at `at`, or a space.
  char sign_of(size_t at) const {
    return starts(at + 2, "-") || starts(at + 2, "+") ? text_[at + 2] : ' ';
  }

  // The end of `raw %}` at `at`, or 0.
  size_t raw_begin(size_t at) const {
    const size_t word = skip_space(at);
    return starts(word, "raw") ? tag_end(skip_space(word + 3), "%}", false) : 0;
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
    size_t at = text_.find('{', at_);
    while (at != std::string::npos && !starts(at, "{{") && !starts(at, "{%") && !starts(at, "{#"))
      at = text_.find('{', at + 1);
    if (at == std::string::npos) {
      add(TokenType::data, text_.substr(at_));
      pass(text_.size());
      return;
    }
    const char kind = text_[at + 1], sign = sign_of(at);
    data(at, sign, kind == '{');
    pass(at);
    const int line = line_;
    pass(at + (sign == ' ' ? 2 : 3));
    if (kind == '#') return comment();
    if (const size_t end = kind == '%' ? raw_begin(at_) : 0) {
      pass(end);
      return raw();
    }
    tokens_.push_back({kind == '%' ? TokenType::block_begin : TokenType::variable_begin, line, ""});
    inside(kind == '%');
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
      const size_t word = skip_space(at + (sign == ' ' ? 2 : 3));
      const size_t end = starts(word, "endraw") ? tag_end(skip_space(word + 6), "%}", true) : 0;
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
      } else if (c >= 0x80) {
        refuse(fmt::format("the character '{}' outside of strings is", character()));
      } else if (std::isdigit(static_cast<int>(c))) {
        number();
      } else if (in_name(text_[at_])) {
        name();
      } else if (c == '\'' || c == '"') {
        string(static_cast<char>(c));
      } else {
        op(open);
      }
    }
  }

  std::string character() const { return text_.substr(at_, char_size(text_, at_)); }
  static bool in_name(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

  // Where the digits from `at` end; single underscores may stand between them.
  size_t digits(size_t at, std::string_view known = "0123456789") const {
    const auto is_digit = [&](size_t i) {
      return i < text_.size() && known.find(text_[i]) != std::string_view::npos;
    };
    while (is_digit(at)) at += starts(at + 1, "_") && is_digit(at + 2) ? 2 : 1;
    return at;
  }

  // 0b11, 0o17 and 0x1f. Zeros alone begin no other digits: 0777 is no number.
  size_t end_from_zero() const {
    const char mark = static_cast<char>(text_[at_ + 1] | 0x20);
    const size_t first = at_ + (starts(at_ + 2, "_") ? 3 : 2);
    const size_t end = mark == 'b'   ? digits(first, "01")
                       : mark == 'o' ? digits(first, "01234567")
                       : mark == 'x' ? digits(first, "0123456789abcdefABCDEF")
                                     : first;
    return end > first ? end : digits(at_, "0");
  }

  void number() {
    const size_t integer = digits(at_);
    size_t end = integer;
    if (text_[at_ - 1] != '.') {
      if (starts(end, ".") && digits(end + 1) > end + 1) end = digits(end + 1);
      if (starts(end, "e") || starts(end, "E")) {
        const size_t exponent = end + (starts(end + 1, "+") || starts(end + 1, "-") ? 2 : 1);
        if (digits(exponent) > exponent) end = digits(exponent);
      }
    }
    const bool floating = end > integer;
    if (!floating && text_[at_] == '0') end = end_from_zero();
    std::string text = text_.substr(at_, end - at_);
    std::erase(text, '_');
    add(floating ? TokenType::floating : TokenType::integer, std::move(text));
    pass(end);
  }

  void name() {
    size_t end = at_;
    while (end < text_.size() && in_name(text_[end])) ++end;
    add(TokenType::name, text_.substr(at_, end - at_));
    pass(end);
  }

  void string(char quote) {
    size_t end = at_ + 1;
    while (end < text_.size() && text_[end] != quote) end += text_[end] == '\\' ? 2 : 1;
    if (end >= text_.size()) raise("unexpected char {} at {}", repr_string({&quote, 1}), count());
    add(TokenType::string, unescape(std::string_view(text_).substr(at_ + 1, end - at_ - 1)));
    pass(end + 1);
  }

  // Characters before this one.
  size_t count() const { return count_chars(std::string_view(text_).substr(0, at_)); }

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
      } else if (wanted) {
        uint32_t code = 0;
        const char* const digits = in.data() + i;
        const char* const most = digits + std::min(wanted, in.size() - i);
        if (std::from_chars(digits, most, code, 16).ptr != digits + wanted)
          raise("truncated \\{} escape", c == 'x' ? "xXX" : c == 'u' ? "uXXXX" : "UXXXXXXXX");
        if (code > 0x10ffff) raise("illegal Unicode character");
        i += wanted;
        utf8::append(code, out);
      } else if (c == 'N' || (c >= '0' && c <= '7')) {
        refuse(fmt::format("the escape '\\{}' is", c));
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
    if (text.empty()) raise("unexpected char '{}' at {}", character(), count());
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
