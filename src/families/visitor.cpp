// Looking keys up and writing them; checks of types and ranges.
#include "families/visitor.h"

#include <charconv>
#include <cmath>

#include "base/error.h"

namespace ashlar {
namespace {

/// Calls f with each part of text; stops when f returns true.
template <class F>
void split(std::string_view text, char separator, F f) {
  while (!text.empty()) {
    const size_t end = text.find(separator);
    if (f(text.substr(0, end))) return;
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  }
}

const Json* follow(const Json& root, std::string_view path) {
  const Json* at = &root;
  split(path, '.', [&](std::string_view part) {
    const auto it = at->is_object() ? at->find(std::string(part)) : at->end();
    at = at->is_object() && it != at->end() ? &*it : nullptr;
    return at == nullptr;
  });
  return at;
}

/// GGUF keeps floats in 32 bits: the shortest decimal that they stand for.
double shortest(double x) {
  const float narrow = static_cast<float>(x);
  if (static_cast<double>(narrow) != x) return x;
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, narrow).ptr;
  double wide = x;
  std::from_chars(text, end, wide);
  return wide;
}

/// A value as a message shows it; JSON has no spelling for numbers that are not finite.
std::string shown(const Json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    const auto x = value.get<double>();
    return std::isnan(x) ? "NaN" : x > 0 ? "Infinity" : "-Infinity";
  }
  return value.dump(-1, ' ', false, Json::error_handler_t::replace).substr(0, 80);
}

constexpr int64_t kMost = int64_t{1} << 40;
constexpr size_t kLongestList = 1 << 16;

const Json kYes = true, kNo = false;

}  // namespace

FieldVisitor FieldVisitor::reads_config(const Json& text_config, const Json& whole,
                                        std::string where, const Json& defaults) {
  FieldVisitor v(true, false, std::move(where));
  v.text_ = &text_config;
  v.whole_ = &whole;
  v.defaults_ = &defaults;
  return v;
}

FieldVisitor FieldVisitor::reads_gguf(const GgufKeys& keys, std::string where) {
  FieldVisitor v(true, true, std::move(where));
  v.keys_ = &keys;
  return v;
}

FieldVisitor FieldVisitor::writes_config(Json& config) {
  FieldVisitor v(false, false, "");
  v.out_ = &config;
  return v;
}

FieldVisitor FieldVisitor::writes_gguf(GgufKeys& keys) {
  FieldVisitor v(false, true, "");
  v.out_ = &keys.keys;
  return v;
}

const Json* FieldVisitor::find(std::string_view alternatives, std::string* found) const {
  const Json* result = nullptr;
  split(alternatives, '|', [&](std::string_view key) {
    const Json* value = nullptr;
    if (gguf_ && (key[0] == '?' || key[0] == '!')) {
      value = has_tensor(key.substr(1)) == (key[0] == '?') ? &kYes : &kNo;
    } else if (gguf_) {
      seen_.emplace(key);
      const auto it = keys_->keys.find(std::string(key));
      value = it == keys_->keys.end() ? nullptr : &*it;
    } else {
      value = key[0] == '^' ? follow(*whole_, key.substr(1)) : follow(*text_, key);
    }
    if (value == nullptr || (result != nullptr && value->is_null())) return false;
    *found = key;
    result = value;
    return !value->is_null();  // an alternative that says something wins over null
  });
  return result;
}

/// What the class of Transformers says of a key that the file has nowhere. A key within an object
/// counts only where the file has none of the objects: it would stand in them.
std::string_view FieldVisitor::missing(std::string_view alternatives) const {
  std::string_view name = alternatives.substr(0, alternatives.find('|'));
  if (gguf_) return name;
  split(alternatives, '|', [&](std::string_view key) {
    const size_t dot = key.rfind('.');
    const Json* beside =
        dot == std::string_view::npos ? nullptr : follow(*text_, key.substr(0, dot));
    if (beside == nullptr || !beside->is_object()) return false;
    name = key;
    return true;
  });
  return name;
}

const Json* FieldVisitor::find_default(std::string_view alternatives) const {
  if (gguf_ || defaults_ == nullptr || !defaults_->is_object()) return nullptr;
  const Json* result = nullptr;
  bool inside = false;
  split(alternatives, '|', [&](std::string_view key) {
    const size_t dot = key.find('.');
    if (key[0] == '^' || dot == std::string_view::npos) return false;
    const Json* object = follow(*text_, key.substr(0, dot));
    inside = object != nullptr && !object->is_null();
    return inside;
  });
  split(alternatives, '|', [&](std::string_view key) {
    if (key[0] == '^' || (inside && key.find('.') != std::string_view::npos)) return false;
    result = follow(*defaults_, key);
    return result != nullptr;
  });
  return result;
}

