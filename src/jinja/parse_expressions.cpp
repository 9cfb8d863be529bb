// Expressions of a template, in Jinja2's order of precedence.
#include <algorithm>
#include <charconv>

#include "jinja/parser.h"

namespace ashlar::jinja {
namespace {

// Python refuses code with more parentheses inside each other, which is what deep expressions
// become in Jinja2.
constexpr int kMaxExpressionDepth = 200;

constexpr std::pair<std::string_view, Comparison> kComparisons[] = {
    {"==", Comparison::eq}, {"!=", Comparison::ne}, {"<=", Comparison::le},
    {">=", Comparison::ge}, {"<", Comparison::lt},  {">", Comparison::gt}};

// Operators of two values that bind to the left; those of one level bind equally.
enum class Level { either, both, sum, product, power };
struct Binary {
  Level level;
  TokenType type;
  std::string_view text;
  Op op;
};
constexpr Binary kBinaries[] = {
    {Level::either, TokenType::name, "or", Op::logical_or},
    {Level::both, TokenType::name, "and", Op::logical_and},
    {Level::sum, TokenType::op, "+", Op::add},
    {Level::sum, TokenType::op, "-", Op::subtract},
    {Level::product, TokenType::op, "*", Op::multiply},
    {Level::product, TokenType::op, "/", Op::divide},
    {Level::product, TokenType::op, "//", Op::floor_divide},
    {Level::product, TokenType::op, "%", Op::modulo},
    {Level::power, TokenType::op, "**", Op::power},
};

}  // namespace

bool constant_name(std::string_view name) {
  return one_of(name, {"true", "false", "none", "True", "False", "None"});
}

ExprPtr Parser::make_of(Op op, int line, std::vector<ExprPtr> children) {
  Budget::current()->take(sizeof(Expr));
  auto expr = std::make_unique<Expr>();
  expr->op = op;
  expr->line = line;
  expr->children = std::move(children);
  for (const auto& child : expr->children) deepen(*expr, child.get());
  return expr;
}

void Parser::deepen(Expr& expr, const Expr* child) {
  if (!child) return;
  expr.depth = std::max(expr.depth, child->depth + 1);
  if (expr.depth > kMaxExpressionDepth)
    raise("expression nested deeper than {}", kMaxExpressionDepth);
}

Value Parser::literal_string(const std::string& text) {
  const auto it = strings_.find(text);
  if (it != strings_.end()) return it->second;
  return strings_.emplace(text, Value::string(text)).first->second;
}

// One level of binary operators over `operand`, the level that binds more tightly.
template <auto level>
ExprPtr Parser::binary(auto&& operand) {
  auto left = operand();
  for (;;) {
    const auto* found =
        std::find_if(std::begin(kBinaries), std::end(kBinaries), [this](const Binary& known) {
          return known.level == level && known.type == now().type && known.text == now().text;
        });
    if (found == std::end(kBinaries)) return left;
    const int line = take().line;
    auto right = operand();
    left = make(found->op, line, std::move(left), std::move(right));
  }
}

ExprPtr Parser::expression(bool with_conditional) {
  return with_conditional ? conditional() : logical_or();
}

ExprPtr Parser::conditional() {
  const Deeper deeper;
  const int line = now().line;
  const size_t unknown = unknown_.size();
  auto out = logical_or();
  while (skip_name("if")) {
    auto condition = logical_or();
    auto otherwise = skip_name("else") ? conditional() : nullptr;
    out = make(Op::conditional, line, std::move(condition), std::move(out), std::move(otherwise));
    unknown_.resize(unknown);
  }
  return out;
}

ExprPtr Parser::logical_or() {
  const auto both = [this] { return binary<Level::both>([this] { return logical_not(); }); };
  return binary<Level::either>(both);
}

ExprPtr Parser::logical_not() {
  const Deeper deeper;
  if (!is_name("not")) return comparison();
  const int line = take().line;
  return make(Op::logical_not, line, logical_not());
}

ExprPtr Parser::comparison() {
  const int line = now().line;
  std::vector<ExprPtr> children;
  std::vector<Comparison> comparisons;
  children.push_back(sum());
  for (;;) {
    const auto* op = std::find_if(std::begin(kComparisons), std::end(kComparisons),
                                  [this](const auto& known) { return is_op(known.first); });
    if (op != std::end(kComparisons)) {
      take();
      comparisons.push_back(op->second);
    } else if (skip_name("in")) {
      comparisons.push_back(Comparison::in);
    } else if (is_name("not") && ahead().type == TokenType::name && ahead().text == "in") {
      take();
      take();
      comparisons.push_back(Comparison::not_in);
    } else {
      break;
    }
    children.push_back(sum());
  }
  if (comparisons.empty()) return std::move(children[0]);
  auto out = make_of(Op::compare, line, std::move(children));
  out->comparisons = std::move(comparisons);
  return out;
}

ExprPtr Parser::sum() {
  return binary<Level::sum>([this] { return concat(); });
}

ExprPtr Parser::concat() {
  const auto power = [this] { return binary<Level::power>([this] { return unary(); }); };
  const int line = now().line;
  std::vector<ExprPtr> children;
  do {
    children.push_back(binary<Level::product>(power));
  } while (skip_op("~"));
  return children.size() == 1 ? std::move(children[0])
                              : make_of(Op::concat, line, std::move(children));
}

ExprPtr Parser::unary(bool with_filter) {
  const Deeper deeper;
  ExprPtr out;
  if (is_op("-") || is_op("+")) {
    const Token& token = take();
    out = make(token.text == "-" ? Op::negate : Op::plus, token.line, unary(false));
  } else {
    out = primary();
  }
  out = postfix(std::move(out));
  return with_filter ? filters_and_tests(std::move(out)) : std::move(out);
}

ExprPtr Parser::primary(bool with_namespace) {
  const Token& token = now();
  auto out = make(Op::literal, token.line);
  if (token.type == TokenType::name) {
    take();
    out->text = token.text;
    if (constant_name(token.text)) {
      const char first = static_cast<char>(token.text[0] | 0x20);
      if (first != 'n') out->value = Value::boolean(first == 't');
    } else if (with_namespace && skip_op(".")) {
      out->op = Op::namespace_ref;
      out->name = name_id(token.text);
      out->value = literal_string(expect_any_name());
    } else {
      out->op = Op::name;
      out->name = name_id(token.text);
      uses_.emplace_back(out->name, false);
    }
  } else if (token.type == TokenType::string) {
    std::string text;
    while (now().type == TokenType::string) text += take().text;
    out->value = literal_string(text);
    program_->literals.push_back(text);
  } else if (token.type == TokenType::integer || token.type == TokenType::floating) {
    return number();
  } else if (skip_op("(")) {
    out = tuple(false, true, {}, true);
    expect_op(")");
  } else if (is_op("[")) {
    return list();
  } else if (is_op("{")) {
    return dict();
  } else {
    raise("unexpected '{}'", describe(token));
  }
  return out;
}

ExprPtr Parser::number() {
  const Token& token = take();
  auto out = make(Op::literal, token.line);
  if (token.type == TokenType::floating) {
    out->value = Value::floating(std::strtod(token.text.c_str(), nullptr));
    return out;
  }
  const char mark = token.text.size() > 1 ? static_cast<char>(token.text[1] | 0x20) : ' ';
  const int base = mark == 'x' ? 16 : mark == 'o' ? 8 : mark == 'b' ? 2 : 10;
  const char *begin = token.text.data() + (base == 10 ? 0 : 2),
             *end = token.text.data() + token.text.size();
  int64_t value = 0;
  if (std::from_chars(begin, end, value, base).ec != std::errc()) refuse(kBeyond64Bits);
  out->value = Value::integer(value);
  return out;
}

ExprPtr Parser::tuple(bool simplified, bool with_conditional, const Names& ends, bool parentheses,
                      bool with_namespace) {
  const Deeper deeper;
  const int line = now().line;
  std::vector<ExprPtr> items;
  bool is_tuple = false;
  for (;;) {
    if (!items.empty()) expect_op(",");
    if (now().type == TokenType::variable_end || now().type == TokenType::block_end || is_op(")"))
      break;
    if (now().type == TokenType::name &&
        std::find(ends.begin(), ends.end(), now().text) != ends.end())
      break;
    items.push_back(simplified ? primary(with_namespace) : expression(with_conditional));
    if (!is_op(",")) break;
    is_tuple = true;
  }
  if (!is_tuple) {
    if (!items.empty()) return std::move(items[0]);
    if (!parentheses) raise("Expected an expression, got '{}'", describe(now()));
  }
  return make_of(Op::tuple, line, std::move(items));
}

// The items of a list or dict up to `end`, with a comma after each but perhaps the last.
template <class Item>
void Parser::separated(std::string_view end, Item item) {
  for (bool first = true; !is_op(end); first = false) {
    if (!first) expect_op(",");
    if (is_op(end)) break;
    item();
  }
  expect_op(end);
}

ExprPtr Parser::list() {
  const int line = take().line;
  std::vector<ExprPtr> children;
  separated("]", [&] { children.push_back(expression()); });
  return make_of(Op::list, line, std::move(children));
}

ExprPtr Parser::dict() {
  const int line = take().line;
  std::vector<ExprPtr> children;
  separated("}", [&] {
    children.push_back(expression());
    expect_op(":");
    children.push_back(expression());
  });
  return make_of(Op::dict, line, std::move(children));
}

ExprPtr Parser::postfix(ExprPtr node) {
  for (;;) {
    if (is_op(".") || is_op("["))
      node = subscript(std::move(node));
    else if (is_op("("))
      node = call(std::move(node));
    else
      return node;
  }
}

ExprPtr Parser::filters_and_tests(ExprPtr node) {
  for (;;) {
    if (is_op("|"))
      node = filter(std::move(node), false);
    else if (is_name("is"))
      node = test(std::move(node));
    else if (is_op("("))
      node = call(std::move(node));
    else
      return node;
  }
}

ExprPtr Parser::subscript(ExprPtr node) {
  const Token& token = take();
  if (token.text == ".") {
    if (now().type == TokenType::integer)
      return make(Op::item, token.line, std::move(node), number());
    if (now().type != TokenType::name) raise("expected name or number");
    auto out = make(Op::attribute, token.line, std::move(node));
    out->text = take().text;
    out->value = literal_string(out->text);
    return out;
  }
  std::vector<ExprPtr> items;
  while (!is_op("]")) {
    if (!items.empty()) expect_op(",");
    items.push_back(subscribed());
  }
  expect_op("]");
  auto key =
      items.size() == 1 ? std::move(items[0]) : make_of(Op::tuple, token.line, std::move(items));
  return make(Op::item, token.line, std::move(node), std::move(key));
}

ExprPtr Parser::subscribed() {
  const int line = now().line;
  const auto part_ends = [this] { return is_op(":") || is_op("]") || is_op(","); };
  std::vector<ExprPtr> parts(3);
  if (!is_op(":")) {
    parts[0] = expression();
    if (!is_op(":")) return std::move(parts[0]);
  }
  take();
  if (!part_ends()) parts[1] = expression();
  if (skip_op(":") && !part_ends()) parts[2] = expression();
  return make_of(Op::slice, line, std::move(parts));
}

ExprPtr Parser::call(ExprPtr node) {
  auto out = make(Op::call, now().line, std::move(node));
  out->args = call_args(*out);
  return out;
}

std::unique_ptr<CallArgs> Parser::call_args(Expr& owner) {
  auto args = std::make_unique<CallArgs>();
  const auto ensure = [](bool ok) {
    if (!ok) raise("invalid syntax for function call expression");
  };
  const auto value = [&] {
    auto out = expression();
    deepen(owner, out.get());
    return out;
  };
  expect_op("(");
  separated(")", [&] {
    if (skip_op("*")) {
      ensure(!args->dynamic_positional && !args->dynamic_named);
      args->dynamic_positional = value();
    } else if (skip_op("**")) {
      ensure(!args->dynamic_named);
      args->dynamic_named = value();
    } else if (now().type == TokenType::name && ahead().type == TokenType::op &&
               ahead().text == "=") {
      ensure(!args->dynamic_named);
      const std::string name = take().text;
      take();
      for (const auto& [other, given] : args->named) {
        if (other == name) raise("keyword argument repeated: {}", name);
      }
      args->named.emplace_back(name, value());
    } else {
      ensure(!args->dynamic_positional && !args->dynamic_named && args->named.empty());
      args->positional.push_back(value());
    }
  });
  return args;
}

std::string Parser::dotted_name() {
  std::string name = expect_any_name();
  while (skip_op(".")) name += "." + expect_any_name();
  return name;
}

ExprPtr Parser::filter(ExprPtr node, bool inline_start) {
  while (is_op("|") || inline_start) {
    if (!inline_start) take();
    inline_start = false;
    auto out = make(Op::filter, now().line, std::move(node));
    out->text = dotted_name();
    out->filter = find_filter(out->text);
    if (!out->filter && !soft_ && !refused_filter(out->text))
      unknown_.push_back(fmt::format("No filter named '{}'.", out->text));
    out->args = is_op("(") ? call_args(*out) : std::make_unique<CallArgs>();
    node = std::move(out);
  }
  return node;
}

ExprPtr Parser::test(ExprPtr node) {
  const int line = take().line;
  const bool negated = skip_name("not");
  auto out = make(Op::test, line, std::move(node));
  out->text = dotted_name();
  out->test = find_test(out->text);
  if (!out->test && !soft_) unknown_.push_back(fmt::format("No test named '{}'.", out->text));
  const TokenType type = now().type;
  if (is_op("(")) {
    out->args = call_args(*out);
  } else {
    out->args = std::make_unique<CallArgs>();
    const bool begins_value = type == TokenType::name || type == TokenType::string ||
                              type == TokenType::integer || type == TokenType::floating ||
                              is_op("[") || is_op("{");
    if (begins_value && !is_name("else") && !is_name("or") && !is_name("and")) {
      if (is_name("is")) raise("You cannot chain multiple tests with is");
      out->args->positional.push_back(postfix(primary()));
      deepen(*out, out->args->positional.back().get());
    }
  }
  return negated ? make(Op::logical_not, line, std::move(out)) : std::move(out);
}

}  // namespace ashlar::jinja
