// Filters of lists and dicts.
#include <algorithm>

#include "jinja/builtin.h"

namespace ashlar::jinja {
namespace {

Value filter_length(Interpreter&, const Value& value, Args& args) {
  no_arguments("length", args);
  auto* loop = value.as<Loop>();
  return Value::integer(loop ? loop->length() : static_cast<int64_t>(length(value)));
}

Value filter_default(Interpreter&, const Value& value, Args& args) {
  const Bound bound("default", args, {"default_value", "boolean"});
  if (!value.is(Kind::undefined) && !(bound.truth(1, false) && !truthy(value))) return value;
  return bound.has(0) ? bound.at(0) : Value::string("");
}

Value filter_first(Interpreter&, const Value& value, Args& args) {
  no_arguments("first", args);
  Cursor cursor(value);
  Value out;
  return cursor.next(out) ? out : Value::undefined("No first item, sequence was empty.");
}

// What a lazy filter gives: a generator that goes through `value` when the first item is asked for.
// `next` takes from the cursor until it has an item to give.
Value lazily(Interpreter& interpreter, const Value& value,
             std::function<bool(Cursor&, Value&)> next) {
  return interpreter.generator(
      [value, next = std::move(next), cursor = std::shared_ptr<Cursor>()](Value& out) mutable {
        if (!cursor) cursor = std::make_shared<Cursor>(value);
        return next(*cursor, out);
      });
}

bool all_items(Cursor& cursor, Value& out) { return cursor.next(out); }

// The filter or test that map, select and their like are given: its name at `at`, then its own
// arguments.
std::string_view name_of(std::string_view what, const Args& args, size_t at) {
  const Value& name = args.positional[at];
  if (!name.is(Kind::string)) raise("No {} named {}.", what, repr(name));
  return name.bytes();
}

Args after(const Args& args, size_t count) {
  return {{args.positional.begin() + static_cast<std::ptrdiff_t>(count), args.positional.end()},
          args.named};
}

bool reversible(const Value& value) { return Cursor::possible(value) && !value.as<Generator>(); }

Value filter_last(Interpreter&, const Value& value, Args& args) {
  no_arguments("last", args);
  if (!reversible(value)) raise("'{}' object is not reversible", type_name(value));
  Value out = Value::undefined("No last item, sequence was empty.");
  Cursor cursor(value);
  for (Value item; cursor.next(item);) out = std::move(item);
  return out;
}

Value filter_reverse(Interpreter& interpreter, const Value& value, Args& args) {
  no_arguments("reverse", args);
  if (value.is(Kind::string))
    return slice(interpreter, value, Value(), Value(), Value::integer(-1));
  if (!Cursor::possible(value)) raise("argument must be iterable");
  std::vector<Value> items = to_vector(value);
  std::reverse(items.begin(), items.end());
  if (!reversible(value)) return Value::list(std::move(items));
  return lazily(interpreter, Value::list(std::move(items)), all_items);
}

Value filter_join(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("join", args, {"d", "attribute"});
  const Value separator = bound.has(0) ? to_str(bound.at(0)) : Value::string("");
  const std::vector<Value> items = to_vector(value);
  Text out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out.append(separator.as_str());
    out.append(attribute_path(interpreter, items[i], bound.at(1)));
  }
  return out.finish();
}

Value filter_map(Interpreter& interpreter, const Value& value, Args& args) {
  if (!truthy(value)) return lazily(interpreter, Value::list({}), all_items);
  return lazily(interpreter, value, [&interpreter, args](Cursor& cursor, Value& out) {
    if (args.positional.empty()) {
      const bool attribute = std::any_of(args.named.begin(), args.named.end(),
                                         [](const auto& a) { return a.first == "attribute"; });
      if (!attribute) raise("map requires a filter argument");
      const Bound bound("map", args, {"attribute", "default"}, 1);
      const Value otherwise = bound.at(1);
      if (!cursor.next(out)) return false;
      out = attribute_path(interpreter, out, bound.at(0), bound.is_none(1) ? nullptr : &otherwise);
      return true;
    }
    if (!cursor.next(out)) return false;
    Args rest = after(args, 1);
    out = interpreter.filter(name_of("filter", args, 0), out, rest);
    return true;
  });
}

template <bool keep, bool by_attribute>
Value choose(Interpreter& interpreter, const Value& value, Args& args) {
  if (!truthy(value)) return lazily(interpreter, Value::list({}), all_items);
  return lazily(interpreter, value, [&interpreter, args](Cursor& cursor, Value& out) {
    const size_t used = by_attribute ? 1 : 0;
    if (args.positional.size() < used) raise("Missing parameter for attribute name");
    while (cursor.next(out)) {
      const Value subject =
          by_attribute ? attribute_path(interpreter, out, args.positional[0]) : out;
      bool holds;
      if (args.positional.size() > used) {
        Args rest = after(args, used + 1);
        holds = interpreter.test(name_of("test", args, used), subject, rest);
      } else {
        holds = truthy(subject);
      }
      if (holds == keep) return true;
    }
    return false;
  });
}

// What sorting and comparing filters go by: an attribute, without its case.
Value sort_key(Interpreter& interpreter, const Value& item, const Value& path, bool sensitive) {
  const Value key = attribute_path(interpreter, item, path);
  return sensitive || !key.is(Kind::string) ? key : map_case(key, 'l');
}

Value filter_sort(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("sort", args, {"reverse", "case_sensitive", "attribute"});
  const bool sensitive = bound.truth(1, false);
  const Value attribute = bound.at(2);
  if (attribute.is(Kind::string) && attribute.bytes().find(',') != std::string::npos)
    refuse("sorting by several attributes is");
  const auto key = [&](const Value& item) {
    return Value::list({sort_key(interpreter, item, attribute, sensitive)});
  };
  return Value::list(sorted(to_vector(value), key, bound.truth(0, false)));
}

Value filter_unique(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("unique", args, {"case_sensitive", "attribute"});
  return lazily(interpreter, value,
                [&interpreter, sensitive = bound.truth(0, false), path = bound.at(1),
                 seen = std::make_shared<Dict>()](Cursor& cursor, Value& out) {
                  while (cursor.next(out)) {
                    const Value key = sort_key(interpreter, out, path, sensitive);
                    if (seen->find(key)) continue;
                    seen->set(key, Value());
                    return true;
                  }
                  return false;
                });
}

template <bool largest>
Value extreme(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound(largest ? "max" : "min", args, {"case_sensitive", "attribute"});
  const bool sensitive = bound.truth(0, false);
  Cursor cursor(value);
  Value best, best_key;
  bool any = false;
  for (Value item; cursor.next(item); any = true) {
    const Value key = sort_key(interpreter, item, bound.at(1), sensitive);
    if (any && !(largest ? less(best_key, key) : less(key, best_key))) continue;
    best = item;
    best_key = key;
  }
  return any ? best : Value::undefined("No aggregated item, sequence was empty.");
}

Value filter_sum(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("sum", args, {"attribute", "start"});
  Value total = bound.has(1) ? bound.at(1) : Value::integer(0);
  if (total.is(Kind::string)) raise("sum() can't sum strings [use ''.join(seq) instead]");
  Cursor cursor(value);
  for (Value item; cursor.next(item);) {
    total = arithmetic(Op::add, total, attribute_path(interpreter, item, bound.at(0)));
  }
  return total;
}

Value filter_batch(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("batch", args, {"linecount", "fill_with"}, 1);
  return lazily(interpreter, value,
                [count = bound.at(0), fill = bound.at(1), held = std::vector<Value>(),
                 done = false](Cursor& cursor, Value& out) mutable {
                  if (done) return false;
                  for (Value item; cursor.next(item);) {
                    if (equal(Value::integer(static_cast<int64_t>(held.size())), count)) {
                      out = Value::list(std::exchange(held, {item}));
                      return true;
                    }
                    held.push_back(item);
                  }
                  done = true;
                  if (held.empty()) return false;
                  const auto size = static_cast<int64_t>(held.size());
                  if (!fill.is(Kind::none) && less(Value::integer(size), count)) {
                    const auto wanted = static_cast<size_t>(to_index(count));
                    Charge charge;
                    charge.take_many(sizeof(Value), wanted);
                    held.resize(wanted, fill);
                  }
                  out = Value::list(std::move(held));
                  return true;
                });
}

// (key, value) of every entry.
Value items_of(Interpreter& interpreter, const Value& dict) {
  Args none;
  return container_method(dict, "items")(interpreter, dict, none);
}

Value filter_dictsort(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("dictsort", args, {"case_sensitive", "by", "reverse"});
  const bool sensitive = bound.truth(0, false);
  const Value by = bound.has(1) ? bound.at(1) : Value::string("key");
  const bool by_value = by.is(Kind::string) && by.bytes() == "value";
  if (!by_value && !(by.is(Kind::string) && by.bytes() == "key"))
    raise("You can only sort by either \"key\" or \"value\"");
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is(Kind::dict)) raise("'{}' object has no attribute 'items'", type_name(value));
  const Value path = Value::integer(by_value ? 1 : 0);
  const auto key = [&](const Value& item) { return sort_key(interpreter, item, path, sensitive); };
  return Value::list(sorted(to_vector(items_of(interpreter, value)), key, bound.truth(2, false)));
}