void FieldVisitor::ignore(std::initializer_list<std::string_view> gguf_keys) {
  for (const std::string_view key : gguf_keys) seen_.emplace(key);
}

std::string FieldVisitor::key_of(const void* member, std::string_view otherwise) const {
  const auto it = spelled_.find(member);
  return it == spelled_.end() ? std::string(otherwise) : it->second;
}

std::vector<std::string> FieldVisitor::unread() const {
  std::vector<std::string> keys;
  if (!gguf_ || !reading_) return keys;
  for (const auto& [key, value] : keys_->keys.items()) {
    if (!seen_.contains(key)) keys.push_back(key);
  }
  return keys;
}

bool FieldVisitor::has_tensor(std::string_view name) const {
  return keys_->has_tensor && keys_->has_tensor(name);
}

bool FieldVisitor::is_list(std::string_view key) const {
  const auto it = keys_->keys.find(std::string(key));
  return it != keys_->keys.end() && it->is_array();
}

bool FieldVisitor::has(std::string_view config) const {
  std::string key;
  const Json* value = reading_ ? find(config, &key) : nullptr;
  return value != nullptr && !value->is_null();
}

bool FieldVisitor::is_null(std::string_view config) const {
  std::string key;
  const Json* value = reading_ && !gguf_ ? find(config, &key) : nullptr;
  return value != nullptr && value->is_null();
}

void FieldVisitor::expect_objects(std::string_view config) const {
  if (gguf_ || !reading_) return;
  split(config, '|', [&](std::string_view key) {
    const Json* value = follow(*text_, key);
    if (value != nullptr && !value->is_null() && !value->is_object()) {
      fail(ErrorKind::format, "{}: {}: expected an object, found {}", where_, key, shown(*value));
    }
    return false;
  });
}

void FieldVisitor::demand(std::string_view config, const Json& value) {
  if (!gguf_ && reading_ && !has(config))
    fail(ErrorKind::format, "{}: {} is missing", where_, config);
  expect(config, {value});
}

void FieldVisitor::write_whole(std::string_view key, double value) {
  if (value == std::floor(value) && std::abs(value) <= static_cast<double>(kMost))
    put(key, static_cast<int64_t>(value));
  else
    put(key, value);
}

void FieldVisitor::put(std::string_view alternatives, Json value) {
  std::string_view key;
  split(alternatives, '|', [&](std::string_view alternative) {
    key = alternative;
    return key[0] != '^';
  });
  if (gguf_) {
    if (key[0] != '?' && key[0] != '!') (*out_)[std::string(key)] = std::move(value);
    return;
  }
  Json* at = out_;
  split(key, '.', [&](std::string_view part) {
    at = &(*at)[std::string(part)];
    return false;
  });
  *at = std::move(value);
}

void FieldVisitor::expect_one_per_layer(const Json& list, const std::string& key) const {
  const auto layers = keys_->keys.find("block_count");
  if (layers != keys_->keys.end() && *layers != list.size()) {
    fail(ErrorKind::format, "{}: {}: expected {} numbers, one per layer, found {}", where_, key,
         shown(*layers), list.size());
  }
}

