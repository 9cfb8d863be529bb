// Structs as JSON: their members under their names.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "base/enum_names.h"
#include "base/json.h"
#include "base/members.h"

namespace ashlar {

/// Puts members into an object: enumerators by their names, an optional without a value as null.
struct JsonWriter {
  Json& json;
  template <class T>
  void operator()(std::string_view name, const T& value) const {
    Json& to = json[std::string(name)];
    if constexpr (std::is_enum_v<T>)
      to = enum_name(value);
    else if constexpr (!requires { value.has_value(); })
      to = value;
    else if (value)
      to = *value;
  }
};

/// For the JSON library: a struct that shows its members to a visitor becomes an object.
template <class T>
requires requires(const T& value, JsonWriter& writer) { value.visit(writer); }
void to_json(Json& json, const T& value) {
  json = Json::object();
  JsonWriter writer{json};
  value.visit(writer);
}

/// In a struct: the members of its JSON.
#define ASHLAR_JSON(...)                         \
  template <class V>                             \
  void visit(V& v) const {                       \
    visit_members(v, #__VA_ARGS__, __VA_ARGS__); \
  }                                              \
  static_assert(true)

/// Beside a struct that cannot name them itself: the members of its JSON.
#define ASHLAR_JSON_OF(Struct, ...)                                           \
  inline void to_json(Json& nlohmann_json_j, const Struct& nlohmann_json_t) { \
    NLOHMANN_JSON_EXPAND(NLOHMANN_JSON_PASTE(NLOHMANN_JSON_TO, __VA_ARGS__))  \
  }                                                                           \
  static_assert(true)

}  // namespace ashlar
