// Axes as the text of an attribute: "heads=16;head_dim=128".
#pragma once

#include "graph/attributes.h"

namespace ashlar {

inline std::string text_of(const Axes& axes) {
  std::string s;
  for (const Axis& a : axes) s += (s.empty() ? "" : ";") + a.name + "=" + std::to_string(a.size);
  return s;
}

/// Throws ShapeError; sizes are at least 1 and at most 2^42 elements in all.
inline Axes axes_of(std::string_view text) {
  Axes axes;
  int64_t elements = 1;
  for (std::string_view rest = text; !rest.empty();) {
    const std::string_view item = rest.substr(0, rest.find(';'));
    rest = item.size() < rest.size() ? rest.substr(item.size() + 1) : std::string_view();
    const size_t equals = item.find('=');
    if (equals == std::string_view::npos)
      shape_error("axes: expected name=size, found " + std::string(item));
    const int64_t size = attribute_int(item.substr(equals + 1), "axes");
    if (size < 1 || size > (int64_t{1} << 42) / elements)
      shape_error("axes " + std::string(text) + ": expected sizes from 1 and at most 2^42 numbers");
    elements *= size;
    axes.push_back({std::string(item.substr(0, equals)), size});
  }
  return axes;
}

}  // namespace ashlar
