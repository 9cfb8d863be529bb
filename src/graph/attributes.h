// Attributes of ops to text and back: one visitor per op serves both directions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "graph/op.h"

namespace ashlar {

std::string attribute_text(double value);  // shortest text that reads back to the same double
std::string attribute_text(int64_t value);
std::string attribute_text(const std::vector<double>& values);          // "1/2.5/4"
double attribute_double(std::string_view text, std::string_view name);  // throws ShapeError
int64_t attribute_int(std::string_view text, std::string_view name);
std::vector<double> attribute_doubles(std::string_view text, std::string_view name);

/// An enum becomes an attribute by its names (base/enum_names.h).
struct AttributeWriter {
  static constexpr bool reading = false;
  std::vector<Attribute> attributes;
  template <class T>
  void operator()(std::string_view name, T& value) {
    if constexpr (std::is_enum_v<T>)
      add(name, enum_name(value));
    else if constexpr (std::is_same_v<T, std::string>)
      add(name, value);
    else if constexpr (std::is_same_v<T, bool>)
      add(name, value ? "true" : "false");
    else if constexpr (std::is_same_v<T, std::vector<double>>)
      add(name, attribute_text(value));
    else if constexpr (std::is_integral_v<T>)
      add(name, attribute_text(static_cast<int64_t>(value)));
    else
      add(name, attribute_text(static_cast<double>(value)));
  }

 private:
  void add(std::string_view name, std::string value) {
    attributes.push_back({std::string(name), std::move(value)});
  }
};

/// Attributes that the text does not mention keep their default; unknown ones are an error (see
/// finish()).
struct AttributeReader {
  static constexpr bool reading = true;
  const std::vector<Attribute>& attributes;
  size_t used = 0;
  template <class T>
  void operator()(std::string_view name, T& value) {
    for (const Attribute& a : attributes) {
      if (a.name != name) continue;
      ++used;
      if constexpr (std::is_enum_v<T>) {
        const auto named = enum_named<T>(a.value);
        if (!named) shape_error("attribute " + a.name + ": unknown value " + a.value);
        value = *named;
      } else if constexpr (std::is_same_v<T, std::string>) {
        value = a.value;
      } else if constexpr (std::is_same_v<T, bool>) {
        if (a.value != "true" && a.value != "false")
          shape_error("attribute " + a.name + ": expected true or false, found " + a.value);
        value = a.value == "true";
      } else if constexpr (std::is_same_v<T, std::vector<double>>) {
        value = attribute_doubles(a.value, name);
      } else if constexpr (std::is_integral_v<T>) {
        value = static_cast<T>(attribute_int(a.value, name));
      } else {
        value = static_cast<T>(attribute_double(a.value, name));
      }
    }
  }
  void finish() const {
    if (used != attributes.size()) shape_error("an attribute is unknown to this op or given twice");
  }
};

}  // namespace ashlar
