// The values of a template: Python's None, bool, int, float, str, list, tuple and dict, and the few
// objects that Jinja adds. Strings know which of their bytes come from messages rather than from
// the template.
//
// Strings, lists, tuples and dicts never change once they exist (the sandbox forbids it), so they
// can only refer to older ones: they are shared by reference count. Everything that changes
// (namespaces, loops, generators, scopes) lives in an Arena until the end of the rendering and is
// referred to by plain pointers, so no cycle can leak.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace ashlar::jinja {

/// What Python would raise while a template is evaluated.
struct Failure {
  std::string message;
  ErrorKind kind = ErrorKind::invalid;
  bool raised_by_template = false;  // raise_exception(message)
};

template <class... Args>
[[noreturn]] void raise(fmt::format_string<Args...> format, Args&&... args) {
  throw Failure{fmt::format(format, std::forward<Args>(args)...)};
}

/// What Jinja2 does and this does not.
[[noreturn]] inline void refuse(std::string_view what) {
  throw Failure{fmt::format("{} not supported in chat templates", what), ErrorKind::unsupported};
}
inline bool one_of(std::string_view name, std::initializer_list<std::string_view> names) {
  return std::find(names.begin(), names.end(), name) != names.end();
}
inline constexpr std::string_view kBeyond64Bits = "computing with integers beyond 64 bits is";

/// What one rendering (or the parsing of one template) may still use. One is current per thread.
class Budget {
 public:
  /// What a `permanent` one gave out may outlive it, and is not given back.
  Budget(uint64_t max_steps, uint64_t max_bytes, int max_depth, bool permanent = false);
  ~Budget();
  Budget(const Budget&) = delete;
  Budget& operator=(const Budget&) = delete;

  static Budget* current();
  void step(uint64_t count = 1) {
    if (count > steps_left_) out_of_steps();
    steps_left_ -= count;
  }
  void take(size_t bytes) {
    if (bytes > max_bytes_ - live_bytes_) out_of_bytes();
    step(bytes / 64);
    live_bytes_ += bytes;
  }
  void give_back(size_t bytes) { live_bytes_ -= bytes; }
  void enter() {
    if (++depth_ > max_depth_) too_deep();
  }
  void leave() { --depth_; }
  int max_depth() const { return max_depth_; }
  bool permanent() const { return permanent_; }

 private:
  [[noreturn]] void out_of_steps() const;
  [[noreturn]] void out_of_bytes() const;
  [[noreturn]] void too_deep();

  uint64_t max_steps_, steps_left_, max_bytes_, live_bytes_ = 0;
  int depth_ = 0, max_depth_;
  bool permanent_;
  Budget* outer_;
};

/// Counts one level of recursion while it lives.
class Deeper {
 public:
  Deeper() : budget_(Budget::current()) { budget_->enter(); }
  ~Deeper() { budget_->leave(); }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;

 private:
  Budget* budget_;
};

/// Bytes taken from the current budget until this goes.
class Charge {
 public:
  Charge() = default;
  ~Charge() {
    if (budget_) budget_->give_back(bytes_);
  }
  Charge(const Charge&) = delete;
  Charge& operator=(const Charge&) = delete;
  void take(size_t bytes) {
    Budget* budget = budget_ ? budget_ : Budget::current();
    if (!budget) return;
    budget->take(bytes);
    if (budget->permanent()) return;
    budget_ = budget;
    bytes_ += bytes;
  }
  /// `each` times `count`, whatever these are.
  void take_many(size_t each, uint64_t count) {
    size_t bytes = 0;
    take(__builtin_mul_overflow(each, count, &bytes) ? SIZE_MAX : bytes);
  }

 private:
  Budget* budget_ = nullptr;
  size_t bytes_ = 0;
};

struct Heap {
  virtual ~Heap() = default;
  Charge charge;
};

/// Bytes [begin, end) of a string.
struct Span {
  size_t begin, end;
};

struct Str : Heap {
  std::string bytes;              // UTF-8
  std::vector<Span> from_values;  // ascending, disjoint: what messages, tools and variables gave
  size_t length = 0;              // characters
  bool markup = false;            // result of escape or safe: never escaped again

  bool ascii() const { return length == bytes.size(); }
  /// Byte offset of character `index` (at most `length`).
  size_t offset(size_t index) const;
  bool from_value_at(size_t at) const;
};

struct Items;
struct Dict;
struct Object;

enum class Kind : uint8_t {
  undefined,
  none,
  boolean,
  integer,
  big,  // an integer beyond 64 bits that a message holds: printed and compared, no more
  floating,
  string,
  list,
  tuple,
  dict,
  object
};

class Value {
 public:
  Value() : Value(Kind::none, 0) {}
  static Value boolean(bool value) { return Value(Kind::boolean, value); }
  static Value integer(int64_t value) { return Value(Kind::integer, value); }
  /// Decimal digits, perhaps with a minus in front.
  static Value big(std::string digits);
  static Value floating(double value) {
    Value out(Kind::floating, 0);
    out.floating_ = value;
    return out;
  }
  /// A string of the template's own making.
  static Value string(std::string_view text);
  static Value string(std::shared_ptr<const Str> text) {
    return Value(Kind::string, std::move(text));
  }
  static Value list(std::vector<Value> items);
  static Value tuple(std::vector<Value> items);
  /// A list or tuple, as `sequence` is one.
  static Value like(const Value& sequence, std::vector<Value> items);
  static Value dict(std::shared_ptr<const Dict> dict);
  static Value object(Object* object) {
    Value out(Kind::object, 0);
    out.object_ = object;
    return out;
  }
  /// `message` is what using it any further fails with.
  static Value undefined(std::string message);