template <class T>
void FieldVisitor::take(T& member, const Json& value, const std::string& key) const {
  const auto refuse = [&](const char* expected) {
    fail(ErrorKind::format, "{}: {}: expected {}, found {}", where_, key, expected, shown(value));
  };
  if constexpr (std::is_same_v<T, bool>) {
    if (value.is_number_integer() && (value == 0 || value == 1)) {
      member = value == 1;
      return;
    }
    if (!value.is_boolean()) refuse("true or false");
    member = value.get<bool>();
  } else if constexpr (std::is_same_v<T, int64_t>) {
    if (gguf_ && value.is_array() && !value.empty()) {  // some keys stand there per layer
      expect_one_per_layer(value, key);
      for (const Json& item : value) {
        if (item != value[0])
          fail(ErrorKind::unsupported, "{}: {}: layers that differ, {}", where_, key, shown(value));
      }
      take(member, value[0], key);
      return;
    }
    double number = value.is_number() ? value.get<double>() : std::nan("");
    if (!(number == std::floor(number)) || std::abs(number) > static_cast<double>(kMost))
      refuse("a whole number up to 2^40");
    member = static_cast<int64_t>(number);
  } else if constexpr (std::is_same_v<T, double>) {
    if (!value.is_number() || !std::isfinite(value.get<double>())) refuse("a number");
    member = value.get<double>();
    if (gguf_) member = shortest(member);
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) refuse("a text");
    member = value.get<std::string>();
  } else {
    member.clear();
    constexpr bool kWhole = std::is_same_v<T, std::vector<int64_t>>;
    const auto add = [&](const Json& item) {
      if constexpr (kWhole) {
        if (item.is_boolean()) return member.push_back(item.template get<bool>());
      }
      take(member.emplace_back(), item, key);
      if constexpr (std::is_same_v<T, std::vector<double>>)
        member.back() = item.template get<double>();
    };
    if (kWhole && (value.is_number_integer() || value.is_boolean())) return add(value);  // of all
    if (!value.is_array() || value.size() > kLongestList) refuse("a list");
    if (gguf_ && kWhole) expect_one_per_layer(value, key);
    for (const Json& item : value) add(item);
  }
}

template <class T>
void FieldVisitor::read(T& member, std::string_view keys, const std::optional<T>& otherwise,
                        bool null_is_zero) {
  std::string key(keys.substr(0, keys.find('|')));
  const Json* value = keys.empty() ? nullptr : find(keys, &key);
  if (!key.empty() && (key[0] == '^' || key[0] == '?' || key[0] == '!')) key.erase(0, 1);
  if (!key.empty()) spelled_[&member] = key;
  if (value == nullptr && !keys.empty()) value = find_default(keys);
  const bool null = value != nullptr && value->is_null();
  if (value != nullptr && !null) {
    take(member, *value, key);
  } else if (null && null_is_zero) {
    member = T{};
  } else if (otherwise) {
    member = *otherwise;
  } else {
    fail(ErrorKind::format, "{}: {} is missing", where_, missing(keys));
  }
}

template void FieldVisitor::read(int64_t&, std::string_view, const std::optional<int64_t>&, bool);
template void FieldVisitor::read(double&, std::string_view, const std::optional<double>&, bool);
template void FieldVisitor::read(bool&, std::string_view, const std::optional<bool>&, bool);
template void FieldVisitor::read(std::string&, std::string_view, const std::optional<std::string>&,
                                 bool);
template void FieldVisitor::read(std::vector<int64_t>&, std::string_view,
                                 const std::optional<std::vector<int64_t>>&, bool);
template void FieldVisitor::read(std::vector<double>&, std::string_view,
                                 const std::optional<std::vector<double>>&, bool);
template void FieldVisitor::read(std::vector<std::string>&, std::string_view,
                                 const std::optional<std::vector<std::string>>&, bool);

void FieldVisitor::word(std::string& member, std::string_view config, std::string_view gguf,
                        std::initializer_list<std::pair<std::string_view, int64_t>> words,
                        std::string_view fallback) {
  if (!gguf_) {
    (*this)(member, config, gguf, std::string(fallback));
  } else if (!reading_) {
    for (const auto& [name, number] : words) {
      if (name == member) put(gguf, number);
    }
    return;
  } else {
    member = fallback;
    std::string key;
    const Json* value = find(gguf, &key);
    if (value == nullptr) return;
    int64_t found = 0;
    take(found, *value, key);
    for (const auto& [name, number] : words) {
      if (number == found) {
        member = name;
        return;
      }
    }
    if (found != 0) fail(ErrorKind::unsupported, "{}: {}: unknown value {}", where_, key, found);
    return;
  }
  for (const auto& [name, unused] : words) {
    if (name == member) return;
  }
  fail(ErrorKind::unsupported, "{}: {}: unknown value {}", where_, config, member);
}

void FieldVisitor::expect(std::string_view config, std::initializer_list<Json> values) {
  if (gguf_) return;
  if (!reading_) {
    put(config, *values.begin());
    return;
  }
  std::string key;
  const Json* value = find(config, &key);
  if (value == nullptr || value->is_null()) return;
  std::string known;
  for (const Json& v : values) {
    if (v == *value) return;
    known += (known.empty() ? "" : " or ") + v.dump();
  }
  fail(ErrorKind::unsupported, "{}: {}: expected {}, found {}", where_, key, known, shown(*value));
}

}  // namespace ashlar
