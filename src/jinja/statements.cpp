// Runs statements.
#include "jinja/interpreter.h"

namespace ashlar::jinja {

Interpreter::Inner::Inner(Interpreter& self, Scope* parent)
    : self_(self), old_(self.scope_), mine_(self.open_scope(parent)) {
  self_.scope_ = mine_;
}

Interpreter::Inner::~Inner() {
  self_.scope_ = old_;
  self_.close_scope(mine_);
}

Scope* Interpreter::open_scope(Scope* parent) {
  Scope* scope;
  if (free_scopes_.empty()) {
    Budget::current()->take(sizeof(Scope) + 32);
    scopes_.push_back(std::make_unique<Scope>());
    scope = scopes_.back().get();
  } else {
    scope = free_scopes_.back();
    free_scopes_.pop_back();
  }
  scope->parent = parent;
  return scope;
}

void Interpreter::close_scope(Scope* scope) {
  if (scope->captured) return;
  scope->variables.clear();
  free_scopes_.push_back(scope);
}

void Interpreter::run(Text& out) {
  out_ = &out;
  unset(program_.unset);
  exec(program_.body);
}

Interpreter::Flow Interpreter::exec(const Body& body) {
  for (const auto& node : body) {
    const Flow flow = exec(*node);
    if (flow != Flow::normal) return flow;
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::exec(const Node& node) {
  Budget::current()->step();
  line_ = node.line;
  switch (node.kind) {
    case Statement::output:
      output(node);
      return Flow::normal;
    case Statement::loop:
      return exec_for(node);
    case Statement::condition:
      return exec_if(node);
    case Statement::macro:
      assign_name(node.signature->name_id, make_macro(node));
      return Flow::normal;
    case Statement::call_block:
      exec_call_block(node);
      return Flow::normal;
    case Statement::filter_block:
    case Statement::set_block:
      return exec_captured(node);
    case Statement::set: {
      check_namespaces(*node.exprs[0]);
      const Value value = eval(*node.exprs[1]);
      line_ = node.line;
      assign(*node.exprs[0], value);
      return Flow::normal;
    }
    case Statement::scope:
      return exec_scope(node);
    case Statement::break_loop:
      return Flow::break_loop;
    case Statement::continue_loop:
      return Flow::continue_loop;
    case Statement::refused:
      refuse(fmt::format("the tag '{}' is", node.text));
  }
  return Flow::normal;
}

void Interpreter::output(const Node& node) {
  for (const auto& expr : node.exprs) {
    if (expr->op == Op::literal && expr->text == "data")
      out_->append(expr->value.as_str());
    else
      out_->append(eval(*expr));
  }
}

Interpreter::Flow Interpreter::exec_if(const Node& node) {
  for (size_t i = 0; i < node.branches.size(); ++i) {
    if (i >= node.exprs.size() || truthy(eval(*node.exprs[i]))) return exec(node.branches[i]);
  }
  return Flow::normal;
}

Interpreter::Flow Interpreter::exec_scope(const Node& node) {
  std::vector<Value> values;
  for (size_t i = 1; i < node.exprs.size(); i += 2) values.push_back(eval(*node.exprs[i]));
  const Inner inner(*this, scope_);
  unset(node.unset);
  for (size_t i = 0; i < values.size(); ++i) assign(*node.exprs[2 * i], values[i]);
  return exec(node.branches[0]);
}

Interpreter::Flow Interpreter::exec_captured(const Node& node) {
  Value value;
  {
    Text text;
    const Inner inner(*this, scope_);
    unset(node.unset);
    {
      const Restored<Text*> restored(out_, &text);
      const Flow flow = exec(node.branches[0]);
      if (flow != Flow::normal) return flow;
    }
    value = text.finish();
    const Expr* filter = node.exprs.back().get();
    if (filter) value = eval_filter(*filter, &value);
  }
  line_ = node.line;
  if (node.kind == Statement::filter_block) {
    out_->append(value);
  } else {
    check_namespaces(*node.exprs[0]);
    assign(*node.exprs[0], value);
  }
  return Flow::normal;
}

// Before the value of an assignment is made: does it go to namespaces?
void Interpreter::check_namespaces(const Expr& target) {
  if (target.op == Op::namespace_ref) {
    if (!load(target.name).as<Namespace>())
      raise("cannot assign attribute on non-namespace object");
  }
  if (target.op == Op::tuple) {
    for (const auto& child : target.children) check_namespaces(*child);
  }
}

void Interpreter::assign_name(int name, const Value& value) {
  if (scope_) {
    Budget::current()->step();
    scope_->set(name, value);
  } else {
    root_[static_cast<size_t>(name)] = value;
  }
}

void Interpreter::unset(const std::vector<int>& names) {
  for (const int name : names) {
    assign_name(name, Value::undefined(fmt::format("'{}' is undefined",
                                                   program_.names[static_cast<size_t>(name)])));
  }
}

void Interpreter::assign(const Expr& target, const Value& value) {
  switch (target.op) {
    case Op::name:
      assign_name(target.name, value);
      return;
    case Op::namespace_ref: {
      const Value ns = load(target.name);
      auto* object = ns.as<Namespace>();
      if (!object) raise("cannot assign attribute on non-namespace object");
      object->set(target.value, value);
      return;
    }
    case Op::tuple: {
      const size_t wanted = target.children.size();
      if (!Cursor::possible(value)) raise("cannot unpack non-iterable {} object", type_name(value));
      std::vector<Value> items;
      Cursor cursor(value);
      for (Value item; items.size() <= wanted && cursor.next(item);)
        items.push_back(std::move(item));
      if (items.size() > wanted) raise("too many values to unpack (expected {})", wanted);
      if (items.size() < wanted) {
        raise("not enough values to unpack (expected {}, got {})", wanted, items.size());
      }
      for (size_t i = 0; i < wanted; ++i) assign(*target.children[i], items[i]);
      return;
    }
    default:
      raise("can't assign to this expression");
  }
}

}  // namespace ashlar::jinja
