// Values: making, comparing, hashing and going through them.
#include "jinja/value.h"

#include "jinja/string.h"
#include "jinja/unicode.h"

namespace ashlar::jinja {
namespace {

thread_local Budget* current_budget = nullptr;

void check_depth(int depth) {
  const Budget* budget = Budget::current();
  if (depth > (budget ? budget->max_depth() : 256) || depth > 256) {
    throw Failure{"lists and dicts nested too deeply", ErrorKind::resource};
  }
}

}  // namespace

Budget::Budget(uint64_t max_steps, uint64_t max_bytes, int max_depth, bool permanent)
    : max_steps_(max_steps),
      steps_left_(max_steps),
      max_bytes_(max_bytes),
      max_depth_(max_depth),
      permanent_(permanent),
      outer_(current_budget) {
  current_budget = this;
}

Budget::~Budget() { current_budget = outer_; }
Budget* Budget::current() { return current_budget; }

void Budget::out_of_steps() const {
  throw Failure{fmt::format("took more than {} steps", max_steps_), ErrorKind::resource};
}

void Budget::out_of_bytes() const {
  throw Failure{fmt::format("needs more than {} bytes", max_bytes_), ErrorKind::resource};
}

void Budget::too_deep() {
  --depth_;
  throw Failure{fmt::format("nested deeper than {} levels", max_depth_), ErrorKind::resource};
}

Value Value::string(std::string_view text) {
  Text out;
  out.literal(text);
  return out.finish();
}

namespace {
std::shared_ptr<Items> make_items(std::vector<Value> items) {
  auto heap = std::make_shared<Items>();
  heap->charge.take(sizeof(Items) + items.size() * sizeof(Value));
  for (const auto& item : items) heap->depth = std::max(heap->depth, item.container_depth() + 1);
  check_depth(heap->depth);
  heap->values = std::move(items);
  return heap;
}

std::shared_ptr<Words> make_words(std::string text) {
  auto heap = std::make_shared<Words>();
  heap->charge.take(sizeof(Words) + text.size());
  heap->text = std::move(text);
  return heap;
}
}  // namespace

Value Value::big(std::string digits) { return Value(Kind::big, make_words(std::move(digits))); }

Value Value::list(std::vector<Value> items) {
  return Value(Kind::list, make_items(std::move(items)));
}

Value Value::tuple(std::vector<Value> items) {
  return Value(Kind::tuple, make_items(std::move(items)));
}

Value Value::like(const Value& sequence, std::vector<Value> items) {
  return Value(sequence.kind(), make_items(std::move(items)));
}

Value Value::undefined(std::string message) {
  return Value(Kind::undefined, make_words(std::move(message)));
}

const std::string& Value::as_digits() const {
  ASHLAR_ASSERT(kind_ == Kind::big, "not a large integer");
  return static_cast<const Words&>(*heap_).text;
}

const Str& Value::as_str() const {
  ASHLAR_ASSERT(kind_ == Kind::string, "not a string");
  return static_cast<const Str&>(*heap_);
}

const std::vector<Value>& Value::items() const {
  ASHLAR_ASSERT(is_sequence(), "not a list or tuple");
  return static_cast<const Items&>(*heap_).values;
}

const Dict& Value::as_dict() const {
  ASHLAR_ASSERT(kind_ == Kind::dict, "not a dict");
  return static_cast<const Dict&>(*heap_);
}

const std::string& Value::undefined_message() const {
  return static_cast<const Words&>(*heap_).text;
}

int Value::container_depth() const {
  if (is_sequence()) return static_cast<const Items&>(*heap_).depth;
  return kind_ == Kind::dict ? static_cast<const Dict&>(*heap_).depth : 0;
}

size_t Dict::slot_of(const Value& key, size_t key_hash) const {
  const size_t mask = slots_.size() - 1;
  for (size_t at = key_hash & mask;; at = (at + 1) & mask) {
    if (slots_[at] == 0 || equal(entries[slots_[at] - 1].first, key)) return at;
  }
}

const Value* Dict::find(const Value& key) const {
  const size_t key_hash = hash(key);
  if (!slots_.empty()) {
    const uint32_t entry = slots_[slot_of(key, key_hash)];
    return entry ? &entries[entry - 1].second : nullptr;
  }
  for (const auto& [k, v] : entries) {
    if (equal(k, key)) return &v;
  }
  return nullptr;
}

void Dict::set(const Value& key, const Value& value) {
  if (const Value* old = find(key)) {
    *const_cast<Value*>(old) = value;
  } else {
    charge.take(2 * sizeof(Value) + 16);
    entries.emplace_back(key, value);
    if (entries.size() > 8 && entries.size() * 2 > slots_.size()) {
      size_t size = 64;
      while (size < entries.size() * 4) size *= 2;
      slots_.assign(size, 0);
      for (size_t i = 0; i < entries.size(); ++i) {
        slots_[slot_of(entries[i].first, hash(entries[i].first))] = static_cast<uint32_t>(i + 1);
      }
    } else if (!slots_.empty()) {
      slots_[slot_of(key, hash(key))] = static_cast<uint32_t>(entries.size());
    }
  }
  depth = std::max({depth, key.container_depth() + 1, value.container_depth() + 1});
  check_depth(depth);
}

void Namespace::set(const Value& name, const Value& value) {
  if (name.bytes().starts_with('_')) {
    raise(
        "Chat templates cannot store underscore-prefixed attributes on a namespace, but got '{}'. "
        "Please rename the attribute.",
        name.bytes());
  }
  attributes.set(name, value);
}

const char* DictView::type_name() const {
  return part == Part::keys ? "dict_keys" : part == Part::values ? "dict_values" : "dict_items";
}

Value DictView::at(size_t index) const {
  const auto& [key, value] = dict.as_dict().entries[index];
  if (part == Part::keys) return key;
  if (part == Part::values) return value;
  return Value::tuple({key, value});
}

bool Cursor::possible(const Value& value) { return size_of(value) || value.as<Generator>(); }

Cursor::Cursor(Value source) : source_(std::move(source)) {
  if (!possible(source_)) raise("'{}' object is not iterable", type_name(source_));
}

bool Cursor::next(Value& out) {
  if (Budget* budget = Budget::current()) budget->step();
  if (source_.is(Kind::string)) {
    const Str& text = source_.as_str();
    if (index_ >= text.bytes.size()) return false;
    const size_t end = index_ + char_size(text.bytes, index_);
    out = with_markup(slice_bytes(text, index_, end), false);
    index_ = end;
    return true;
  }
  if (auto* generator = source_.as<Generator>()) {
    const Deeper deeper;  // one generator may go through another
    return generator->next(out);
  }
  if (index_ >= size_of(source_)) return false;
  if (source_.is_sequence())
    out = source_.items()[index_];
  else if (source_.is(Kind::dict))
    out = source_.as_dict().entries[index_].first;
  else
    out = source_.as<Indexed>()->at(index_);
  ++index_;
  return true;
}

std::vector<Value> to_vector(const Value& iterable) {
  if (iterable.is_sequence()) return iterable.items();
  std::vector<Value> out;
  Charge charge;
  Cursor cursor(iterable);
  for (Value item; cursor.next(item);) {
    charge.take(sizeof(Value));
    out.push_back(std::move(item));
  }
  return out;
}

const char* type_name(const Value& value) {
  if (value.is(Kind::object)) return value.as_object()->type_name();
  if (value.is(Kind::string) && value.as_str().markup) return "Markup";
  constexpr const char* kNames[] = {"Undefined", "NoneType", "bool", "int",   "int",
                                    "float",     "str",      "list", "tuple", "dict"};
  static_assert(std::size(kNames) == static_cast<size_t>(Kind::object));
  return kNames[static_cast<size_t>(value.kind())];
}

void raise_undefined(const Value& value) { raise("{}", value.undefined_message()); }

bool truthy(const Value& value) {
  if (value.is(Kind::none)) return false;
  if (value.is(Kind::floating)) return value.as_double() != 0;
  if (value.is(Kind::boolean) || value.is(Kind::integer)) return value.as_int64() != 0;
  return size_of(value) != 0;
}

std::optional<size_t> size_of(const Value& value) {
  if (value.is(Kind::undefined)) return 0;
  if (value.is(Kind::string)) return value.as_str().length;
  if (value.is_sequence()) return value.items().size();
  if (value.is(Kind::dict)) return value.as_dict().entries.size();
  const auto* indexed = value.as<Indexed>();
  return indexed ? std::optional(indexed->size()) : std::nullopt;
}

size_t length(const Value& value) {
  const auto size = size_of(value);
  if (!size) raise("object of type '{}' has no len()", type_name(value));
  return *size;
}

bool holds_text_of_values(const Value& value) {
  if (Budget* budget = Budget::current()) budget->step();
  if (value.is(Kind::string)) return !value.as_str().from_values.empty();
  if (value.is_sequence())
    return std::any_of(value.items().begin(), value.items().end(), holds_text_of_values);
  if (!value.is(Kind::dict)) return value.is(Kind::object);
  const auto& entries = value.as_dict().entries;
  return std::any_of(entries.begin(), entries.end(), [](const auto& entry) {
    return holds_text_of_values(entry.first) || holds_text_of_values(entry.second);
  });
}

}  // namespace ashlar::jinja
