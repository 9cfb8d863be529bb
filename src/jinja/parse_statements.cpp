// Statements of a template.
#include <fmt/format.h>

#include <algorithm>

#include "jinja/interpreter.h"
#include "jinja/parser.h"
#include "jinja/string.h"

namespace ashlar::jinja {
namespace {

// As deep as Python lets the code that Jinja2 generates be indented.
constexpr int kMaxNesting = 90;

NodePtr make_node(Statement kind, int line) {
  Budget::current()->take(sizeof(Node));
  auto node = std::make_unique<Node>();
  node->kind = kind;
  node->line = line;
  return node;
}

}  // namespace

Parser::Parser(std::string_view source, int& line) : line_(line), tokens_(tokenize(source, line)) {
  for (const char* name : {"loop", "caller", "varargs", "kwargs"}) name_id(name);
}

std::unique_ptr<Program> Parser::run() {
  program_->body = statements({});
  return std::move(program_);
}

const Token& Parser::take() {
  const Token& token = now();
  if (at_ + 1 < tokens_.size()) ++at_;
  line_ = now().line;
  return token;
}

bool Parser::skip_op(std::string_view text) {
  if (!is_op(text)) return false;
  take();
  return true;
}

bool Parser::skip_name(std::string_view text) {
  if (!is_name(text)) return false;
  take();
  return true;
}

void Parser::expect_op(std::string_view text) {
  if (!skip_op(text)) unexpected(text);
}

void Parser::expect_name(std::string_view text) {
  if (!skip_name(text)) unexpected(text);
}

void Parser::expect(TokenType type) {
  if (now().type != type) unexpected(describe({type, 0, ""}));
  take();
}

std::string Parser::expect_any_name() {
  if (now().type != TokenType::name) unexpected("name");
  return take().text;
}

void Parser::unexpected(std::string_view wanted) const {
  if (now().type == TokenType::end) raise("unexpected end of template, expected '{}'", wanted);
  raise("expected token '{}', got '{}'", wanted, describe(now()));
}

int Parser::name_id(const std::string& name) {
  const auto [it, added] = ids_.emplace(name, static_cast<int>(program_->names.size()));
  if (added) {
    Budget::current()->take(2 * name.size() + 64);
    program_->names.push_back(name);
  }
  return it->second;
}

Body Parser::statements(const Names& ends) {
  const Deeper deeper;
  if (open_ends_.size() > kMaxNesting) raise("blocks nested deeper than {}", kMaxNesting);
  open_ends_.push_back(&ends);
  Body body;
  NodePtr output;
  const auto flush = [&] {
    if (output) body.push_back(std::move(output));
  };
  for (;;) {
    const int line = now().line;
    if (now().type == TokenType::end) {
      flush();
      break;
    }
    const bool prints = now().type == TokenType::data || now().type == TokenType::variable_begin;
    if (prints && !output) output = make_node(Statement::output, line);
    if (now().type == TokenType::data) {
      auto data = make(Op::literal, line);
      data->text = "data";
      program_->literals.push_back(take().text);
      data->value = Value::string(program_->literals.back());
      output->exprs.push_back(std::move(data));
    } else if (now().type == TokenType::variable_begin) {
      take();
      output->exprs.push_back(tuple(false, true, {}, false));
      check_unknown();
      expect(TokenType::variable_end);
    } else {
      flush();
      expect(TokenType::block_begin);
      if (now().type == TokenType::name &&
          std::find(ends.begin(), ends.end(), now().text) != ends.end()) {
        open_ends_.pop_back();
        return body;
      }
      body.push_back(statement());
      check_unknown();
      expect(TokenType::block_end);
    }
  }
  if (!ends.empty()) {
    raise("Unexpected end of template. Jinja was looking for the following tags: '{}'.",
          fmt::join(ends, "' or '"));
  }
  open_ends_.pop_back();
  return body;
}

NodePtr Parser::begin(Statement kind) { return make_node(kind, take().line); }

Body Parser::body_of(const Names& ends) {
  skip_op(":");
  expect(TokenType::block_end);
  return statements(ends);
}

Body Parser::body_to(std::string_view end) {
  Body body = body_of({end});
  take();
  return body;
}

// Filters and tests that do not exist, seen outside of conditions since the last check.
void Parser::check_unknown() const {
  if (!unknown_.empty()) raise("{}", unknown_.front());
}

NodePtr Parser::statement() {
  if (now().type != TokenType::name) raise("tag name expected");
  const std::string tag = now().text;
  if (tag == "set") return parse_set();
  if (tag == "for") return parse_for();
  if (tag == "if") return parse_if();
  if (tag == "macro") return parse_macro();
  if (tag == "call") return parse_call_block();
  if (tag == "filter") return parse_filter_block();
  if (tag == "with") return parse_with();
  if (tag == "generation") return parse_generation();
  if (tag == "break" || tag == "continue") return parse_loop_control();
  if (one_of(tag, {"include", "import", "from", "extends"})) return parse_refused();
  if (one_of(tag, {"autoescape", "block", "print"})) refuse(fmt::format("the tag '{}' is", tag));
  for (const Names* ends : open_ends_) {
    if (std::find(ends->begin(), ends->end(), tag) != ends->end()) {
      raise(
          "Encountered unknown tag '{}'. You probably made a nesting mistake. Jinja is expecting "
          "this tag, but currently looking for '{}'.",
          tag, fmt::join(*open_ends_.back(), "' or '"));
    }
  }
  raise("Encountered unknown tag '{}'.", tag);
}

NodePtr Parser::parse_set() {
  auto node = begin(Statement::set);
  node->exprs.push_back(target(true));
  if (skip_op("=")) {
    node->exprs.push_back(tuple(false, true, {}, false));
    return node;
  }
  node->kind = Statement::set_block;
  const Restored<int> soft(soft_, 0);
  node->exprs.push_back(is_op("|") ? filter(nullptr, false) : nullptr);
  node->branches.push_back(body_to("endset"));
  return node;
}

NodePtr Parser::parse_for() {
  auto node = begin(Statement::loop);
  const int stores_before = loop_stores_;
  auto variable = target(false, {"in"});
  expect_name("in");
  auto iterable = tuple(false, false, {"recursive"}, false);
  const Restored<int> soft(soft_, 0);
  ExprPtr condition = skip_name("if") ? expression() : nullptr;
  node->recursive = skip_name("recursive");
  node->exprs.push_back(std::move(variable));
  node->exprs.push_back(std::move(iterable));
  node->exprs.push_back(std::move(condition));
  {
    const Restored<int> loops(loops_, node->recursive ? 1 : loops_ + 1);
    node->branches.push_back(body_of({"endfor", "else"}));
  }
  if (take().text == "else") {
    const Restored<int> loops(loops_, node->recursive ? 0 : loops_);
    node->branches.push_back(body_to("endfor"));
  }
  if (loop_stores_ != stores_before)
    raise("Can't assign to special loop variable in for-loop target");
  return node;
}

NodePtr Parser::parse_if() {
  auto node = begin(Statement::condition);
  const Restored<int> soft(soft_, soft_ + 1);
  for (;;) {
    node->exprs.push_back(tuple(false, false, {}, false));
    node->branches.push_back(body_of({"elif", "else", "endif"}));
    const std::string tag = take().text;
    if (tag == "elif") continue;
    if (tag == "else") node->branches.push_back(body_to("endif"));
    return node;
  }
}

NodePtr Parser::parse_with() {
  auto node = begin(Statement::scope);
  const Restored<int> soft(soft_, 0);
  while (now().type != TokenType::block_end) {
    if (!node->exprs.empty()) expect_op(",");
    node->exprs.push_back(target(false, {}, true));
    expect_op("=");
    node->exprs.push_back(expression());
  }
  node->branches.push_back(body_to("endwith"));
  return node;
}

void Parser::signature(Signature& out) {
  expect_op("(");
  while (!is_op(")")) {
    if (!out.parameters.empty()) expect_op(",");
    const std::string name = expect_any_name();
    if (constant_name(name)) raise("can't assign to '{}'", name);
    for (const auto& [other, id] : out.parameters) {
      if (other == name) raise("duplicate argument '{}' in function definition", name);
    }
    if (skip_op("="))
      out.defaults.push_back(expression());
    else if (!out.defaults.empty())
      raise("non-default argument follows default argument");
    out.parameters.emplace_back(name, name_id(name));
  }
  expect_op(")");
}

// The body of a macro or call block; which of the special parameters it uses.
void Parser::callable_body(Node& node, std::string_view end) {
  const size_t first_use = uses_.size();
  {
    const Restored<int> loops(loops_, 0);
    node.branches.push_back(body_to(end));
  }
  Signature& out = *node.signature;
  // Is a special name read before the body gives it a value?
  const auto reads = [&](int name) {
    const auto use =
        std::find_if(uses_.begin() + static_cast<std::ptrdiff_t>(first_use), uses_.end(),
                     [&](const auto& candidate) { return candidate.first == name; });
    return use != uses_.end() && !use->second;
  };
  const auto parameter = [&](int name) {
    return std::find_if(out.parameters.begin(), out.parameters.end(),
                        [&](const auto& candidate) { return candidate.second == name; });
  };
  const auto none = out.parameters.end();
  out.takes_caller = reads(kCaller);
  out.explicit_caller = parameter(kCaller) != none;
  out.takes_kwargs = reads(kKwargs) && parameter(kKwargs) == none;
  out.takes_varargs = reads(kVarargs) && parameter(kVarargs) == none;
  if (out.takes_caller && out.explicit_caller &&
      none - parameter(kCaller) > std::ssize(out.defaults)) {
    raise(
        "When defining macros or call blocks the special \"caller\" argument must be omitted or be "
        "given a default.");
  }
}

NodePtr Parser::parse_macro() {
  auto node = begin(Statement::macro);
  node->signature = std::make_unique<Signature>();
  node->signature->name = expect_any_name();
  if (constant_name(node->signature->name)) raise("can't assign to '{}'", node->signature->name);
  node->signature->name_id = name_id(node->signature->name);
  const Restored<int> soft(soft_, 0);
  signature(*node->signature);
  callable_body(*node, "endmacro");
  return node;
}

NodePtr Parser::parse_call_block() {
  auto node = begin(Statement::call_block);
  node->signature = std::make_unique<Signature>();
  if (is_op("(")) signature(*node->signature);
  node->exprs.push_back(expression());
  if (node->exprs[0]->op != Op::call) raise("expected call");
  const Restored<int> soft(soft_, 0);
  callable_body(*node, "endcall");
  return node;
}

NodePtr Parser::parse_generation() {
  auto node = begin(Statement::scope);
  const Restored<int> soft(soft_, 0), loops(loops_, 0);
  node->branches.push_back(body_to("endgeneration"));
  return node;
}

NodePtr Parser::parse_filter_block() {
  auto node = begin(Statement::filter_block);
  const Restored<int> soft(soft_, 0);
  node->exprs.push_back(filter(nullptr, true));
  node->branches.push_back(body_to("endfilter"));
  return node;
}

NodePtr Parser::parse_loop_control() {
  const std::string tag = now().text;
  auto node = begin(tag == "break" ? Statement::break_loop : Statement::continue_loop);
  if (!loops_) raise("'{}' outside loop", tag);
  return node;
}

// Chat templates stand alone: these tags are read, and fail where they are reached.
NodePtr Parser::parse_refused() {
  auto node = make_node(Statement::refused, now().line);
  node->text = take().text;
  while (now().type != TokenType::block_end && now().type != TokenType::end) take();
  return node;
}

ExprPtr Parser::target(bool with_namespace, const Names& ends, bool parameter) {
  const size_t first_use = uses_.size();
  auto out = tuple(true, true, ends, false, with_namespace);
  uses_.resize(first_use);
  mark_stored(*out, parameter);
  return out;
}

// Turns what was read as an expression into a target.
void Parser::mark_stored(const Expr& expr, bool parameter) {
  if (expr.op == Op::name) {
    if (expr.name == kLoop && !parameter) ++loop_stores_;
    uses_.emplace_back(expr.name, true);
  } else if (expr.op == Op::tuple) {
    for (const auto& child : expr.children) mark_stored(*child, parameter);
  } else if (expr.op != Op::namespace_ref) {
    raise("can't assign to this expression");
  }
}

std::unique_ptr<Program> parse(std::string_view source, int& line) {
  const Deeper deeper;
  auto program = Parser(source, line).run();
  find_unset(*program);
  return program;
}

}  // namespace ashlar::jinja
