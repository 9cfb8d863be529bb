// Loops, macros and what a template sees of them.
#include "jinja/interpreter.h"

namespace ashlar::jinja {

bool Loop::next(Value& item) {
  if (!ahead.empty()) {
    item = std::move(ahead.back());
    ahead.pop_back();
  } else if (!source(item)) {
    return false;
  }
  ++index0;
  previous = std::move(current);
  current = item;
  return true;
}

bool Loop::peek() {
  if (!ahead.empty()) return true;
  Value item;
  if (!source(item)) return false;
  ahead.push_back(std::move(item));
  return true;
}

int64_t Loop::length() {
  if (!known_length) {
    std::vector<Value> rest;
    Charge charge;
    for (Value item; source(item);) {
      charge.take(sizeof(Value));
      rest.push_back(std::move(item));
    }
    known_length = static_cast<size_t>(index0 + 1) + ahead.size() + rest.size();
    ahead.insert(ahead.begin(), rest.rbegin(), rest.rend());
  }
  return static_cast<int64_t>(*known_length);
}

void Interpreter::open_loop(Loop& loop, const Node& node, const Value& iterable, Scope* scope) {
  loop.node = node.recursive ? &node : nullptr;
  loop.scope = scope;
  auto cursor = std::make_shared<Cursor>(iterable);
  const Expr* condition = node.exprs[2].get();
  if (!condition) {
    loop.source = [cursor](Value& out) { return cursor->next(out); };
    loop.known_length = size_of(iterable);
    return;
  }
  const Expr* target = node.exprs[0].get();
  loop.source = [this, cursor, condition, target, scope](Value& out) {
    while (cursor->next(out)) {
      const Inner inner(*this, scope);
      assign(*target, out);
      if (truthy(eval(*condition))) return true;
    }
    return false;
  };
}

// The rounds of a loop; then its else if no round came to its end.
Interpreter::Flow Interpreter::run_loop(const Node& node, Loop& loop) {
  const Value variable = Value::object(&loop);
  bool finished_one = false;
  for (Value item; loop.next(item);) {
    const Inner inner(*this, loop.scope);
    scope_->set(kLoop, variable);
    unset(node.unset);
    line_ = node.line;
    assign(*node.exprs[0], item);
    const Flow round = exec(node.branches[0]);
    if (round == Flow::break_loop) break;
    if (round == Flow::normal) finished_one = true;
  }
  if (finished_one || node.branches.size() == 1) return Flow::normal;
  const Inner inner(*this, loop.scope);
  unset(node.unset_else);
  return exec(node.branches[1]);
}

Interpreter::Flow Interpreter::exec_for(const Node& node) {
  const Value iterable = eval(*node.exprs[1]);
  line_ = node.line;
  auto* loop = make<Loop>();
  open_loop(*loop, node, iterable, scope_);
  return run_loop(node, *loop);
}

Value Interpreter::call_loop(Loop& loop, const Value& iterable) {
  if (!loop.node) raise("The loop must have the 'recursive' marker to be called recursively.");
  auto* inner = make<Loop>();
  open_loop(*inner, *loop.node, iterable, loop.scope);
  inner->depth0 = loop.depth0 + 1;
  Text text;
  const Restored<Text*> restored(out_, &text);
  run_loop(*loop.node, *inner);
  return text.finish();
}

Value Interpreter::make_macro(const Node& node) {
  auto* macro = make<Macro>();
  macro->signature = node.signature.get();
  macro->body = &node.branches[0];
  macro->unset = &node.unset;
  macro->scope = scope_;
  for (Scope* scope = scope_; scope && !scope->captured; scope = scope->parent)
    scope->captured = true;
  return Value::object(macro);
}

void Interpreter::exec_call_block(const Node& node) {
  const Value caller = make_macro(node);
  out_->append(eval_call(*node.exprs[0], &caller));
}

namespace {

// Takes a keyword argument out of `args`.
std::optional<Value> pop(Args& args, std::string_view name) {
  for (auto it = args.named.begin(); it != args.named.end(); ++it) {
    if (it->first != name) continue;
    Value value = it->second;
    args.named.erase(it);
    return value;
  }
  return std::nullopt;
}

}  // namespace

Value Interpreter::call_macro(const Macro& macro, Args& args) {
  const Signature& signature = *macro.signature;
  const size_t wanted = signature.parameters.size();
  const size_t given = std::min(args.positional.size(), wanted);
  std::vector<std::optional<Value>> values(
      args.positional.begin(), args.positional.begin() + static_cast<std::ptrdiff_t>(given));
  bool found_caller = given == wanted && signature.explicit_caller;
  for (size_t i = given; i < wanted; ++i) {
    const std::string& name = signature.parameters[i].first;
    if (name == "caller") found_caller = true;
    values.push_back(pop(args, name));
  }
  std::optional<Value> caller;
  if (signature.takes_caller && !found_caller) {
    caller = pop(args, "caller");
    if (!caller || caller->is(Kind::none)) caller = Value::undefined("No caller defined");
  }
  const std::string shown = signature.name.empty() ? "None" : repr_string(signature.name);
  if (!signature.takes_kwargs && !args.named.empty()) {
    raise("macro {} takes no keyword argument '{}'", shown, args.named.front().first);
  }
  if (!signature.takes_varargs && args.positional.size() > wanted) {
    raise("macro {} takes not more than {} argument(s)", shown, wanted);
  }

  Text text;
  const Inner inner(*this, macro.scope);
  const Restored<Text*> restored(out_, &text);
  unset(*macro.unset);
  if (caller) scope_->set(kCaller, *caller);
  if (signature.takes_kwargs) {
    auto dict = std::make_shared<Dict>();
    for (const auto& [name, value] : args.named) dict->set(Value::string(name), value);
    scope_->set(kKwargs, Value::dict(std::move(dict)));
  }
  if (signature.takes_varargs) {
    scope_->set(kVarargs,
                Value::tuple({args.positional.begin() + static_cast<std::ptrdiff_t>(given),
                              args.positional.end()}));
  }
  const size_t first_default = wanted - signature.defaults.size();
  for (size_t i = 0; i < wanted; ++i) {
    const auto& [name, id] = signature.parameters[i];
    if (values[i])
      scope_->set(id, *values[i]);
    else if (i >= first_default)
      scope_->set(id, eval(*signature.defaults[i - first_default]));
    else
      scope_->set(id, Value::undefined(fmt::format("parameter '{}' was not provided", name)));
  }
  exec(*macro.body);
  return text.finish();
}

}  // namespace ashlar::jinja
