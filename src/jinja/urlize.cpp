// The filter urlize: addresses in a text become links, as Jinja2 finds them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string>

#include "jinja/builtin.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

/// Regular expressions that ignore case in Python take a few characters beyond ASCII for letters.
uint32_t folded(uint32_t c) {
  if (c >= 'A' && c <= 'Z') return c + ('a' - 'A');
  if (c == 0x130 || c == 0x131) return 'i';
  if (c == 0x17F) return 's';
  if (c == 0x212A) return 'k';
  return c;
}

std::u32string decoded(std::string_view bytes) {
  std::u32string out;
  for (size_t at = 0; at < bytes.size(); at += char_size(bytes, at))
    out += static_cast<char32_t>(char_at(bytes, at));
  return out;
}

std::u32string folded(std::u32string text) {
  for (char32_t& c : text) c = folded(c);
  return text;
}

using Word = std::u32string_view;

template <class F>
size_t run_length(Word text, F holds) {
  size_t n = 0;
  while (n < text.size() && holds(text[n])) ++n;
  return n;
}

template <class F>
bool all_of(Word text, F holds) {
  return run_length(text, holds) == text.size();
}

bool is_host(char32_t c) { return is_word(c) || c == '%' || c == '-' || c == '.'; }
bool is_hex(char32_t c) { return is_decimal(c) || (c >= 'a' && c <= 'f'); }
bool is_latin(char32_t c) { return c >= 'a' && c <= 'z'; }

std::vector<Word> split(Word text, char32_t at) {
  std::vector<Word> parts;
  for (;;) {
    const size_t end = text.find(at);
    parts.push_back(text.substr(0, end));
    if (end == Word::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

/// :80 and /path, or nothing.
bool is_port_and_path(Word rest) {
  if (rest.starts_with(U':')) {
    rest.remove_prefix(1);
    const size_t digits = std::min<size_t>(run_length(rest, is_decimal), 5);
    if (digits == 0) return false;
    rest.remove_prefix(digits);
  }
  return rest.empty() || rest[0] == '/' || rest[0] == '?' || rest[0] == '#';
}

/// names.of.any.tld after a scheme or "www."
bool is_named_host(Word host) {
  const std::vector<Word> parts = split(host, U'.');
  if (!std::all_of(parts.begin(), parts.end(), [](Word p) { return !p.empty(); })) return false;
  Word top = parts.back();
  if (top.size() >= 2 && top.size() <= 63 && all_of(top, is_latin)) return true;
  if (!top.starts_with(U"xn--")) return false;
  top.remove_prefix(4);
  return top.size() >= 2 && top.size() <= 59 && top.find(U'-') == Word::npos;
}

/// name.com, without anything before it.
bool is_bare_host(Word host) {
  constexpr std::array<Word, 8> kTops = {U"com", U"net", U"int",  U"edu",
                                         U"gov", U"org", U"info", U"mil"};
  const std::vector<Word> parts = split(host, U'.');
  return parts.size() >= 2 && std::find(kTops.begin(), kTops.end(), parts.back()) != kTops.end() &&
         std::all_of(parts.begin(), parts.end() - 1,
                     [](Word p) { return p.size() >= 2 && p.size() <= 63; });
}

/// Characters of an IPv4 or [IPv6] address that `text` begins with; 0: none.
size_t ip_address(Word text) {
  if (!text.starts_with(U'[')) {
    const size_t end = run_length(text, [](char32_t c) { return is_decimal(c) || c == '.'; });
    const std::vector<Word> parts = split(text.substr(0, end), U'.');
    const bool fits = parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](Word p) {
                        return !p.empty() && p.size() <= 3;
                      });
    return fits ? end : 0;
  }
  const size_t inner = run_length(text.substr(1), [](char32_t c) { return is_hex(c) || c == ':'; });
  if (inner + 1 >= text.size() || text[inner + 1] != ']') return 0;
  const std::vector<Word> parts = split(text.substr(1, inner), U':');
  // Two groups of at most four digits that end in a colon, then at most six that may.
  if (parts.size() < 3 || parts[0].size() > 4 || parts[1].size() > 4) return 0;
  size_t groups = 0;
  for (size_t i = 2; i < parts.size(); ++i) {
    const size_t colon = i + 1 < parts.size() ? 1 : 0;
    groups += std::max((parts[i].size() + 3) / 4, colon);
  }
  return groups <= 6 ? inner + 2 : 0;
}

bool is_web_address(Word text) {
  size_t scheme = 0;
  for (const Word s : {Word(U"http://"), Word(U"https://")}) {
    if (text.starts_with(s)) scheme = s.size();
  }
  const size_t named = scheme > 0 ? scheme : text.starts_with(U"www.") ? 4 : 0;
  if (named > 0) {
    const Word rest = text.substr(named);
    const size_t host = run_length(rest, is_host);
    if (is_named_host(rest.substr(0, host)) && is_port_and_path(rest.substr(host))) return true;
  }
  if (scheme > 0) {
    const size_t ip = ip_address(text.substr(scheme));
    return ip > 0 && is_port_and_path(text.substr(scheme + ip));
  }
  const size_t host = run_length(text, is_host);
  return is_bare_host(text.substr(0, host)) && is_port_and_path(text.substr(host));
}

bool is_mail_address(Word text) {
  const size_t at = text.rfind(U'@');
  if (at == Word::npos || at == 0) return false;
  const Word domain = text.substr(at + 1);
  const size_t dot = domain.rfind(U'.');
  if (dot == Word::npos || dot == 0 || dot + 1 == domain.size()) return false;
  return is_word(domain[0]) && all_of(domain.substr(dot + 1), is_word) &&
         all_of(domain, [](char32_t c) { return is_word(c) || c == '.' || c == '-'; });
}

bool is_scheme(const Value& value) {
  if (!value.is(Kind::string)) raise("expected string, got '{}'", type_name(value));
  const std::u32string text = decoded(value.bytes());
  const size_t name =
      run_length(text, [](char32_t c) { return is_word(c) || c == '.' || c == '+' || c == '-'; });
  const Word rest = Word(text).substr(name);
  return name >= 2 && (rest == U":" || rest == U":/" || rest == U"://");
}

size_t count(std::string_view text, std::string_view part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string_view::npos; at = text.find(part, at))
    ++n, at += part.size();
  return n;
}

