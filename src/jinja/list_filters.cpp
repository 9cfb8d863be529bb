// Filters of lists and dicts.
#include <algorithm>

#include "jinja/builtin.h"

namespace ashlar::jinja {
namespace {

int64_t measure(const Value& value) {
  if (auto* loop = value.as<Loop>()) return loop->length();
  return static_cast<int64_t>(length(value));
}

Value filter_length(Interpreter&, const Value& value, Args& args) {
  no_arguments("length", args);
  return Value::integer(measure(value));
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
  return interpreter.generator(
      [list = Value::list(std::move(items)), at = size_t{0}](Value& out) mutable {
        if (at >= list.items().size()) return false;
        out = list.items()[at++];
        return true;
      });
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
  return interpreter.generator([&interpreter, value, args, cursor = std::shared_ptr<Cursor>(),
                                started = false](Value& out) mutable {
    if (!started) {
      started = true;
      if (truthy(value)) {
        const bool attribute = args.positional.empty() &&
                               std::any_of(args.named.begin(), args.named.end(),
                                           [](const auto& a) { return a.first == "attribute"; });
        if (attribute)
          Bound("map", args, {"attribute", "default"}, 1);
        else if (args.positional.empty())
          raise("map requires a filter argument");
        cursor = std::make_shared<Cursor>(value);
      }
    }
    Value item;
    if (!cursor || !cursor->next(item)) return false;
    if (args.positional.empty()) {
      const Bound bound("map", args, {"attribute", "default"}, 1);
      const Value otherwise = bound.at(1);
      out = attribute_path(interpreter, item, bound.at(0), bound.is_none(1) ? nullptr : &otherwise);
      return true;
    }
    const Value& name = args.positional[0];
    if (!name.is(Kind::string)) raise("No filter named {}.", repr(name));
    Args rest{{args.positional.begin() + 1, args.positional.end()}, args.named};
    out = interpreter.filter(name.bytes(), item, rest);
    return true;
  });
}

Value choose(Interpreter& interpreter, const Value& value, const Args& args, bool keep,
             bool by_attribute) {
  return interpreter.generator([&interpreter, value, args, keep, by_attribute,
                                cursor = std::shared_ptr<Cursor>(),
                                started = false](Value& out) mutable {
    const size_t used = by_attribute ? 1 : 0;
    if (!started) {
      started = true;
      if (truthy(value)) {
        if (by_attribute && args.positional.empty()) raise("Missing parameter for attribute name");
        cursor = std::make_shared<Cursor>(value);
      }
    }
    for (Value item; cursor && cursor->next(item);) {
      const Value subject =
          by_attribute ? attribute_path(interpreter, item, args.positional[0]) : item;
      bool holds;
      if (args.positional.size() > used) {
        const Value& name = args.positional[used];
        if (!name.is(Kind::string)) raise("No test named {}.", repr(name));
        Args rest{{args.positional.begin() + static_cast<std::ptrdiff_t>(used) + 1,
                   args.positional.end()},
                  args.named};
        holds = interpreter.test(name.bytes(), subject, rest);
      } else {
        holds = truthy(subject);
      }
      if (holds == keep) {
        out = item;
        return true;
      }
    }
    return false;
  });
}

Value filter_sort(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("sort", args, {"reverse", "case_sensitive", "attribute"});
  const bool sensitive = bound.truth(1, false);
  const Value attribute = bound.at(2);
  std::vector<Value> paths;
  if (attribute.is(Kind::string)) {
    const std::string& text = attribute.bytes();
    for (size_t begin = 0;;) {
      const size_t end = std::min(text.find(',', begin), text.size());
      paths.push_back(slice_bytes(attribute, begin, end));
      if (end == text.size()) break;
      begin = end + 1;
    }
  } else {
    paths.push_back(attribute);
  }
  const auto key = [&](const Value& item) {
    std::vector<Value> parts;
    for (const auto& path : paths) {
      const Value part = attribute_path(interpreter, item, path);
      parts.push_back(sensitive ? part : ignore_case(part));
    }
    return Value::list(std::move(parts));
  };
  return Value::list(sorted(to_vector(value), key, bound.truth(0, false)));
}

Value filter_unique(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("unique", args, {"case_sensitive", "attribute"});
  return interpreter.generator([&interpreter, value, sensitive = bound.truth(0, false),
                                path = bound.at(1), seen = std::make_shared<Dict>(),
                                cursor = std::shared_ptr<Cursor>()](Value& out) mutable {
    if (!cursor) cursor = std::make_shared<Cursor>(value);
    for (Value item; cursor->next(item);) {
      Value key = attribute_path(interpreter, item, path);
      if (!sensitive) key = ignore_case(key);
      if (seen->find(key)) continue;
      seen->set(key, Value());
      out = item;
      return true;
    }
    return false;
  });
}

Value extreme(Interpreter& interpreter, const Value& value, const Args& args, bool largest) {
  const Bound bound(largest ? "max" : "min", args, {"case_sensitive", "attribute"});
  const bool sensitive = bound.truth(0, false);
  Cursor cursor(value);
  Value best, best_key;
  bool any = false;
  for (Value item; cursor.next(item); any = true) {
    Value key = attribute_path(interpreter, item, bound.at(1));
    if (!sensitive) key = ignore_case(key);
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
  return interpreter.generator([value, count = bound.at(0), fill = bound.at(1),
                                cursor = std::shared_ptr<Cursor>(), held = std::vector<Value>(),
                                done = false](Value& out) mutable {
    if (!cursor) cursor = std::make_shared<Cursor>(value);
    if (done) return false;
    for (Value item; cursor->next(item);) {
      const bool full = equal(Value::integer(static_cast<int64_t>(held.size())), count);
      if (full) {
        out = Value::list(std::move(held));
        held = {item};
        return true;
      }
      held.push_back(item);
    }
    done = true;
    if (held.empty()) return false;
    if (!fill.is(Kind::none) && less(Value::integer(static_cast<int64_t>(held.size())), count)) {
      const int64_t wanted = to_index(count);
      Charge charge;
      charge.take_many(sizeof(Value), static_cast<uint64_t>(wanted));
      held.resize(static_cast<size_t>(wanted), fill);
    }
    out = Value::list(std::move(held));
    return true;
  });
}

std::vector<Value> dict_items(const Value& value) {
  std::vector<Value> out;
  for (const auto& [key, item] : value.as_dict().entries) out.push_back(Value::tuple({key, item}));
  return out;
}

Value filter_dictsort(Interpreter&, const Value& value, Args& args) {
  const Bound bound("dictsort", args, {"case_sensitive", "by", "reverse"});
  const bool sensitive = bound.truth(0, false);
  size_t part = 0;
  if (bound.has(1)) {
    const Value by = bound.at(1);
    const bool is_value = by.is(Kind::string) && by.bytes() == "value";
    if (!is_value && !(by.is(Kind::string) && by.bytes() == "key")) {
      raise("You can only sort by either \"key\" or \"value\"");
    }
    part = is_value ? 1 : 0;
  }
  if (value.is(Kind::undefined)) raise_undefined(value);
  if (!value.is(Kind::dict)) raise("'{}' object has no attribute 'items'", type_name(value));
  const auto key = [&](const Value& item) {
    const Value& sorted_by = item.items()[part];
    return sensitive ? sorted_by : ignore_case(sorted_by);
  };
  return Value::list(sorted(dict_items(value), key, bound.truth(2, false)));
}

Value filter_items(Interpreter& interpreter, const Value& value, Args& args) {
  no_arguments("items", args);
  return interpreter.generator([value, at = size_t{0}](Value& out) mutable {
    if (value.is(Kind::undefined)) return false;
    if (!value.is(Kind::dict)) raise("Can only get item pairs from a mapping.");
    if (at >= value.as_dict().entries.size()) return false;
    const auto& [key, item] = value.as_dict().entries[at++];
    out = Value::tuple({key, item});
    return true;
  });
}

Value filter_attr(Interpreter& interpreter, const Value& value, Args& args) {
  const Bound bound("attr", args, {"name"}, 1);
  if (!bound.at(0).is(Kind::string))
    raise("attribute name must be string, not '{}'", type_name(bound.at(0)));
  if (value.is(Kind::undefined)) raise_undefined(value);
  const std::string& name = bound.at(0).bytes();
  if (auto found = python_attribute(interpreter, value, name)) return *found;
  return Value::undefined(fmt::format("'{}' has no attribute '{}'", type_name(value), name));
}

constexpr Entry<FilterFunction> kFilters[] = {
    {"attr", filter_attr},
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
    {"max", [](Interpreter& i, const Value& v, Args& a) { return extreme(i, v, a, true); }},
    {"min", [](Interpreter& i, const Value& v, Args& a) { return extreme(i, v, a, false); }},
    {"reject",
     [](Interpreter& i, const Value& v, Args& a) { return choose(i, v, a, false, false); }},
    {"rejectattr",
     [](Interpreter& i, const Value& v, Args& a) { return choose(i, v, a, false, true); }},
    {"reverse", filter_reverse},
    {"select",
     [](Interpreter& i, const Value& v, Args& a) { return choose(i, v, a, true, false); }},
    {"selectattr",
     [](Interpreter& i, const Value& v, Args& a) { return choose(i, v, a, true, true); }},
    {"sort", filter_sort},
    {"sum", filter_sum},
    {"unique", filter_unique},
};

}  // namespace

FilterFunction find_list_filter(std::string_view name) { return look_up(kFilters, name); }

}  // namespace ashlar::jinja
