// Linear projections of parts: their parameters and the product.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "graph/builder.h"
#include "ops/linear.h"

namespace ashlar {

/// Parameters `name` and, with a bias, `name`_bias; of x the last in_axes axes are read.
inline Value write_projection(Builder& b, Value x, std::string_view name, const Axes& out,
                              bool bias = false, int64_t in_axes = 1) {
  const Axes from = x.type().axes;
  Axes w = out;
  w.insert(w.end(), from.end() - in_axes, from.end());
  std::vector<Value> in{x, b.param(name, w, Role::projection, in_axes)};
  if (bias) in.push_back(b.param(std::string(name) + "_bias", out, Role::bias, 0));
  return b.add1(Linear{.in_axes = in_axes}, in, name);
}

}  // namespace ashlar
