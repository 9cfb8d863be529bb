// Settings as JSON: reading that knows every key, writing with every default filled in.
#pragma once

#include <fmt/format.h>

#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/json_members.h"
#include "train/settings.h"

namespace ashlar {

template <class T>
inline constexpr bool kIsList = false;
template <class T>
inline constexpr bool kIsList<std::vector<T>> = true;

template <class T>
inline constexpr bool kIsOptional = false;
template <class T>
inline constexpr bool kIsOptional<std::optional<T>> = true;

inline void to_json(Json& json, const DecayOn& value) {
  static constexpr const char* kNames[] = {"matrices", "all", "none"};
  if (value.kind != DecayOn::Kind::roles) {
    json = kNames[static_cast<size_t>(value.kind)];
    return;
  }
  json = Json::array();
  for (const Role role : value.roles) json.push_back(enum_name(role));
}

class SettingsReader {
 public:
  SettingsReader(const Json& json, std::string where) : json_(json), where_(std::move(where)) {
    if (!json.is_object())
      fail(ErrorKind::invalid, "{}: expected an object, found {}", where_, json.dump());
  }
  template <class T>
  void operator()(std::string_view name, T& value) {
    known_.emplace_back(name);
    if (const auto it = json_.find(std::string(name)); it != json_.end() && !it->is_null())
      read(*it, path(name), value);
  }
  void allow(std::string_view name) { known_.emplace_back(name); }
  std::string path(std::string_view name) const {
    return where_.empty() ? std::string(name) : where_ + "." + std::string(name);
  }
  /// Throws Error(invalid) for the first key that nobody asked for.
  void finish() const {
    for (const auto& [key, unused] : json_.items()) {
      if (std::find(known_.begin(), known_.end(), key) != known_.end()) continue;
      fail(ErrorKind::invalid, "{}: unknown key; did you mean {}? Known here are {}", path(key),
           nearest(key, known_, 1).at(0), fmt::join(known_, ", "));
    }
  }

  template <class T>
  static void read(const Json& json, const std::string& where, T& value) {
    const auto expected = [&](std::string_view what) {
      fail(ErrorKind::invalid, "{}: expected {}, found {}", where, what, json.dump());
    };
    if constexpr (std::is_enum_v<T>) {
      const auto named = json.is_string() ? enum_named<T>(json.get<std::string>()) : std::nullopt;
      if (!named) expected("one of " + enum_list<T>());
      value = *named;
    } else if constexpr (kIsOptional<T>) {
      read(json, where, value.emplace());
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!json.is_boolean()) expected("true or false");
      value = json.get<bool>();
    } else if constexpr (std::is_integral_v<T>) {
      // 1e3 is written as a number with a point; that is well meant.
      const double number = json.is_number() ? json.get<double>() : 0.5;
      constexpr double kMost = 0x1p53;
      if (json.is_number_integer() && std::abs(number) < kMost)
        value = json.get<T>();
      else if (number == std::floor(number) && std::abs(number) < kMost)
        value = static_cast<T>(number);
      else
        expected("a whole number");
      if (std::is_unsigned_v<T> && number < 0) expected("a whole number from 0");
    } else if constexpr (std::is_floating_point_v<T>) {
      if (!json.is_number()) expected("a number");
      value = json.get<T>();
    } else if constexpr (std::is_same_v<T, std::string>) {
      if (!json.is_string()) expected("text");
      value = json.get<std::string>();
    } else if constexpr (std::is_same_v<T, std::array<double, 2>>) {
      if (!json.is_array() || json.size() != 2) expected("two numbers");
      read(json[0], where, value[0]);
      read(json[1], where, value[1]);
    } else if constexpr (kIsList<T>) {
      if (!json.is_array()) expected("a list");
      value.clear();
      for (size_t i = 0; i < json.size(); ++i)
        read(json[i], fmt::format("{}[{}]", where, i), value.emplace_back());
    } else if constexpr (std::is_same_v<T, DecayOn>) {
      value = {};
      if (json == "matrices") return;
      if (json == "all" || json == "none") {
        value.kind = json == "all" ? DecayOn::Kind::all : DecayOn::Kind::none;
        return;
      }
      if (!json.is_array()) expected("matrices, all, none, or a list of roles");
      value.kind = DecayOn::Kind::roles;
      for (const Json& item : json) read(item, where, value.roles.emplace_back());
    } else {
      SettingsReader reader(json, where);
      value.visit(reader);
      reader.finish();
    }
  }

 private:
  const Json& json_;
  std::string where_;
  std::vector<std::string> known_;
};

}  // namespace ashlar
