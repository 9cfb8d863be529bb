// Evaluates expressions.
#include "jinja/interpreter.h"

namespace ashlar::jinja {

bool refused_filter(std::string_view name) {
  return one_of(name,
                {"attr", "filesizeformat", "forceescape", "groupby", "pprint", "random", "slice",
                 "striptags", "urlencode", "urlize", "wordcount", "wordwrap", "xmlattr"});
}

namespace {

[[noreturn]] void no_filter(std::string_view name) {
  if (refused_filter(name)) refuse(fmt::format("the filter '{}' is", name));
  raise("No filter named '{}'.", name);
}

}  // namespace

Interpreter::Interpreter(const Program& program, std::function<std::tm()> now)
    : program_(program), now_(std::move(now)), root_(program.names.size()) {}

void Interpreter::define(const std::string& name, const Value& value) {
  for (size_t i = 0; i < program_.names.size(); ++i) {
    if (program_.names[i] == name) root_[i] = value;
  }
}

Value Interpreter::function(std::string name, std::function<Value(Interpreter&, Args&)> call) {
  auto* out = make<Function>();
  out->name = std::move(name);
  out->call = std::move(call);
  return Value::object(out);
}

Value Interpreter::generator(std::function<bool(Value&)> next) {
  auto* out = make<Generator>();
  out->next = std::move(next);
  return Value::object(out);
}

Value Interpreter::load(int name) {
  for (Scope* scope = scope_; scope; scope = scope->parent) {
    if (const Value* value = scope->find(name)) return *value;
  }
  const auto index = static_cast<size_t>(name);
  if (root_[index]) return *root_[index];
  if (auto global = global_function(*this, program_.names[index])) {
    root_[index] = *global;
    return *global;
  }
  return Value::undefined(fmt::format("'{}' is undefined", program_.names[index]));
}

Value Interpreter::eval(const Expr& expr) {
  const Deeper deeper;
  Budget::current()->step();
  switch (expr.op) {
    case Op::literal:
      return expr.value;
    case Op::name:
      line_ = expr.line;
      return load(expr.name);
    case Op::tuple:
      return Value::tuple(eval_all(expr.children));
    case Op::list:
      return Value::list(eval_all(expr.children));
    case Op::dict:
      return eval_dict(expr);
    case Op::attribute: {
      const Value object = eval(*expr.children[0]);
      line_ = expr.line;
      return attribute(object, expr.value);
    }
    case Op::item:
      return eval_item(expr);
    case Op::call:
      return eval_call(expr);
    case Op::filter:
      return eval_filter(expr);
    case Op::test:
      return eval_test(expr);
    case Op::logical_not:
      return Value::boolean(!truthy(eval(*expr.children[0])));
    case Op::logical_and: {
      Value left = eval(*expr.children[0]);
      return truthy(left) ? eval(*expr.children[1]) : left;
    }
    case Op::logical_or: {
      Value left = eval(*expr.children[0]);
      return truthy(left) ? left : eval(*expr.children[1]);
    }
    case Op::negate:
    case Op::plus: {
      const Value value = eval(*expr.children[0]);
      line_ = expr.line;
      return signed_number(expr.op, value);
    }
    case Op::compare:
      return eval_compare(expr);
    case Op::concat:
      return eval_concat(expr);
    case Op::conditional:
      return eval_conditional(expr);
    case Op::namespace_ref:
    case Op::slice:
      throw Failure{"a slice among several subscripts is not supported", ErrorKind::unsupported};
    default: {
      const Value left = eval(*expr.children[0]);
      const Value right = eval(*expr.children[1]);
      line_ = expr.line;
      return arithmetic(expr.op, left, right);
    }
  }
}

std::vector<Value> Interpreter::eval_all(const std::vector<ExprPtr>& exprs) {
  std::vector<Value> out;
  out.reserve(exprs.size());
  for (const auto& expr : exprs) out.push_back(eval(*expr));
  return out;
}

Value Interpreter::eval_dict(const Expr& expr) {
  auto dict = std::make_shared<Dict>();
  dict->charge.take(sizeof(Dict));
  for (size_t i = 0; i + 1 < expr.children.size(); i += 2) {
    const Value key = eval(*expr.children[i]);
    const Value value = eval(*expr.children[i + 1]);
    dict->set(key, value);
  }
  return Value::dict(std::move(dict));
}

Value Interpreter::eval_conditional(const Expr& expr) {
  if (truthy(eval(*expr.children[0]))) return eval(*expr.children[1]);
  if (expr.children[2]) return eval(*expr.children[2]);
  return Value::undefined(fmt::format(
      "the inline if-expression on line {} evaluated to false and no else section was defined.",
      expr.line));
}

Value Interpreter::eval_compare(const Expr& expr) {
  Value left = eval(*expr.children[0]);
  for (size_t i = 0; i < expr.comparisons.size(); ++i) {
    Value right = eval(*expr.children[i + 1]);
    line_ = expr.line;
    if (!compare(expr.comparisons[i], left, right)) return Value::boolean(false);
    left = std::move(right);
  }
  return Value::boolean(true);
}

Value Interpreter::eval_concat(const Expr& expr) {
  Text out;
  for (const auto& child : expr.children) out.append(eval(*child));
  return out.finish();
}

Value Interpreter::eval_item(const Expr& expr) {
  const Value object = eval(*expr.children[0]);
  const Expr& key = *expr.children[1];
  if (key.op != Op::slice) {
    const Value index = eval(key);
    line_ = expr.line;
    return item(object, index);
  }
  Value parts[3];
  for (size_t i = 0; i < 3; ++i) {
    if (key.children[i]) parts[i] = eval(*key.children[i]);
  }
  line_ = expr.line;
  return slice(*this, object, parts[0], parts[1], parts[2]);
}

Args Interpreter::eval_args(const CallArgs& args, const Value* caller) {
  Args out;
  out.positional = eval_all(args.positional);
  for (const auto& [name, expr] : args.named) out.named.emplace_back(name, eval(*expr));
  if (args.dynamic_positional) {
    for (auto& value : to_vector(eval(*args.dynamic_positional)))
      out.positional.push_back(std::move(value));
  }
  const auto add = [&out](const std::string& name, const Value& value) {
    for (const auto& [other, given] : out.named) {
      if (other == name) raise("got multiple values for keyword argument '{}'", name);
    }
    out.named.emplace_back(name, value);
  };
  if (args.dynamic_named) {
    const Value more = eval(*args.dynamic_named);
    if (more.is(Kind::undefined)) raise_undefined(more);
    if (!more.is(Kind::dict)) raise("argument after ** must be a mapping, not {}", type_name(more));
    for (const auto& [key, value] : more.as_dict().entries) {
      if (!key.is(Kind::string)) raise("keywords must be strings");
      add(key.bytes(), value);
    }
  }
  if (caller) add("caller", *caller);
  return out;
}

Value Interpreter::eval_call(const Expr& expr, const Value* caller) {
  const Expr& callee = *expr.children[0];
  Value target;             // what is called
  Method method = nullptr;  // or this method of `target`, a string
  if (callee.op == Op::attribute) {
    target = eval(*callee.children[0]);
    line_ = callee.line;
    if (target.is(Kind::string)) method = string_method(callee.text);
    if (!method) target = attribute(target, callee.value);
  } else {
    target = eval(callee);
  }
  Args args = eval_args(*expr.args, caller);
  line_ = expr.line;
  return method ? method(*this, target, args) : call(target, args);
}

Value Interpreter::call(const Value& callee, Args& args) {
  const Deeper deeper;
  if (callee.is(Kind::undefined)) raise_undefined(callee);
  if (const auto* macro = callee.as<Macro>()) return call_macro(*macro, args);
  if (const auto* function = callee.as<Function>()) return function->call(*this, args);
  if (auto* loop = callee.as<Loop>()) {
    if (args.positional.size() != 1 || !args.named.empty()) raise("loop() takes one argument");
    return call_loop(*loop, args.positional[0]);
  }
  raise("'{}' object is not callable", type_name(callee));
}

Value Interpreter::eval_filter(const Expr& expr, const Value* input) {
  // A chain ends at the block's own text where its innermost filter has no input.
  const Value value =
      expr.children[0] && (!input || expr.children[0]->op == Op::filter)
          ? (input ? eval_filter(*expr.children[0], input) : eval(*expr.children[0]))
          : *input;
  Args args = eval_args(*expr.args);
  line_ = expr.line;
  if (!expr.filter) no_filter(expr.text);
  return expr.filter(*this, value, args);
}

Value Interpreter::eval_test(const Expr& expr) {
  const Value value = eval(*expr.children[0]);
  Args args = eval_args(*expr.args);
  line_ = expr.line;
  if (!expr.test) raise("No test named '{}' found.", expr.text);
  return Value::boolean(expr.test(*this, value, args));
}

Value Interpreter::filter(std::string_view name, const Value& value, Args& args) {
  const FilterFunction found = find_filter(name);
  if (!found) no_filter(name);
  return found(*this, value, args);
}

bool Interpreter::test(std::string_view name, const Value& value, Args& args) {
  const TestFunction found = find_test(name);
  if (!found) raise("No test named '{}'.", name);
  return found(*this, value, args);
}

namespace {

Value no_attribute(const Value& object, const Value& name) {
  return Value::undefined(fmt::format("'{}{}' has no attribute '{}'", type_name(object),
                                      object.is(Kind::none) ? "" : " object", name.bytes()));
}

// The item of a string, list, tuple or range at an index, from the end where it is negative.
std::optional<Value> item_at(const Value& sequence, int64_t index) {
  const auto size = static_cast<int64_t>(length(sequence));
  if (index < 0) index += size;
  if (index < 0 || index >= size) return std::nullopt;
  const auto at = static_cast<size_t>(index);
  if (const auto* range = sequence.as<Range>()) return range->at(at);
  if (sequence.is_sequence()) return sequence.items()[at];
  const Str& text = sequence.as_str();
  const size_t begin = text.offset(at);
  return slice_bytes(sequence, begin, text.offset(at + 1));
}

}  // namespace

Value Interpreter::attribute(const Value& object, const Value& name) {
  if (object.is(Kind::undefined) && !name.bytes().starts_with("__")) raise_undefined(object);
  if (auto found = python_attribute(*this, object, name)) return *found;
  if (object.is(Kind::dict)) {
    if (const Value* value = object.as_dict().find(name)) return *value;
  }
  if (object.is(Kind::undefined)) raise_undefined(object);
  return no_attribute(object, name);
}

Value Interpreter::item(const Value& object, const Value& key) {
  if (object.is(Kind::undefined)) raise_undefined(object);
  const bool index = key.is(Kind::integer) || key.is(Kind::boolean);
  if (object.is(Kind::dict) && !key.is(Kind::list) && !key.is(Kind::dict)) {
    if (const Value* value = object.as_dict().find(key)) return *value;
  } else if (index && (object.is(Kind::string) || object.is_sequence() || object.as<Range>())) {
    if (const auto value = item_at(object, key.as_int64())) return *value;
  }
  if (key.is(Kind::string)) {
    const auto found = python_attribute(*this, object, key);
    return found ? *found : no_attribute(object, key);
  }
  return Value::undefined(fmt::format("{}{} has no element {}", type_name(object),
                                      object.is(Kind::none) ? "" : " object", repr(key)));
}

}  // namespace ashlar::jinja
