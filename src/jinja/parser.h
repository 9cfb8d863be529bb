// Recursive descent over the tokens of a template, with the rules and the order of Jinja2's parser
// and of the checks that its compiler makes.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "jinja/ast.h"
#include "jinja/lexer.h"

namespace ashlar::jinja {

/// true, false, none and their capitalised forms.
bool constant_name(std::string_view name);

class Parser {
 public:
  Parser(std::string_view source, int& line);
  std::unique_ptr<Program> run();

 private:
  using Names = std::vector<std::string_view>;

  const Token& now() const { return tokens_[at_]; }
  const Token& ahead() const { return tokens_[std::min(at_ + 1, tokens_.size() - 1)]; }
  const Token& take();
  bool is_op(std::string_view text) const {
    return now().type == TokenType::op && now().text == text;
  }
  bool is_name(std::string_view text) const {
    return now().type == TokenType::name && now().text == text;
  }
  bool skip_op(std::string_view text);
  bool skip_name(std::string_view text);
  void expect_op(std::string_view text);
  void expect_name(std::string_view text);
  void expect(TokenType type);
  std::string expect_any_name();
  [[noreturn]] void unexpected(std::string_view wanted) const;

  int name_id(const std::string& name);
  static ExprPtr make_of(Op op, int line, std::vector<ExprPtr> children);
  template <class... Children>
  static ExprPtr make(Op op, int line, Children... children) {
    std::vector<ExprPtr> list;
    (list.push_back(std::move(children)), ...);
    return make_of(op, line, std::move(list));
  }
  static void deepen(Expr& expr, const Expr* child);
  Value literal_string(const std::string& text);

  // Statements (parse_statements.cpp).
  /// A node of the tag whose name is current.
  NodePtr begin(Statement kind);
  /// Up to a tag that begins with one of `ends`, which is then current.
  Body statements(const Names& ends);
  /// The same, from the end of the opening tag.
  Body body_of(const Names& ends);
  /// The same, and past `end`.
  Body body_to(std::string_view end);
  NodePtr statement();
  NodePtr parse_set();
  NodePtr parse_for();
  NodePtr parse_if();
  NodePtr parse_with();
  NodePtr parse_macro();
  NodePtr parse_call_block();
  NodePtr parse_filter_block();
  NodePtr parse_generation();
  NodePtr parse_refused();
  NodePtr parse_loop_control();
  void signature(Signature& out);
  void callable_body(Node& node, std::string_view end);
  ExprPtr target(bool with_namespace, const Names& ends = {}, bool parameter = false);
  void mark_stored(const Expr& target, bool parameter);
  void check_unknown() const;

  // Expressions (parse_expressions.cpp).
  ExprPtr expression(bool with_conditional = true);
  ExprPtr conditional();
  template <auto level>
  ExprPtr binary(auto&& operand);
  ExprPtr logical_or();
  ExprPtr logical_not();
  ExprPtr comparison();
  ExprPtr sum();
  ExprPtr concat();
  ExprPtr unary(bool with_filter = true);
  ExprPtr primary(bool with_namespace = false);
  ExprPtr number();
  ExprPtr tuple(bool simplified, bool with_conditional, const Names& ends, bool parentheses,
                bool with_namespace = false);
  template <class Item>
  void separated(std::string_view end, Item item);
  ExprPtr list();
  ExprPtr dict();
  ExprPtr postfix(ExprPtr node);
  ExprPtr filters_and_tests(ExprPtr node);
  ExprPtr subscript(ExprPtr node);
  ExprPtr subscribed();
  ExprPtr call(ExprPtr node);
  std::unique_ptr<CallArgs> call_args(Expr& owner);
  ExprPtr filter(ExprPtr node, bool inline_start);
  ExprPtr test(ExprPtr node);
  std::string dotted_name();

  int& line_;
  std::vector<Token> tokens_;
  size_t at_ = 0;
  std::unique_ptr<Program> program_ = std::make_unique<Program>();
  std::unordered_map<std::string, int> ids_;
  // Equal literals are one object, as in Python's constants.
  std::unordered_map<std::string, Value> strings_;
  std::vector<const Names*> open_ends_;
  // Names in order: number, stored (else loaded).
  std::vector<std::pair<int, bool>> uses_;
  // How many loops break and continue could leave.
  int loops_ = 0;
  // Not 0 directly in an if, where unknown filters fail only when they are reached.
  int soft_ = 0;
  std::vector<std::string> unknown_;
  // Assignments to `loop` so far.
  int loop_stores_ = 0;
};

}  // namespace ashlar::jinja
