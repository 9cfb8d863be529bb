// Reads and writes the fields of a family: config.json and GGUF metadata, through one list of keys
// per family.
#pragma once

#include <functional>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/json.h"
#include "families/fields.h"

namespace ashlar {

/// Keys of GGUF that are tensors of the file, NAME.weight: divisors of rotary frequencies.
inline constexpr std::string_view kGgufVectors[] = {"rope_freqs", "rope_factors_long",
                                                    "rope_factors_short"};

/// GGUF metadata without its container: keys of the architecture lose their prefix ("block_count").
/// `vocab_size` is the number of rows of token_embd.weight; what kGgufVectors names are lists that
/// lie in the file as tensors. Integers become u32, floats f32.
struct GgufKeys {
  Json keys = Json::object();
  std::function<bool(std::string_view)> has_tensor;  // reading only
};

/// A family's `visit(FieldVisitor& v, Fields& f)` calls v(member, config key, GGUF key, default).
///   config key: "a|b.c|^d" are alternatives, b.c is a path, ^ looks into the config around
///               text_config; the first is what is written. Empty: not in config.json.
///   GGUF key:   alternatives too; "?tensor" and "!tensor" say whether the file has a tensor.
///               Empty: not in GGUF.
///   default:    what an absent key means where the class of Transformers says nothing; without
///               one the key must be there. GGUF may have its own.
/// A key of GGUF that belongs to the architecture and that nobody has looked at is an error.
class FieldVisitor {
 public:
  /// `defaults`: what keys that stand nowhere mean (families/config_defaults.h).
  static FieldVisitor reads_config(const Json& text_config, const Json& whole, std::string where,
                                   const Json& defaults = Json());
  static FieldVisitor reads_gguf(const GgufKeys& keys, std::string where);
  static FieldVisitor writes_config(Json& config);
  static FieldVisitor writes_gguf(GgufKeys& keys);

  template <class T>
  void operator()(T& member, std::string_view config, std::string_view gguf,
                  std::optional<std::type_identity_t<T>> fallback = {},
                  std::optional<std::type_identity_t<T>> gguf_fallback = {}) {
    const std::string_view keys = gguf_ ? gguf : config;
    if (reading_)
      read(member, keys, gguf_ && gguf_fallback ? gguf_fallback : fallback, false);
    else if (!keys.empty())
      put(keys, Json(member));
  }
  /// As above, but null in config.json means zero (and zero is written as null).
  template <class T>
  void nullable(T& member, std::string_view config, std::string_view gguf,
                std::type_identity_t<T> fallback,
                std::optional<std::type_identity_t<T>> gguf_fallback = {}) {
    const bool zero = member == T{};
    if (gguf_) {
      if (reading_ || !zero) (*this)(member, config, gguf, fallback, gguf_fallback);
    } else if (reading_) {
      read(member, config, std::optional<T>(fallback), true);
    } else {
      put(config, zero ? Json(nullptr) : Json(member));
    }
  }
  /// One of a few words; GGUF has a number for each.
  void word(std::string& member, std::string_view config, std::string_view gguf,
            std::initializer_list<std::pair<std::string_view, int64_t>> words,
            std::string_view fallback);
  /// config.json must hold one of these values (or not the key at all); the first is written.
  void expect(std::string_view config, std::initializer_list<Json> values);
  /// As above, but nothing is written.
  void refuse_unless(std::string_view config, std::initializer_list<Json> values) {
    if (reading_) expect(config, values);
  }
  /// Writing only: a value that is no field.
  void write(std::string_view key, Json value) { put(key, std::move(value)); }
  /// ... a whole number if it is one: Transformers checks types.
  void write_whole(std::string_view key, double value);
  bool has_tensor(std::string_view name) const;   // reading GGUF only
  bool is_list(std::string_view gguf_key) const;  // reading GGUF
  /// Reading config.json: these are objects, null or absent.
  void expect_objects(std::string_view config) const;
  bool has(std::string_view keys) const;        // reading: one of these is there, not null
  bool is_null(std::string_view config) const;  // reading config.json: null is said
  /// config.json must have this key with this value.
  void demand(std::string_view config, const Json& value);

  bool reading() const { return reading_; }
  bool gguf() const { return gguf_; }
  const std::string& where() const { return where_; }
  /// Keys of GGUF that are known, and of no consequence to this family.
  void ignore(std::initializer_list<std::string_view> gguf_keys);
  /// The key that a member was read from as the file spells it, else the first that it may have.
  std::string key_of(const void* member, std::string_view otherwise) const;
  /// Keys of GGUF that were not looked at.
  std::vector<std::string> unread() const;

 private:
  FieldVisitor(bool reading, bool gguf, std::string where)
      : reading_(reading), gguf_(gguf), where_(std::move(where)) {}
  const Json* find(std::string_view alternatives, std::string* found) const;
  const Json* find_default(std::string_view alternatives) const;
  /// Of alternatives none of which is there: the one beside keys that are, else the first.
  std::string_view missing(std::string_view alternatives) const;
  void put(std::string_view alternatives, Json value);
  void expect_one_per_layer(const Json& list, const std::string& key) const;
  template <class T>
  void take(T& member, const Json& value, const std::string& key) const;
  /// `null_is_zero`: else null is as if the key were absent.
  template <class T>
  void read(T& member, std::string_view keys, const std::optional<T>& otherwise, bool null_is_zero);

  bool reading_, gguf_;
  const Json* text_ = nullptr;
  const Json* whole_ = nullptr;
  const GgufKeys* keys_ = nullptr;
  const Json* defaults_ = nullptr;
  Json* out_ = nullptr;
  std::string where_;
  mutable std::set<std::string, std::less<>> seen_;  // keys of GGUF that were looked at
  std::map<const void*, std::string> spelled_;       // member to key
};

}  // namespace ashlar