Value filter_items(Interpreter& interpreter, const Value& value, Args& args) {
  no_arguments("items", args);
  if (value.is(Kind::undefined)) return lazily(interpreter, value, all_items);
  if (value.is(Kind::dict)) return lazily(interpreter, items_of(interpreter, value), all_items);
  return interpreter.generator(
      [](Value&) -> bool { raise("Can only get item pairs from a mapping."); });
}

constexpr Entry<FilterFunction> kFilters[] = {
    {"batch", filter_batch},
    {"count", filter_length},
    {"d", filter_default},
    {"default", filter_default},
    {"dictsort", filter_dictsort},
    {"first", filter_first},
    {"items", filter_items},
    {"join", filter_join},
    {"last", filter_last},
    {"length", filter_length},
    {"list",
     [](Interpreter&, const Value& v, Args& a) {
       no_arguments("list", a);
       return Value::list(to_vector(v));
     }},
    {"map", filter_map},
    {"max", extreme<true>},
    {"min", extreme<false>},
    {"reject", choose<false, false>},
    {"rejectattr", choose<false, true>},
    {"reverse", filter_reverse},
    {"select", choose<true, false>},
    {"selectattr", choose<true, true>},
    {"sort", filter_sort},
    {"sum", filter_sum},
    {"unique", filter_unique},
};

}  // namespace

FilterFunction find_list_filter(std::string_view name) { return look_up(kFilters, name); }

}  // namespace ashlar::jinja