class Links {
 public:
  Links(const Str& text, std::string attributes, std::optional<int64_t> limit,
        std::vector<Value> schemes)
      : text_(text),
        attributes_(std::move(attributes)),
        limit_(limit),
        schemes_(std::move(schemes)) {}

  Value made(bool markup);

 private:
  std::string_view bytes(size_t begin, size_t end) const {
    return std::string_view(text_.bytes).substr(begin, end - begin);
  }
  void add_word(size_t begin, size_t end);
  void add_address(size_t begin, size_t end);
  void open(std::string_view prefix, size_t begin, size_t end, bool with_attributes);
  void add_shown(size_t begin, size_t end);

  const Str& text_;
  std::string attributes_;
  std::optional<int64_t> limit_;
  std::vector<Value> schemes_;
  Text out_;
};

void Links::open(std::string_view prefix, size_t begin, size_t end, bool with_attributes) {
  out_.literal("<a href=\"");
  out_.literal(prefix);
  out_.append(text_, begin, end);
  out_.literal("\"");
  if (with_attributes) out_.literal(attributes_);
  out_.literal(">");
}

/// The address as it is read, cut to the limit.
void Links::add_shown(size_t begin, size_t end) {
  const Value shown = slice_bytes(text_, begin, end);
  const auto size = static_cast<int64_t>(shown.as_str().length);
  if (!limit_ || size <= *limit_) return out_.append(shown.as_str());
  const int64_t kept = *limit_ < 0 ? std::max<int64_t>(size + *limit_, 0) : *limit_;
  out_.append(shown.as_str(), 0, shown.as_str().offset(static_cast<size_t>(kept)));
  out_.literal("...");
}

