// Attributes and methods of values other than strings, and what the sandbox forbids.
#include <algorithm>

#include "jinja/builtin.h"

namespace ashlar::jinja {
namespace {

Value forbidden(const Value& object, std::string_view name) {
  return Value::undefined(
      fmt::format("access to attribute '{}' of '{}' object is unsafe.", name, type_name(object)));
}

template <DictView::Part part>
Value view(Interpreter& interpreter, const Value& dict, Args& args) {
  no_arguments("method", args);
  auto* out = interpreter.make<DictView>();
  out->part = part;
  out->dict = dict;
  return Value::object(out);
}

Value dict_get(Interpreter&, const Value& self, Args& args) {
  const Bound bound("get", args, {"", ""}, 1);
  const Value* found = self.as_dict().find(bound.at(0));
  return found ? *found : bound.at(1);
}

Value dict_from_keys(Interpreter&, const Value&, Args& args) {
  const Bound bound("fromkeys", args, {"", ""}, 1);
  auto out = std::make_shared<Dict>();
  Cursor cursor(bound.at(0));
  for (Value key; cursor.next(key);) out->set(key, bound.at(1));
  return Value::dict(std::move(out));
}

Value count_items(Interpreter&, const Value& self, Args& args) {
  const Value wanted = Bound("count", args, {""}, 1).at(0);
  int64_t count = 0;
  Cursor cursor(self);
  for (Value item; cursor.next(item);) count += identical(item, wanted) || equal(item, wanted);
  return Value::integer(count);
}

Value index_of_item(Interpreter&, const Value& self, Args& args) {
  const Bound bound("index", args, {"", "", ""}, 1);
  const auto size = static_cast<int64_t>(length(self));
  const auto place = [&](size_t i, int64_t otherwise) {
    const int64_t at = bound.integer(i, otherwise);
    return at < 0 ? std::max<int64_t>(at + size, 0) : at;
  };
  const int64_t begin = place(1, 0), end = std::min(place(2, size), size);
  const Value wanted = bound.at(0);
  Cursor cursor(self);
  int64_t at = 0;
  for (Value item; at < end && cursor.next(item); ++at) {
    if (at >= begin && (identical(item, wanted) || equal(item, wanted))) return Value::integer(at);
  }
  raise("{} is not in {}", repr(wanted), type_name(self));
}

Value same(Interpreter&, const Value& self, Args& args) {
  no_arguments("copy", args);
  return self;
}

void no_keywords(std::string_view function, const Args& args) {
  if (!args.named.empty()) raise("{}() got an unexpected keyword argument", function);
}

std::optional<Value> loop_attribute(Interpreter& interpreter, Loop& loop, std::string_view name) {
  if (name == "index") return Value::integer(loop.index0 + 1);
  if (name == "index0") return Value::integer(loop.index0);
  if (name == "first") return Value::boolean(loop.index0 == 0);
  if (name == "last") return Value::boolean(!loop.peek());
  if (name == "length") return Value::integer(loop.length());
  if (name == "revindex") return Value::integer(loop.length() - loop.index0);
  if (name == "revindex0") return Value::integer(loop.length() - loop.index0 - 1);
  if (name == "depth") return Value::integer(loop.depth0 + 1);
  if (name == "depth0") return Value::integer(loop.depth0);
  if (name == "previtem") {
    return loop.index0 == 0 ? Value::undefined("there is no previous item") : loop.previous;
  }
  if (name == "nextitem")
    return loop.peek() ? loop.ahead.back() : Value::undefined("there is no next item");
  if (name == "cycle") {
    return interpreter.function("cycle", [&loop](Interpreter&, Args& args) {
      no_keywords("cycle", args);
      if (args.positional.empty()) raise("no items for cycling given");
      return args.positional[static_cast<size_t>(loop.index0) % args.positional.size()];
    });
  }
  if (name == "changed") {
    return interpreter.function("changed", [&loop](Interpreter&, Args& args) {
      no_keywords("changed", args);
      const Value now = Value::tuple(args.positional);
      if (loop.last_changed && equal(*loop.last_changed, now)) return Value::boolean(false);
      loop.last_changed = now;
      return Value::boolean(true);
    });
  }
  return std::nullopt;
}

std::optional<Value> object_attribute(Interpreter& interpreter, const Value& object,
                                      const Value& key) {
  if (const auto* ns = object.as<Namespace>()) {
    const Value* found = ns->attributes.find(key);
    return found ? std::optional(*found) : std::nullopt;
  }
  const std::string& name = key.bytes();
  if (auto* loop = object.as<Loop>()) return loop_attribute(interpreter, *loop, name);
  if (const auto* macro = object.as<Macro>(); macro && name == "name")
    return macro->signature->name.empty() ? Value() : Value::string(macro->signature->name);
  return std::nullopt;
}

}  // namespace

Method container_method(const Value& object, std::string_view name) {
  static constexpr Entry<Method> kOfDicts[] = {
      {"get", dict_get},
      {"copy", same},
      {"fromkeys", dict_from_keys},
      {"keys", view<DictView::Part::keys>},
      {"values", view<DictView::Part::values>},
      {"items", view<DictView::Part::items>},
  };
  static constexpr Entry<Method> kOfSequences[] = {{"count", count_items},
                                                   {"index", index_of_item}};
  const auto* function = object.as<Function>();
  if (function && function->name == "dict" && name == "fromkeys") return dict_from_keys;
  if (object.is(Kind::dict)) return look_up(kOfDicts, name);
  if (object.is(Kind::list) && name == "copy") return same;
  return object.is_sequence() || object.as<Range>() ? look_up(kOfSequences, name) : nullptr;
}

std::optional<Value> python_attribute(Interpreter& interpreter, const Value& object,
                                      const Value& key) {
  const std::string& name = key.bytes();
  if (object.is(Kind::list) &&
      one_of(name, {"append", "clear", "pop", "reverse", "insert", "sort", "extend", "remove"}))
    return forbidden(object, name);
  if (object.is(Kind::dict) && one_of(name, {"clear", "pop", "popitem", "setdefault", "update"}))
    return forbidden(object, name);
  if (object.is_number() &&
      one_of(name, {"real", "imag", "conjugate", "numerator", "denominator", "bit_length",
                    "bit_count", "as_integer_ratio", "hex", "is_integer"}))
    refuse(fmt::format("the attribute '{}' of numbers is", name));
  const Method method =
      object.is(Kind::string) ? string_method(name) : container_method(object, name);
  if (method) {
    return interpreter.function(std::string(name), [object, method](Interpreter& self, Args& args) {
      return method(self, object, args);
    });
  }
  if (object.is(Kind::object)) return object_attribute(interpreter, object, key);
  return std::nullopt;
}

}  // namespace ashlar::jinja
