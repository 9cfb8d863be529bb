// The gated delta net: linear attention with a short convolution before it and a gate behind it.
#pragma once

#include "graph/builder.h"
#include "parts/fields.h"

namespace ashlar {

/// Qwen3-Next's linear attention. Each value head remembers one matrix [key_dim, value_dim] of its
/// sequence, however long that is, beside the convolution's last inputs.
///   h ─┬ q ─ conv ─ silu ─ norm ┐
///      ├ k ─ conv ─ silu ─ norm ┤
///      ├ v ─ conv ─ silu ───────┼ gated delta rule ─ norm ─(x)─ o ─►
///      ├ alpha ─ decay ─────────┤                           │
///      ├ beta ─ sigmoid ────────┘                           │
///      └ gate ─ silu ───────────────────────────────────────┘
struct GatedDeltaNetPart {
  int64_t key_heads = 1;
  int64_t value_heads = 1;  // consecutive ones share a key head
  int64_t key_dim = 128, value_dim = 128;
  int64_t conv_width = 4;  // tokens that a convolution sees, its own included
  double norm_eps = 1e-6;  // of the output's norm
  bool operator==(const GatedDeltaNetPart&) const = default;
  ASHLAR_FIELDS("key_heads, value_heads, key_dim, value_dim", key_heads, value_heads, key_dim,
                value_dim, conv_width, norm_eps);
};

Value write_gated_delta_net(Builder& b, const GatedDeltaNetPart& part, Value h);

}  // namespace ashlar
