// What filters, tests, methods and functions share: Python's way of binding arguments, sorting,
// numbers from text.
#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "jinja/interpreter.h"

namespace ashlar::jinja {

/// The arguments of a call by parameter.
class Bound {
 public:
  /// The first `required` parameters must be given. Those whose name is empty can only be given by
  /// position.
  Bound(std::string_view function, const Args& args, std::initializer_list<const char*> names,
        size_t required = 0);

  bool has(size_t i) const { return values_[i].has_value(); }
  /// None where it was not given.
  Value at(size_t i) const { return values_[i].value_or(Value()); }
  bool is_none(size_t i) const { return !values_[i] || values_[i]->is(Kind::none); }
  bool truth(size_t i, bool otherwise) const {
    return values_[i] ? truthy(*values_[i]) : otherwise;
  }
  /// An index; what does not fit 64 bits is as good as their limits.
  int64_t integer(size_t i, int64_t otherwise) const;
  const Str& text(size_t i) const;  // raises for anything else

 private:
  std::string_view function_;
  std::vector<std::optional<Value>> values_;
};

void no_arguments(std::string_view function, const Args& args);

/// An int for use as an index or a count.
int64_t to_index(const Value& value);
/// int(text) and float(text), or nothing where Python raises. Refuse integers beyond 64 bits.
std::optional<int64_t> parse_int(std::string_view text);
std::optional<double> parse_float(std::string_view text);
/// float(number) and int(number) of numbers; refuse integers beyond 64 bits.
double number_to_double(const Value& number);
int64_t to_int64(const Value& integer);
/// int(value): towards zero.
int64_t int_of_double(double value);

/// Stable, by `key` of every item. Raises where keys do not compare.
std::vector<Value> sorted(std::vector<Value> items, const std::function<Value(const Value&)>& key,
                          bool reverse);

/// attribute.of.item as filters take it: dots go deeper, digits are indices.
Value attribute_path(Interpreter& interpreter, const Value& item, const Value& path,
                     const Value* otherwise = nullptr);

/// Python's json.dumps with Transformers' defaults.
Value to_json(const Value& value, const Args& args);

/// Filters of one file each; find_filter looks through them.
FilterFunction find_text_filter(std::string_view name);
FilterFunction find_list_filter(std::string_view name);

template <class Function>
struct Entry {
  const char* name;
  Function function;
};

/// The function of that name in a table, or null.
template <class Function, size_t N>
Function look_up(const Entry<Function> (&table)[N], std::string_view name) {
  for (const auto& [known, function] : table) {
    if (name == known) return function;
  }
  return nullptr;
}

/// Methods that filters use too.
Value strip(const Value& text, const Value& chars, bool left, bool right);
Value replace(const Value& text, const Value& old, const Value& with, int64_t count);
/// `how`: 'u'pper, 'l'ower, 'c'apitalize or 't'itle.
Value map_case(const Value& text, char how);
bool all_chars(const Str& text, bool (*holds)(uint32_t));  // and there is one
bool is_case(const Str& text, bool upper);
Value join(const Value& separator, const Value& iterable);
/// In `width` characters, with `fill` on the left, on the right or on both sides.
Value padded(const Value& text, int64_t width, const Value& fill, bool left, bool right);

}  // namespace ashlar::jinja