void Links::add_address(size_t begin, size_t end) {
  const std::string_view middle = bytes(begin, end);
  const std::u32string chars = decoded(middle);
  constexpr std::string_view kMailto = "mailto:";
  if (is_web_address(folded(chars))) {
    const bool whole = middle.starts_with("https://") || middle.starts_with("http://");
    open(whole ? "" : "https://", begin, end, true);
    add_shown(begin, end);
  } else if (middle.starts_with(kMailto) && is_mail_address(Word(chars).substr(kMailto.size()))) {
    open("", begin, end, false);
    out_.append(text_, begin + kMailto.size(), end);
  } else if (!middle.starts_with("www.") && !middle.starts_with("@") &&
             middle.find(':') == std::string_view::npos && is_mail_address(chars)) {
    open(kMailto, begin, end, false);
    out_.append(text_, begin, end);
  } else {
    const auto begins = [&](const Value& s) {
      return middle != s.bytes() && middle.starts_with(s.bytes());
    };
    if (std::none_of(schemes_.begin(), schemes_.end(), begins))
      return out_.append(text_, begin, end);
    open("", begin, end, true);
    out_.append(text_, begin, end);
  }
  out_.literal("</a>");
}

void Links::add_word(size_t begin, size_t end) {
  constexpr std::string_view kLess = "&lt;", kGreater = "&gt;";
  size_t from = begin, to = end;
  for (;;) {
    const std::string_view rest = bytes(from, end);
    if (rest.starts_with('(') || rest.starts_with('<'))
      ++from;
    else if (rest.starts_with(kLess))
      from += kLess.size();
    else
      break;
  }
  for (;;) {
    const std::string_view rest = bytes(from, to);
    if (rest.ends_with(')') || rest.ends_with('>') || rest.ends_with('.') || rest.ends_with(','))
      --to;
    else if (rest.ends_with(kGreater))
      to -= kGreater.size();
    else
      break;
  }
  // Brackets that the address itself opens belong to it.
  for (const auto& [left, right] :
       {std::pair<std::string_view, std::string_view>{"(", ")"}, {"<", ">"}, {kLess, kGreater}}) {
    const size_t opened = count(bytes(from, to), left);
    if (opened <= count(bytes(from, to), right)) continue;
    for (size_t n = std::min(opened, count(bytes(to, end), right)); n > 0; --n)
      to = text_.bytes.find(right, to) + right.size();
  }
  out_.append(text_, begin, from);
  add_address(from, to);
  out_.append(text_, to, end);
}

Value Links::made(bool markup) {
  const std::string& bytes = text_.bytes;
  for (size_t at = 0; at < bytes.size();) {
    const size_t begin = at;
    const bool space = is_space(char_at(bytes, at));
    while (at < bytes.size() && is_space(char_at(bytes, at)) == space) at += char_size(bytes, at);
    Budget::current()->step(at - begin);
    if (space)
      out_.append(text_, begin, at);
    else
      add_word(begin, at);
  }
  return out_.finish(markup);
}

/// ' name="value"', or nothing for an empty value.
std::string attribute(std::string_view name, const Value& value) {
  if (!truthy(value)) return "";
  return fmt::format(" {}=\"{}\"", name, escape_html(to_str(value)).bytes());
}

}  // namespace

Value filter_urlize(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("urlize", args,
                    {"trim_url_limit", "nofollow", "target", "rel", "extra_schemes"});
  std::vector<std::string> words = {"noopener"};
  if (bound.truth(1, false)) words.emplace_back("nofollow");
  if (bound.truth(3, false)) {
    std::string word;
    for (const char32_t c : decoded(bound.text(3).bytes) + U" ") {
      if (!is_space(c)) {
        append_utf8(c, word);
      } else if (!word.empty()) {
        words.push_back(std::move(word));
        word.clear();
      }
    }
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  const std::string rel = fmt::format("{}", fmt::join(words, " "));
  std::vector<Value> schemes;
  if (!bound.is_none(4)) schemes = to_vector(bound.at(4));
  for (const Value& scheme : schemes) {
    if (!is_scheme(scheme)) raise("{} is not a valid URI scheme prefix.", repr(scheme));
  }
  std::optional<int64_t> limit;
  if (!bound.is_none(0)) limit = bound.integer(0, 0);
  const Value text = escape_html(soft_str(value));
  Links links(text.as_str(),
              attribute("rel", Value::string(rel)) + attribute("target", bound.at(2)), limit,
              std::move(schemes));
  return links.made(interpreter.autoescape());
}

}  // namespace ashlar::jinja
