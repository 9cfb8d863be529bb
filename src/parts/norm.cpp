// x ─ norm ─►
#include "parts/norm.h"

#include "ops/norm.h"

namespace ashlar {

Value write_norm(Builder& b, const Norm& norm, Value x, std::string_view name) {
  const Axes last{x.type().axes.back()};
  const Value w = b.param(name, last, Role::norm, 0);
  if (norm.kind == NormKind::rms) return b.add1(RmsNorm{.eps = norm.eps}, {x, w}, name);
  std::vector<Value> in{x, w};
  if (norm.bias) in.push_back(b.param(std::string(name) + "_bias", last, Role::bias, 0));
  return b.add1(LayerNorm{.eps = norm.eps}, in, name);
}

}  // namespace ashlar
