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

}  // namespace

bool constant_name(std::string_view name) {
  for (const char* constant : {"true", "false", "none", "True", "False", "None"}) {
    if (name == constant) return true;
  }
  return false;
}

ExprPtr Parser::make(Op op, int line, std::vector<ExprPtr> children) {
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

ExprPtr Parser::expression(bool with_conditional) {
  return with_conditional ? conditional() : logical_or();
}

ExprPtr Parser::conditional() {
  const Deeper deeper;
  const int line = now().line;
  const size_t unknown = unknown_.size();
  auto out = logical_or();
  while (skip_name("if")) {
    std::vector<ExprPtr> children;
    children.push_back(logical_or());
    children.push_back(std::move(out));
    children.push_back(skip_name("else") ? conditional() : nullptr);
    out = make(Op::conditional, line, std::move(children));
    unknown_.resize(unknown);
  }
  return out;
}

ExprPtr Parser::binary(Op op, int line, ExprPtr left, ExprPtr right) {
  std::vector<ExprPtr> children;
  children.push_back(std::move(left));
  children.push_back(std::move(right));
  return make(op, line, std::move(children));
}

ExprPtr Parser::logical_or() {
  auto left = logical_and();
  while (is_name("or")) {
    const int line = take().line;
    left = binary(Op::logical_or, line, std::move(left), logical_and());
  }
  return left;
}

ExprPtr Parser::logical_and() {
  auto left = logical_not();
  while (is_name("and")) {
    const int line = take().line;
    left = binary(Op::logical_and, line, std::move(left), logical_not());
  }
  return left;
}

ExprPtr Parser::logical_not() {
  const Deeper deeper;
  if (!is_name("not")) return comparison();
  const int line = take().line;
  std::vector<ExprPtr> children;
  children.push_back(logical_not());
  return make(Op::logical_not, line, std::move(children));
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
  auto out = make(Op::compare, line, std::move(children));
  out->comparisons = std::move(comparisons);
  return out;
}

ExprPtr Parser::sum() {
  auto left = concat();
  while (is_op("+") || is_op("-")) {
    const Token& token = take();
    left =
        binary(token.text == "+" ? Op::add : Op::subtract, token.line, std::move(left), concat());
  }
  return left;
}

ExprPtr Parser::concat() {
  const int line = now().line;
  std::vector<ExprPtr> children;
  children.push_back(product());
  while (skip_op("~")) children.push_back(product());
  return children.size() == 1 ? std::move(children[0])
                              : make(Op::concat, line, std::move(children));
}

ExprPtr Parser::product() {
  auto left = power();
  while (is_op("*") || is_op("/") || is_op("//") || is_op("%")) {
    const Token& token = take();
    const Op op = token.text == "*"    ? Op::multiply
                  : token.text == "/"  ? Op::divide
                  : token.text == "//" ? Op::floor_divide
                                       : Op::modulo;
    left = binary(op, token.line, std::move(left), power());
  }
  return left;
}

ExprPtr Parser::power() {
  auto left = unary();
  while (is_op("**")) {
    const int line = take().line;
    left = binary(Op::power, line, std::move(left), unary());
  }
  return left;
}

ExprPtr Parser::unary(bool with_filter) {
  const Deeper deeper;
  ExprPtr out;
  if (is_op("-") || is_op("+")) {
    const Token& token = take();
    std::vector<ExprPtr> children;
    children.push_back(unary(false));
    out = make(token.text == "-" ? Op::negate : Op::plus, token.line, std::move(children));
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
      out->text = expect_any_name();
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
  return make(Op::tuple, line, std::move(items));
}

ExprPtr Parser::list() {
  const int line = take().line;
  std::vector<ExprPtr> items;
  while (!is_op("]")) {
    if (!items.empty()) expect_op(",");
    if (is_op("]")) break;
    items.push_back(expression());
  }
  expect_op("]");
  return make(Op::list, line, std::move(items));
}

ExprPtr Parser::dict() {
  const int line = take().line;
  std::vector<ExprPtr> items;
  while (!is_op("}")) {
    if (!items.empty()) expect_op(",");
    if (is_op("}")) break;
    items.push_back(expression());
    expect_op(":");
    items.push_back(expression());
  }
  expect_op("}");
  return make(Op::dict, line, std::move(items));
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
  std::vector<ExprPtr> children;
  children.push_back(std::move(node));
  if (token.text == ".") {
    if (now().type == TokenType::name) {
      auto out = make(Op::attribute, token.line, std::move(children));
      out->text = take().text;
      out->value = literal_string(out->text);
      return out;
    }
    if (now().type != TokenType::integer) raise("expected name or number");
    children.push_back(number());
    return make(Op::item, token.line, std::move(children));
  }
  std::vector<ExprPtr> items;
  while (!is_op("]")) {
    if (!items.empty()) expect_op(",");
    items.push_back(subscribed());
  }
  expect_op("]");
  children.push_back(items.size() == 1 ? std::move(items[0])
                                       : make(Op::tuple, token.line, std::move(items)));
  return make(Op::item, token.line, std::move(children));
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
  return make(Op::slice, line, std::move(parts));
}

ExprPtr Parser::call(ExprPtr node) {
  const int line = now().line;
  std::vector<ExprPtr> children;
  children.push_back(std::move(node));
  auto out = make(Op::call, line, std::move(children));
  out->args = call_args(*out);
  return out;
}

std::unique_ptr<CallArgs> Parser::call_args(Expr& owner) {
  auto args = std::make_unique<CallArgs>();
  const auto ensure = [](bool ok) {
    if (!ok) raise("invalid syntax for function call expression");
  };
  expect_op("(");
  for (bool comma = false; !is_op(")"); comma = true) {
    if (comma) {
      expect_op(",");
      if (is_op(")")) break;
    }
    if (skip_op("*")) {
      ensure(!args->dynamic_positional && !args->dynamic_named);
      args->dynamic_positional = expression();
      deepen(owner, args->dynamic_positional.get());
    } else if (skip_op("**")) {
      ensure(!args->dynamic_named);
      args->dynamic_named = expression();
      deepen(owner, args->dynamic_named.get());
    } else if (now().type == TokenType::name && ahead().type == TokenType::op &&
               ahead().text == "=") {
      ensure(!args->dynamic_named);
      const std::string name = take().text;
      take();
      for (const auto& [other, value] : args->named) {
        if (other == name) raise("keyword argument repeated: {}", name);
      }
      args->named.emplace_back(name, expression());
      deepen(owner, args->named.back().second.get());
    } else {
      ensure(!args->dynamic_positional && !args->dynamic_named && args->named.empty());
      args->positional.push_back(expression());
      deepen(owner, args->positional.back().get());
    }
  }
  expect_op(")");
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
    std::vector<ExprPtr> children;
    children.push_back(std::move(node));
    auto out = make(Op::filter, now().line, std::move(children));
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
  std::vector<ExprPtr> children;
  children.push_back(std::move(node));
  auto out = make(Op::test, line, std::move(children));
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
  if (!negated) return out;
  children.clear();
  children.push_back(std::move(out));
  return make(Op::logical_not, line, std::move(children));
}

}  // namespace ashlar::jinja
