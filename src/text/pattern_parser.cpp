// Regular expression text to tree.
#include <utf8proc.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "text/pattern_ast.h"

namespace ashlar {
namespace {

using unicode::CodePoints;
constexpr int kMaxDepth = 64;
constexpr int kMaxRepeat = 1000;

uint32_t folded(uint32_t c) {
  return static_cast<uint32_t>(utf8proc_tolower(utf8proc_toupper(static_cast<int32_t>(c))));
}

// Every character that differs from its folded form, with that form.
const std::vector<std::pair<uint32_t, uint32_t>>& fold_pairs() {
  static const auto pairs = [] {
    std::vector<std::pair<uint32_t, uint32_t>> out;
    for (uint32_t c = 0; c <= unicode::kLast; ++c) {
      if (const uint32_t f = folded(c); f != c) out.emplace_back(c, f);
    }
    return out;
  }();
  return pairs;
}

CodePoints without_case(const CodePoints& points) {
  std::vector<CodePoints::Range> forms = points.ranges();
  for (const auto& [c, f] : fold_pairs()) {
    if (points.contains(c)) forms.emplace_back(f, f);
  }
  const CodePoints folds(forms);
  for (const auto& [c, f] : fold_pairs()) {
    if (folds.contains(f)) forms.emplace_back(c, c);
  }
  return CodePoints(std::move(forms));
}

class Parser {
 public:
  Parser(std::string_view source, std::string_view where) : source_(source), where_(where) {}

  PatternNode parse() {
    PatternNode node = alternation(0);
    if (!done()) broken("unmatched ')'");
    return node;
  }

 private:
  [[noreturn]] void broken(std::string_view what) const {
    fail(ErrorKind::format, "{}: regular expression: {} at byte {} of \"{}\"", where_, what, at_,
         std::string(source_.substr(0, 200)));
  }
  [[noreturn]] void unsupported(std::string_view what) const {
    fail(ErrorKind::unsupported,
         "{}: regular expression: {} (at byte {} of \"{}\") is not supported", where_, what, at_,
         std::string(source_.substr(0, 200)));
  }

  bool done() const { return at_ >= source_.size(); }
  bool sees(std::string_view what) const { return source_.substr(at_).starts_with(what); }
  bool take(std::string_view what) {
    if (!sees(what)) return false;
    at_ += what.size();
    return true;
  }
  uint32_t next() {
    if (done()) broken("unexpected end");
    return utf8::next(source_, at_);
  }

  PatternNode alternation(int depth) {
    if (depth > kMaxDepth) broken("nested too deeply");
    const bool fold_before = fold_;
    std::vector<PatternNode> branches;
    branches.push_back(concatenation(depth));
    while (take("|")) branches.push_back(concatenation(depth));
    fold_ = fold_before;
    if (branches.size() == 1) return std::move(branches[0]);
    return {.kind = PatternNode::alternate, .children = std::move(branches)};
  }

  PatternNode concatenation(int depth) {
    std::vector<PatternNode> items;
    while (!done() && !sees("|") && !sees(")")) {
      PatternNode item = atom(depth);
      while (quantifier(item)) {
      }
      if (item.kind != PatternNode::empty) items.push_back(std::move(item));
    }
    if (items.empty()) return {};
    if (items.size() == 1) return std::move(items[0]);
    return {.kind = PatternNode::concat, .children = std::move(items)};
  }

  // Reads {n}, {n,}, {,m} or {n,m}; anything else after '{' is literal text.
  bool counts(int& min, int& max) {
    const size_t before = at_;
    auto number = [&]() -> int {
      int value = -1;
      while (!done() && source_[at_] >= '0' && source_[at_] <= '9') {
        value = std::min(std::max(value, 0) * 10 + (source_[at_++] - '0'), kMaxRepeat + 1);
      }
      return value;
    };
    if (!take("{")) return false;
    min = max = number();
    const bool range = take(",");
    if (range) max = number();
    if (!take("}") || (min < 0 && max < 0)) {
      at_ = before;
      return false;
    }
    min = std::max(min, 0);
    if (min > kMaxRepeat || max > kMaxRepeat) unsupported("a repeat of more than 1000");
    if (max >= 0 && max < min) broken("a repeat {n,m} with n > m");
    return true;
  }

