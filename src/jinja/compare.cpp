// Equality, order, membership and hashes of values, as Python defines them across types.
#include <cmath>
#include <functional>

#include "jinja/interpreter.h"

namespace ashlar::jinja {
namespace {

bool equal_items(const std::vector<Value>& a, const std::vector<Value>& b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!identical(a[i], b[i]) && !equal(a[i], b[i])) return false;
  }
  return true;
}

bool equal_dicts(const Dict& a, const Dict& b) {
  if (a.entries.size() != b.entries.size()) return false;
  for (const auto& [key, value] : a.entries) {
    const Value* other = b.find(key);
    if (!other || !(identical(value, *other) || equal(value, *other))) return false;
  }
  return true;
}

int order_of(const auto& a, const auto& b) { return a < b ? -1 : a > b ? 1 : 0; }

int order_of_integers(const Value& a, const Value& b) {
  if (!a.is(Kind::big) && !b.is(Kind::big)) return order_of(a.as_int64(), b.as_int64());
  const std::string x = int_digits(a), y = int_digits(b);
  const bool x_negative = x[0] == '-', y_negative = y[0] == '-';
  if (x_negative != y_negative) return x_negative ? -1 : 1;
  const int order = x.size() != y.size() ? order_of(x.size(), y.size()) : order_of(x, y);
  return x_negative ? -order : order;
}

// Against a double of such size its nearest double decides.
int order_of_integer_and_double(const Value& a, double b) {
  constexpr double kLimit = 9223372036854775808.0;
  if (a.is(Kind::big)) return order_of(std::strtod(a.as_digits().c_str(), nullptr), b);
  if (b >= kLimit) return -1;
  if (b < -kLimit) return 1;
  const int order = order_of(a.as_int64(), static_cast<int64_t>(b));
  return order != 0 ? order : order_of(0.0, b - std::trunc(b));
}

}  // namespace

int compare_numbers(const Value& a, const Value& b) {
  const bool a_float = a.is(Kind::floating), b_float = b.is(Kind::floating);
  if ((a_float && std::isnan(a.as_double())) || (b_float && std::isnan(b.as_double()))) return 2;
  if (a_float && b_float) return order_of(a.as_double(), b.as_double());
  if (a_float) return -order_of_integer_and_double(b, a.as_double());
  if (b_float) return order_of_integer_and_double(a, b.as_double());
  return order_of_integers(a, b);
}

bool identical(const Value& a, const Value& b) {
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::none)) return true;
  if (a.is(Kind::floating)) return false;
  if (a.is_number() && !a.is(Kind::big)) return a.as_int64() == b.as_int64();
  if (a.is(Kind::string) && a.as_str().length <= 1) return a.bytes() == b.bytes();
  if (a.is(Kind::tuple) && a.items().empty()) return b.items().empty();
  return a.identity() == b.identity();
}

bool equal(const Value& a, const Value& b) {
  if (Budget* budget = Budget::current()) budget->step();
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == 0;
  if (a.kind() != b.kind()) return false;
  if (a.is(Kind::string)) return a.bytes() == b.bytes();
  if (a.is_sequence()) return equal_items(a.items(), b.items());
  if (a.is(Kind::dict)) return equal_dicts(a.as_dict(), b.as_dict());
  if (!a.is(Kind::object) || a.as_object() == b.as_object()) return true;
  if (a.as<Indexed>() && b.as<Indexed>()) refuse("comparing ranges or views of dicts is");
  return false;
}

bool less(const Value& a, const Value& b) {
  if (Budget* budget = Budget::current()) budget->step();
  if (a.is(Kind::undefined)) raise_undefined(a);
  if (b.is(Kind::undefined)) raise_undefined(b);
  if (a.is_number() && b.is_number()) return compare_numbers(a, b) == -1;
  if (a.is(Kind::string) && b.is(Kind::string)) return a.bytes() < b.bytes();
  if (a.is_sequence() && a.kind() == b.kind()) {
    const auto &x = a.items(), &y = b.items();
    for (size_t i = 0; i < x.size() && i < y.size(); ++i) {
      if (!identical(x[i], y[i]) && !equal(x[i], y[i])) return less(x[i], y[i]);
    }
    return x.size() < y.size();
  }
  if (a.as<DictView>() && b.as<DictView>()) refuse("comparing ranges or views of dicts is");
  raise("'<' not supported between instances of '{}' and '{}'", type_name(a), type_name(b));
}

bool ordered(const Value& a, const Value& b, bool or_equal) {
  if (a.is_number() && b.is_number()) {
    const int order = compare_numbers(a, b);
    return order == -1 || (or_equal && order == 0);
  }
  return or_equal ? !less(b, a) : less(a, b);
}

bool compare(Comparison how, const Value& a, const Value& b) {
  switch (how) {
    case Comparison::eq:
      return equal(a, b);
    case Comparison::ne:
      return !equal(a, b);
    case Comparison::lt:
      return ordered(a, b, false);
    case Comparison::le:
      return ordered(a, b, true);
    case Comparison::gt:
      return ordered(b, a, false);
    case Comparison::ge:
      return ordered(b, a, true);
    case Comparison::in:
      return contains(b, a);
    case Comparison::not_in:
      return !contains(b, a);
  }
  return false;
}

bool contains(const Value& container, const Value& item) {
  if (container.is(Kind::string)) {
    if (!item.is(Kind::string))
      raise("'in <string>' requires string as left operand, not {}", type_name(item));
    if (Budget* budget = Budget::current()) budget->step(container.bytes().size() / 64);
    return container.bytes().find(item.bytes()) != std::string::npos;
  }
  const auto* view = container.as<DictView>();
  if (view && view->part == DictView::Part::keys) return contains(view->dict, item);
  if (container.is(Kind::dict)) return container.as_dict().find(item) != nullptr;
  if (!Cursor::possible(container)) {
    raise("argument of type '{}' is not iterable", type_name(container));
  }
  Cursor cursor(container);
  for (Value other; cursor.next(other);) {
    if (identical(other, item) || equal(other, item)) return true;
  }
  return false;
}

size_t hash(const Value& value) {
  if (Budget* budget = Budget::current()) budget->step();
  if (value.is(Kind::undefined)) return 2;
  if (value.is(Kind::none)) return 1;
  if (value.is(Kind::floating) || value.is(Kind::big)) {
    const double number = value.is(Kind::floating)
                              ? value.as_double()
                              : std::strtod(value.as_digits().c_str(), nullptr);
    return std::fabs(number) < 9e18 && number == std::trunc(number)
               ? hash(Value::integer(static_cast<int64_t>(number)))
               : std::hash<double>()(number);
  }
  if (value.is_number()) return std::hash<int64_t>()(value.as_int64()) * 0x9e3779b97f4a7c15u;
  if (value.is(Kind::string)) return std::hash<std::string>()(value.bytes());
  if (value.is(Kind::tuple)) {
    size_t out = 3;
    for (const auto& item : value.items()) out = out * 1000003 ^ hash(item);
    return out;
  }
  if (!value.is(Kind::object) || value.as<DictView>())
    raise("unhashable type: '{}'", type_name(value));
  return std::hash<const void*>()(value.identity());
}

}  // namespace ashlar::jinja
