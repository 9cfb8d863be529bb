// Names of enumerators as files and options have them.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace ashlar {

/// The names in `list`, "a, b, c", of the enumerators of the values 0, 1, 2, ...
template <class... E>
consteval std::array<std::string_view, sizeof...(E)> names_of(std::string_view list, E... values) {
  std::array<std::string_view, sizeof...(E)> names;
  size_t at = 0;
  const auto take = [&](E... value) {
    ((names[at] = list.substr(0, list.find(", ")), list.remove_prefix(names[at].size()),
      list.remove_prefix(list.empty() ? 0 : 2),
      static_cast<size_t>(value) == at++ ? void() : throw "enumerators are named in their order"),
     ...);
  };
  take(values...);
  return names;
}

template <class E>
std::string enum_name(E value) {
  return std::string(enum_names(value)[static_cast<size_t>(value)]);
}

/// The enumerator of that name.
template <class E>
std::optional<E> enum_named(std::string_view name) {
  const std::span<const std::string_view> names = enum_names(E{});
  for (size_t i = 0; i < names.size(); ++i) {
    if (names[i] == name) return static_cast<E>(i);
  }
  return std::nullopt;
}

/// The entry of an enumerator in a table that has one for each, in their order.
template <class E, class T, size_t n>
constexpr const T& entry_of(const T (&table)[n], E value) {
  static_assert(n == enum_names(E{}).size(), "one entry for each enumerator");
  return table[static_cast<size_t>(value)];
}

/// "a, b, c"
template <class E>
std::string enum_list() {
  std::string list;
  for (const std::string_view name : enum_names(E{}))
    list.append(list.empty() ? "" : ", ").append(name);
  return list;
}

}  // namespace ashlar

/// Behind an enum whose enumerators count from 0: all of them, in their order.
#define ASHLAR_NAMES(Enum, ...)                                                           \
  inline constexpr auto kNamesOf##Enum = [] {                                             \
    using enum Enum;                                                                      \
    return names_of(#__VA_ARGS__, __VA_ARGS__);                                           \
  }();                                                                                    \
  constexpr std::span<const std::string_view> enum_names(Enum) { return kNamesOf##Enum; } \
  static_assert(true)