  // Wraps `item` in the quantifier that follows, if one does.
  bool quantifier(PatternNode& item) {
    int min = 0, max = -1;
    bool braces = false;
    if (take("*")) {
    } else if (take("+")) {
      min = 1;
    } else if (take("?")) {
      max = 1;
    } else if (counts(min, max)) {
      braces = true;
    } else {
      return false;
    }
    PatternNode node{.kind = PatternNode::repeat, .min = min, .max = max};
    if (take("?")) {
      node.greed = PatternNode::lazy;
    } else if (!braces && take("+")) {  // after braces, '+' repeats once more, as in Ruby
      node.greed = PatternNode::possessive;
    }
    if (++nodes_ > 10000) unsupported("its size");
    if (++wraps_ > kMaxDepth) broken("too many quantifiers");
    node.children.push_back(std::move(item));
    item = std::move(node);
    return true;
  }

  PatternNode of(CodePoints points) const {
    return {.kind = PatternNode::set, .points = fold_ ? without_case(points) : std::move(points)};
  }
  static CodePoints complement_if(bool negative, const CodePoints& points) {
    return negative ? points.complement() : points;
  }
  static PatternNode edge(PatternNode::Kind kind) { return {.kind = kind}; }

  PatternNode atom(int depth) {
    wraps_ = 0;
    if (++nodes_ > 10000) unsupported("its size");
    if (take("(")) return group(depth);
    if (take("[")) return of(char_class(depth + 1));
    if (take(".")) return of(CodePoints({{'\n', '\n'}}).complement());
    if (take("^")) return edge(PatternNode::line_begin);
    if (take("$")) return edge(PatternNode::line_end);
    if (sees("*") || sees("+") || sees("?")) broken("nothing to repeat");
    if (take("\\")) {
      if (take("A")) return edge(PatternNode::text_begin);
      if (take("z")) return edge(PatternNode::text_end);
      if (take("Z")) return edge(PatternNode::text_last);
      if (take("b")) return edge(PatternNode::word_edge);
      if (take("B")) return edge(PatternNode::no_word_edge);
      if (take("R")) {
        PatternNode both{.kind = PatternNode::concat};
        both.children = {of(CodePoints({{'\r', '\r'}})), of(CodePoints({{'\n', '\n'}}))};
        PatternNode any{.kind = PatternNode::alternate};
        any.children = {std::move(both),
                        of(CodePoints({{10, 13}, {0x85, 0x85}, {0x2028, 0x2029}}))};
        return any;
      }
      return of(escape());
    }
    const uint32_t c = next();
    return of(CodePoints({{c, c}}));
  }

  PatternNode group(int depth) {
    PatternNode node;
    if (!take("?") || take(":")) {
      node = alternation(depth + 1);
    } else if (take(">")) {
      node.kind = PatternNode::atomic;
      node.children.push_back(alternation(depth + 1));
    } else if (sees("=") || sees("!") || sees("<=") || sees("<!")) {
      node.kind = PatternNode::look;
      node.behind = take("<");
      node.negative = take("!");
      if (!node.negative) take("=");
      node.children.push_back(alternation(depth + 1));
    } else if (take("<") || take("P<")) {  // a named group: the name tells nothing here
      while (!done() && !sees(">")) ++at_;
      if (!take(">")) broken("a group's name without end");
      node = alternation(depth + 1);
    } else if (take("#")) {
      while (!done() && !sees(")")) ++at_;
    } else {
      const bool before = fold_;
      bool on = true;
      for (; !sees(":") && !sees(")"); ++at_) {
        if (sees("-"))
          on = false;
        else if (sees("i"))
          fold_ = on;
        else if (!sees("u") && !sees("s") && !sees("m"))
          unsupported("a group's option");
        else if (!sees("u") && on)
          unsupported("a group's option");
      }
      if (take(":")) {
        node = alternation(depth + 1);
        fold_ = before;
      } else {  // (?i) holds to the end of the enclosing group, alternatives included
        take(")");
        return alternation(depth + 1);
      }
    }
    if (!take(")")) broken("a group without ')'");
    return node;
  }

  uint32_t hex(size_t at_most) {
    uint32_t value = 0;
    const char* const begin = source_.data() + at_;
    const char* const most = begin + std::min(at_most, source_.size() - at_);
    const auto count = std::from_chars(begin, most, value, 16).ptr - begin;
    if (count == 0) broken("hexadecimal digits expected");
    at_ += static_cast<size_t>(count);
    if (value > unicode::kLast) broken("a code point beyond U+10FFFF");
    return value;
  }

