// Runs a parsed template.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "jinja/ast.h"
#include "jinja/string.h"

namespace ashlar::jinja {

/// The variables of one block. A macro keeps the scopes around it.
struct Scope {
  Scope* parent = nullptr;
  std::vector<std::pair<int, Value>> variables;
  bool captured = false;

  Value* find(int name) {
    for (auto& [id, value] : variables) {
      if (id == name) return &value;
    }
    return nullptr;
  }
  void set(int name, const Value& value) {
    if (Value* old = find(name))
      *old = value;
    else
      variables.emplace_back(name, value);
  }
};

struct Macro : Object {
  const Signature* signature = nullptr;
  const Body* body = nullptr;
  const std::vector<int>* unset = nullptr;
  Scope* scope = nullptr;
  const char* type_name() const override { return "Macro"; }
};

/// The variable `loop`.
struct Loop : Object {
  std::function<bool(Value&)> source;
  std::optional<size_t> known_length;  // of what is gone through
  const Node* node = nullptr;          // of a recursive loop
  Scope* scope = nullptr;              // around it
  int64_t index0 = -1;
  int64_t depth0 = 0;
  std::vector<Value> ahead;  // taken from the source, last first
  Value previous, current;
  std::optional<Value> last_changed;

  const char* type_name() const override { return "LoopContext"; }
  bool next(Value& item);
  bool peek();
  int64_t length();
};

/// Sets a variable for as long as this lives.
template <class T>
class Restored {
 public:
  Restored(T& variable, T value) : variable_(variable), old_(variable) { variable = value; }
  ~Restored() { variable_ = old_; }
  Restored(const Restored&) = delete;
  Restored& operator=(const Restored&) = delete;

 private:
  T& variable_;
  T old_;
};

class Interpreter {
 public:
  Interpreter(const Program& program, std::function<std::tm()> now);

  /// A variable of the template.
  void define(const std::string& name, const Value& value);
  /// Throws Failure; line() is where.
  void run(Text& out);
  int line() const { return line_; }
  std::tm now() const { return now_(); }

  /// Objects live until the interpreter goes.
  template <class T>
  T* make() {
    Budget::current()->take(sizeof(T) + 64);
    objects_.push_back(std::make_unique<T>());
    return static_cast<T*>(objects_.back().get());
  }
  Value function(std::string name, std::function<Value(Interpreter&, Args&)> call);
  Value generator(std::function<bool(Value&)> next);

  Value call(const Value& callee, Args& args);
  /// object.name
  Value attribute(const Value& object, const Value& name);
  /// object[key]
  Value item(const Value& object, const Value& key);
  Value filter(std::string_view name, const Value& value, Args& args);
  bool test(std::string_view name, const Value& value, Args& args);
  Value call_macro(const Macro& macro, Args& args);
  Value call_loop(Loop& loop, const Value& iterable);

 private:
  enum class Flow { normal, break_loop, continue_loop };
  class Inner;

  Value eval(const Expr& expr);
  Value eval_conditional(const Expr& expr);
  Value eval_compare(const Expr& expr);
  Value eval_concat(const Expr& expr);
  Value eval_item(const Expr& expr);
  Value eval_call(const Expr& expr, const Value* caller = nullptr);
  Value eval_filter(const Expr& expr, const Value* input = nullptr);
  Value eval_test(const Expr& expr);
  Value eval_dict(const Expr& expr);
  std::vector<Value> eval_all(const std::vector<ExprPtr>& exprs);
  /// `caller`: the body of a call block, handed on under that name.
  Args eval_args(const CallArgs& args, const Value* caller = nullptr);
  Value load(int name);
  void assign(const Expr& target, const Value& value);
  void assign_name(int name, const Value& value);
  void unset(const std::vector<int>& names);
  void check_namespaces(const Expr& target);

  Flow exec(const Body& body);
  Flow exec(const Node& node);
  void output(const Node& node);
  Flow exec_for(const Node& node);
  Flow run_loop(const Node& node, Loop& loop);
  Flow exec_if(const Node& node);
  Flow exec_captured(const Node& node);
  Flow exec_scope(const Node& node);
  void exec_call_block(const Node& node);
  Value make_macro(const Node& node);
  void open_loop(Loop& loop, const Node& node, const Value& iterable, Scope* scope);

  Scope* open_scope(Scope* parent);
  void close_scope(Scope* scope);

  const Program& program_;
  std::function<std::tm()> now_;
  std::vector<std::unique_ptr<Object>> objects_;
  std::vector<std::unique_ptr<Scope>> scopes_;
  std::vector<Scope*> free_scopes_;
  std::vector<std::optional<Value>> root_;  // variables of the outermost scope, by name
  Scope* scope_ = nullptr;                  // null: the outermost
  Text* out_ = nullptr;
  int line_ = 1;
};

/// A scope of its own for as long as this lives.
class Interpreter::Inner {
 public:
  Inner(Interpreter& self, Scope* parent);
  ~Inner();
  Inner(const Inner&) = delete;
  Inner& operator=(const Inner&) = delete;

 private:
  Interpreter& self_;
  Scope* old_;
  Scope* mine_;
};

/// The functions that every template has: range, dict, namespace, ...; nothing where there is no
/// such one.
std::optional<Value> global_function(Interpreter& interpreter, std::string_view name);

/// A method or attribute of a value that is not in a dict; nothing where Python has no such
/// attribute. What the sandbox forbids is undefined.
std::optional<Value> python_attribute(Interpreter& interpreter, const Value& object,
                                      const Value& name);
/// Null where there is no such method.
using Method = Value (*)(Interpreter&, const Value& self, Args& args);
Method string_method(std::string_view name);
Method container_method(const Value& object, std::string_view name);

/// Comparison and arithmetic as Python has them; operands may be anything.
bool compare(Comparison how, const Value& a, const Value& b);
Value arithmetic(Op op, const Value& a, const Value& b);
/// -value and +value
Value signed_number(Op sign, const Value& value);

/// text % arguments
Value format_percent(const Value& text, const Value& arguments);
/// text.format(...)
Value format_braces(const Value& text, const Args& args);

/// value[start:stop:step] of strings, lists, tuples and ranges.
Value slice(Interpreter& interpreter, const Value& value, const Value& start, const Value& stop,
            const Value& step);

}  // namespace ashlar::jinja