  Kind kind() const { return kind_; }
  bool is(Kind kind) const { return kind_ == kind; }
  bool is_integer() const { return kind_ == Kind::integer || kind_ == Kind::big; }
  /// An int in Python's sense, where booleans are.
  bool is_int_like() const { return is_integer() || kind_ == Kind::boolean; }
  bool is_number() const { return is_int_like() || kind_ == Kind::floating; }
  bool is_sequence() const { return kind_ == Kind::list || kind_ == Kind::tuple; }

  bool as_bool() const { return integer_ != 0; }
  int64_t as_int64() const { return integer_; }  // boolean or integer
  const std::string& as_digits() const;          // big
  double as_double() const { return floating_; }
  const Str& as_str() const;
  const std::string& bytes() const { return as_str().bytes; }
  const std::vector<Value>& items() const;
  const Dict& as_dict() const;
  Object* as_object() const { return object_; }
  template <class T>
  T* as() const;  // the object as T, or null
  const std::string& undefined_message() const;
  const void* identity() const { return heap_ ? static_cast<const void*>(heap_.get()) : object_; }
  int container_depth() const;

 private:
  Value(Kind kind, int64_t integer) : kind_(kind), integer_(integer) {}
  Value(Kind kind, std::shared_ptr<const Heap> heap)
      : kind_(kind), integer_(0), heap_(std::move(heap)) {}
  Kind kind_;
  union {
    int64_t integer_;
    double floating_;
    Object* object_;
  };
  std::shared_ptr<const Heap> heap_;
};

/// The message of an undefined value, the digits of a big integer.
struct Words : Heap {
  std::string text;
};

struct Items : Heap {
  std::vector<Value> values;
  int depth = 1;
};

/// Keys in order of insertion; equal keys (1, 1.0, true) are one.
struct Dict : Heap {
  std::vector<std::pair<Value, Value>> entries;
  int depth = 1;

  /// Null where there is none. Raises for a key that cannot be hashed.
  const Value* find(const Value& key) const;
  /// Of a dict that a template sees: only while it is being made.
  void set(const Value& key, const Value& value);

 private:
  size_t slot_of(const Value& key, size_t hash) const;
  std::vector<uint32_t> slots_;  // entry + 1, open addressing; empty while entries are few
};

/// The arguments of a call.
struct Args {
  std::vector<Value> positional;
  std::vector<std::pair<std::string, Value>> named;
};

inline Value Value::dict(std::shared_ptr<const Dict> dict) {
  return Value(Kind::dict, std::move(dict));
}

class Interpreter;

struct Object {
  virtual ~Object() = default;
  virtual const char* type_name() const = 0;
};

template <class T>
T* Value::as() const {
  return kind_ == Kind::object ? dynamic_cast<T*>(object_) : nullptr;
}

struct Namespace : Object {
  Dict attributes;
  const char* type_name() const override { return "Namespace"; }
  void set(const Value& name, const Value& value);
};

/// A function of the environment or a method bound to its value.
struct Function : Object {
  std::string name;
  std::function<Value(Interpreter&, Args&)> call;
  const char* type_name() const override { return "builtin_function_or_method"; }
};

/// What lazy filters return: can be gone through once.
struct Generator : Object {
  std::function<bool(Value&)> next;
  const char* type_name() const override { return "generator"; }
};

/// Has a length and items by number.
struct Indexed : Object {
  virtual size_t size() const = 0;
  virtual Value at(size_t index) const = 0;
};

struct Range : Indexed {
  int64_t start = 0, stop = 0, step = 1, length = 0;
  const char* type_name() const override { return "range"; }
  size_t size() const override { return static_cast<size_t>(length); }
  Value at(size_t index) const override {
    return Value::integer(start + static_cast<int64_t>(index) * step);
  }
};

struct DictView : Indexed {
  enum class Part { keys, values, items } part = Part::keys;
  Value dict;
  const char* type_name() const override;
  size_t size() const override { return dict.as_dict().entries.size(); }
  Value at(size_t index) const override;
};

/// Goes through a value as Python's iter() does.
class Cursor {
 public:
  explicit Cursor(Value source);  // raises where it cannot be iterated
  bool next(Value& out);
  static bool possible(const Value& value);

 private:
  Value source_;
  size_t index_ = 0;
};

std::vector<Value> to_vector(const Value& iterable);

/// Python's name of the value's type.
const char* type_name(const Value& value);
/// What using `value` further than printing or testing fails with. Only for undefined values.
[[noreturn]] void raise_undefined(const Value& value);

bool truthy(const Value& value);
bool equal(const Value& a, const Value& b);
/// a < b for sorting and comparison; raises where Python does.
bool less(const Value& a, const Value& b);
/// a < b, or a <= b; raises likewise.
bool ordered(const Value& a, const Value& b, bool or_equal);
/// -1, 0, 1, or 2 where a NaN takes part.
int compare_numbers(const Value& a, const Value& b);
bool contains(const Value& container, const Value& item);
bool identical(const Value& a, const Value& b);
size_t hash(const Value& value);
/// len(value); nothing where there is none.
std::optional<size_t> size_of(const Value& value);
/// The same; raises where there is none.
size_t length(const Value& value);
/// Does any string in it come from messages, tools or variables?
bool holds_text_of_values(const Value& value);

}  // namespace ashlar::jinja