  // After a backslash: one character or a class.
  CodePoints escape() {
    const uint32_t c = next();
    auto one = [](uint32_t point) { return CodePoints({{point, point}}); };
    constexpr std::string_view kNames = "nrtfvae0", kPoints("\n\r\t\f\v\a\x1B\0", 8);
    if (const size_t known = c < 0x80 ? kNames.find(static_cast<char>(c)) : kNames.npos;
        known != kNames.npos)
      return one(static_cast<uint32_t>(kPoints[known]));
    switch (c) {
      case 's':
      case 'S':
        return complement_if(c == 'S', unicode::spaces());
      case 'd':
      case 'D':
        return complement_if(c == 'D', unicode::digits());
      case 'w':
      case 'W':
        return complement_if(c == 'W', unicode::words());
      case 'p':
      case 'P':
        return named_property(c == 'P');
      case 'u':
      case 'x': {
        if (!take("{")) return one(hex(c == 'u' ? 4 : 2));
        const uint32_t value = hex(8);
        if (!take("}")) broken("'}' expected");
        return one(value);
      }
      default:
        break;
    }
    if (c < 0x80 && ((c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z'))) {
      unsupported("the escape \\" + std::string(1, static_cast<char>(c)));
    }
    return one(c);
  }

  CodePoints named_property(bool negative) {
    std::string name;
    if (take("{")) {
      if (take("^")) negative = !negative;
      while (!done() && !sees("}")) name.push_back(source_[at_++]);
      if (!take("}")) broken("'}' expected");
    } else {
      name.push_back(static_cast<char>(next()));
    }
    for (std::string_view prefix : {"Script=", "sc=", "General_Category=", "gc=", "Is"}) {
      if (name.starts_with(prefix)) name.erase(0, prefix.size());
    }
    const auto points = unicode::property(name);
    if (!points) unsupported("the property \\p{" + name.substr(0, 40) + "}");
    return complement_if(negative, *points);
  }

  // After '[': unions of items, `&&` between them cuts.
  CodePoints char_class(int depth) {
    if (depth > kMaxDepth) broken("nested too deeply");
    const bool negative = take("^");
    CodePoints whole = CodePoints::all();
    std::vector<CodePoints::Range> ranges;
    bool first = true;
    auto add = [&](const CodePoints& more) {
      ranges.insert(ranges.end(), more.ranges().begin(), more.ranges().end());
    };
    for (;; first = false) {
      if (done()) broken("a class without ']'");
      if (!first && take("]")) break;
      if (take("&&")) {
        whole = whole & CodePoints(std::exchange(ranges, {}));
        continue;
      }
      if (sees("[:")) {
        add(posix_class());
        continue;
      }
      if (take("[")) {
        add(char_class(depth + 1));
        continue;
      }
      const CodePoints item = class_item();
      const bool single =
          item.ranges().size() == 1 && item.ranges()[0].first == item.ranges()[0].second;
      if (single && sees("-") && !sees("-]") && !sees("-&&") && !sees("-[")) {
        take("-");
        const CodePoints last = class_item();
        if (last.ranges().size() != 1 || last.ranges()[0].first != last.ranges()[0].second) {
          broken("a range that ends in a class");
        }
        if (last.ranges()[0].first < item.ranges()[0].first) broken("an empty range");
        ranges.emplace_back(item.ranges()[0].first, last.ranges()[0].first);
      } else {
        add(item);
      }
    }
    whole = whole & CodePoints(std::move(ranges));
    return complement_if(negative, whole);
  }

  CodePoints class_item() {
    if (take("\\")) {
      if (take("b")) return CodePoints({{8, 8}});
      return escape();
    }
    const uint32_t c = next();
    return CodePoints({{c, c}});
  }

  CodePoints posix_class() {
    take("[:");
    const bool negative = take("^");
    std::string name;
    while (!done() && !sees(":]") && name.size() < 16) name.push_back(source_[at_++]);
    if (!take(":]")) broken("':]' expected");
    std::optional<CodePoints> points;
    if (name == "upper")
      points = unicode::property("Lu");
    else if (name == "lower")
      points = unicode::property("Ll");
    else if (name == "xdigit")
      points = CodePoints({{'0', '9'}, {'a', 'f'}, {'A', 'F'}});
    else if (name == "digit" || name == "space" || name == "word" || name == "ascii")
      points = unicode::property(name);
    if (!points) unsupported("the class [:" + name + ":]");
    return complement_if(negative, *points);
  }

  std::string_view source_, where_;
  size_t at_ = 0;
  bool fold_ = false;
  int nodes_ = 0, wraps_ = 0;
};

}  // namespace

PatternNode parse_pattern(std::string_view source, std::string_view where) {
  if (source.size() > (size_t{1} << 20)) {
    fail(ErrorKind::unsupported, "{}: a regular expression of {} bytes", where, source.size());
  }
  if (utf8::valid_prefix(source) != source.size()) {
    fail(ErrorKind::format, "{}: a regular expression that is not UTF-8", where);
  }
  return Parser(source, where).parse();
}

}  // namespace ashlar
