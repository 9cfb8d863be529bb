// Ops on each number by itself, and the small moves between shapes.
#pragma once

#include "base/enum_names.h"
#include "graph/op.h"

namespace ashlar {

/// a + b, of equal types; b may also be a parameter with the last axes of a.
struct Add {
  static constexpr OpDoc doc{"add", "y = a + b", "a b", "y", ""};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Add);

struct Multiply {
  static constexpr OpDoc doc{"multiply", "y = a b", "a b", "y", ""};
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Multiply);

/// factor * x + shift: embedding and logit multipliers, the 1 + up of gpt-oss.
struct Scale {
  static constexpr OpDoc doc{"scale", "y = factor x + shift", "x", "y", ""};
  double factor = 1;
  double shift = 0;
  ASHLAR_ATTRIBUTES(factor, shift);
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Scale);

struct Clamp {
  static constexpr OpDoc doc{"clamp", "y = min(max(x, low), high)", "x", "y", ""};
  double low = -1e30, high = 1e30;
  ASHLAR_ATTRIBUTES(low, high);
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Clamp);

struct Softcap {
  static constexpr OpDoc doc{"softcap", "y = cap tanh(x / cap)", "x", "y",
                             "Gemma Team 2024, Gemma 2, section 2"};
  double cap = 30;
  ASHLAR_ATTRIBUTES(cap);
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Softcap);

enum class ActivationKind : uint8_t { gelu_tanh, silu, sigmoid, relu, gelu };
ASHLAR_NAMES(ActivationKind, gelu_tanh, silu, sigmoid, relu, gelu);

struct Activate {
  static constexpr OpDoc doc{"activate", "y = f(x): gelu_tanh, silu, sigmoid, relu, or gelu by erf",
                             "x", "y",
                             "Hendrycks and Gimpel 2016, Gaussian Error Linear Units, section 2"};
  ActivationKind kind = ActivationKind::silu;
  ASHLAR_ATTRIBUTES(kind);
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Activate);

/// Elements begin .. begin + axis size of the last axis, which gets the name of `axis`.
struct Slice {
  static constexpr OpDoc doc{"slice", "y = x[..., begin : begin + size]", "x", "y", ""};
  int64_t begin = 0;
  std::string axis;
  int64_t size = 1;
  ASHLAR_ATTRIBUTES(begin, axis, size);
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Slice);

/// a and b side by side along their last axis, which is called `axis`; the other axes agree.
struct Concat {
  static constexpr OpDoc doc{"concat", "y = [a, b]", "a b", "y", ""};
  std::string axis;
  ASHLAR_ATTRIBUTES(axis);
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Concat);

/// x [tokens, n...] -> [tokens, axis, n...]: the same for every index of the new axis.
struct Repeat {
  static constexpr OpDoc doc{"repeat", "y[i] = x", "x", "y", ""};
  std::string axis;
  int64_t count = 1;
  ASHLAR_ATTRIBUTES(axis, count);
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Repeat);

/// Inserts or removes axes of size 1, or renames axes, without moving a number: x -> [tokens,
/// names...].
struct Rename {
  static constexpr OpDoc doc{"rename", "y = x under other axis names", "x", "y", ""};
  std::string axes;  // "heads=16;head_dim=128"
  ASHLAR_ATTRIBUTES(axes);
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Rename);

}  // namespace ashlar
