// A recursive-descent evaluator.
#include "readings/claims/claims_expression.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>
#include <vector>

#include "base/error.h"
#include "readings/draw/words.h"

namespace ashlar {
namespace {

/// A value whatever its texts are: those that are no UTF-8 get replacement characters.
std::string json_text(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

constexpr int kDeepest = 64;  // levels of parentheses

bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// Operators between two values; those of a higher level bind more strongly.
struct Operator {
  std::string_view sign;
  int level;
};
constexpr Operator kOperators[] = {{"or", 0}, {"and", 1}, {"==", 2}, {"!=", 2},
                                   {"<=", 2}, {">=", 2},  {"<", 2},  {">", 2},
                                   {"+", 3},  {"-", 3},   {"*", 4},  {"/", 4}};
constexpr int kComparison = 2, kLevels = 5;

class Evaluator {
 public:
  Evaluator(std::string_view text, const Json& names, std::string_view where)
      : text_(text), names_(names), where_(where) {}

  Json run() {
    Json value = binary(0);
    skip();
    if (at_ != text_.size()) wrong("unexpected \"" + std::string(text_.substr(at_)) + "\"");
    return value;
  }

 private:
  [[noreturn]] void wrong(const std::string& what) const {
    fail(ErrorKind::format, "{}: in \"{}\": {}", where_, text_, what);
  }

  void skip() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  bool take(std::string_view token) {
    skip();
    if (text_.substr(at_, token.size()) != token) return false;
    // A word ends where names end.
    if (is_name(token[0]) && at_ + token.size() < text_.size() &&
        is_name(text_[at_ + token.size()]))
      return false;
    at_ += token.size();
    return true;
  }
  void expect(std::string_view token) {
    if (!take(token)) wrong("expected \"" + std::string(token) + "\"");
  }

  double number(const Json& value) const {
    if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
    if (!value.is_number()) wrong("expected a number, found " + json_text(value).substr(0, 60));
    return value.get<double>();
  }
  bool truth(const Json& value) const { return number(value) != 0; }

  /// The operator of this level that stands here; empty: none does.
  std::string_view take_operator(int level) {
    for (const Operator& o : kOperators) {
      if (o.level == level && take(o.sign)) return o.sign;
    }
    return {};
  }
  Json binary(int level) {
    if (level == kLevels) return unary();
    Json left = binary(level + 1);
    for (;;) {
      const std::string_view sign = take_operator(level);
      if (sign.empty()) return left;
      left = combined(sign, left, binary(level + 1));
      if (level == kComparison) return left;  // comparisons do not chain
    }
  }
  Json combined(std::string_view sign, const Json& left, const Json& right) const {
    if (sign == "or") return truth(left) || truth(right);
    if (sign == "and") return truth(left) && truth(right);
    if (left.is_string() && right.is_string()) {
      if (sign == "==") return left == right;
      if (sign == "!=") return left != right;
      if (sign[0] == '<' || sign[0] == '>') wrong("strings");
    }
    const double a = number(left), b = number(right);
    if (sign == "==") return a == b;
    if (sign == "!=") return a != b;
    if (sign == "<=") return a <= b;
    if (sign == ">=") return a >= b;
    if (sign == "<") return a < b;
    if (sign == ">") return a > b;
    if (sign == "+") return a + b;
    if (sign == "-") return a - b;
    if (sign == "*") return a * b;
    if (b == 0) wrong("division by zero");
    return a / b;
  }
  Json unary() {
    if (take("-")) return -number(unary());
    if (take("not")) return !truth(unary());
    return primary();
  }

  Json primary() {
    skip();
    if (at_ >= text_.size()) wrong("it ends too early");
    if (take("(")) {
      if (++depth_ > kDeepest) wrong("too deep");
      Json value = binary(0);
      --depth_;
      expect(")");
      return value;
    }
    if (text_[at_] == '\'') return string('\'');
    if (text_[at_] >= '0' && text_[at_] <= '9') {
      double value = 0;
      const auto r = std::from_chars(text_.data() + at_, text_.data() + text_.size(), value);
      at_ = static_cast<size_t>(r.ptr - text_.data());
      return value;
    }
    if (take("true")) return true;
    if (take("false")) return false;
    const std::string name = word();
    skip();
    if (at_ < text_.size() && text_[at_] == '(') return call(name);
    const Json* value = path(name);
    if (value == nullptr) wrong("there is no " + missing_);
    return *value;
  }

  std::string word() {
    skip();
    const size_t begin = at_;
    while (at_ < text_.size() && is_name(text_[at_])) ++at_;
    if (at_ == begin) wrong("expected a name at \"" + std::string(text_.substr(begin)) + "\"");
    return std::string(text_.substr(begin, at_ - begin));
  }
  Json string(char quote) {
    const size_t end = text_.find(quote, at_ + 1);
    if (end == std::string_view::npos) wrong("a string does not end");
    std::string value(text_.substr(at_ + 1, end - at_ - 1));
    at_ = end + 1;
    return value;
  }

  /// What a path leads to; null, and its name in missing_, if it leads nowhere.
  const Json* path(const std::string& first) {
    const Json* value = &names_;
    std::string so_far;
    const auto enter = [&](const std::string& key) {
      so_far += (so_far.empty() ? "" : ".") + key;
      if (value == nullptr) return;
      const auto it = value->is_object() ? value->find(key) : value->end();
      value = it == value->end() ? nullptr : &*it;
      if (value == nullptr) missing_ = so_far;
    };
    enter(first);
    for (;;) {
      if (at_ < text_.size() && text_[at_] == '.') {
        ++at_;
        enter(word());
      } else if (at_ < text_.size() && text_[at_] == '[') {
        ++at_;
        if (at_ < text_.size() && (text_[at_] == '\'' || text_[at_] == '"')) {
          enter(string(text_[at_]).get<std::string>());
        } else {
          const double index = number(binary(0));
          so_far += fmt::format("[{}]", index);
          const bool found = value != nullptr && value->is_array() && index >= 0 &&
                             index < static_cast<double>(value->size());
          if (value != nullptr && !found) missing_ = so_far;
          value = found ? &(*value)[static_cast<size_t>(index)] : nullptr;
        }
        expect("]");
      } else {
        return value;
      }
    }
  }

  /// Numbers of a list or object, or of several arguments, by their keys.
  std::vector<std::pair<std::string, double>> numbers(const std::vector<Json>& arguments) {
    std::vector<std::pair<std::string, double>> all;
    for (const Json& argument : arguments) {
      if (!argument.is_structured()) {
        all.emplace_back(std::to_string(all.size()), number(argument));
        continue;
      }
      for (const auto& [key, value] : argument.items()) all.emplace_back(key, number(value));
    }
    if (all.empty()) wrong("nothing to take the extreme or sum of");
    return all;
  }

  Json call(const std::string& name) {
    expect("(");
    if (++depth_ > kDeepest) wrong("too deep");
    Json result;
    if (name == "has" || name == "default") {
      const Json* value = path(word());
      result = name == "has" ? Json(value != nullptr) : value != nullptr ? *value : Json();
      if (name == "default") {
        expect(",");
        Json fallback = binary(0);
        if (value == nullptr) result = std::move(fallback);
      }
    } else {
      std::vector<Json> arguments;
      do arguments.push_back(binary(0));
      while (take(","));
      result = apply(name, arguments);
    }
    --depth_;
    expect(")");
    return result;
  }

  Json apply(const std::string& name, const std::vector<Json>& arguments) {
    if (name == "len") return arguments[0].size();
    if (name == "min" || name == "max" || name == "argmin" || name == "argmax") {
      const auto all = numbers(arguments);
      const auto value = [](const auto& item) { return item.second; };
      const auto it = name.ends_with("min") ? std::ranges::min_element(all, {}, value)
                                            : std::ranges::max_element(all, {}, value);
      return name.starts_with("arg") ? Json(it->first) : Json(it->second);
    }
    if (name == "sum" || name == "mean") {
      const auto all = numbers(arguments);
      double total = 0;
      for (const auto& [key, n] : all) total += n;
      return name == "sum" ? total : total / static_cast<double>(all.size());
    }
    const double x = number(arguments[0]);
    if (name == "abs") return std::abs(x);
    if (name == "round") return std::round(x);
    if (name == "floor") return std::floor(x);
    if (name == "ceil") return std::ceil(x);
    if (name == "sqrt") return std::sqrt(x);
    wrong("there is no function " + name);
  }

  std::string_view text_;
  const Json& names_;
  std::string where_;
  size_t at_ = 0;
  int depth_ = 0;
  std::string missing_;
};

std::string printed(const Json& value, int digits) {
  if (value.is_string()) return value.get<std::string>();
  if (!value.is_number()) return json_text(value);
  const double x = value.get<double>();
  return digits >= 0 ? fmt::format("{:.{}f}", x, digits) : real_words(x);
}

}  // namespace

Json evaluate_expression(std::string_view text, const Json& names, std::string_view where) {
  return Evaluator(text, names, where).run();
}

std::string fill_template(std::string_view text, const Json& names, std::string_view where) {
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const size_t open = text.find('{', at), close = text.find('}', open);
    if (open == std::string_view::npos || close == std::string_view::npos)
      return out + std::string(text.substr(at));
    out += text.substr(at, open - at);
    std::string_view inside = text.substr(open + 1, close - open - 1);
    int digits = -1;
    if (inside.size() > 2 && inside[inside.size() - 2] == ':') {
      digits = inside.back() - '0';
      inside.remove_suffix(2);
    }
    out += printed(evaluate_expression(inside, names, where), digits);
    at = close + 1;
  }
  return out;
}

}  // namespace ashlar
