// The gated delta net as graph (Yang et al. 2024, Gated Delta Networks, section 3.4).
#include "parts/gated_delta_net.h"

#include <cmath>

#include "ops/convolution.h"
#include "ops/delta_rule.h"
#include "ops/elementwise.h"
#include "ops/experts.h"
#include "ops/norm.h"
#include "parts/norm.h"
#include "parts/projection.h"

namespace ashlar {

Value write_gated_delta_net(Builder& b, const GatedDeltaNetPart& p, Value h) {
  constexpr double kUnitEps = 1e-6;  // of the norms that make q and k vectors of length 1
  const Axis d = h.type().axes.back(), heads{"key_heads", p.key_heads}, dim{"key_dim", p.key_dim};
  const Axis group{"group", p.value_heads / p.key_heads}, value{"value_dim", p.value_dim};
  const auto project = [&](std::string_view name, const Axes& out) {
    return write_projection(b, h, name, out);
  };
  const auto convolved = [&](std::string_view name, const Axes& out) {
    const Value x = project(name, out);
    Axes axes = out;
    axes.push_back({"conv_width", p.conv_width});
    const std::string conv = std::string(name) + "_conv";
    const Value y = b.add1(CausalConvolution{}, {x, b.param(conv, axes, Role::projection)}, conv);
    return b.add1(Activate{.kind = ActivationKind::silu}, {y}, std::string(name) + "_act");
  };
  const auto width = static_cast<double>(p.key_dim);
  // x / sqrt(sum x^2 + eps) is the norm by the mean with eps / n, over sqrt(n).
  const auto normed = [&](Value x, std::string_view label) {
    return b.add1(RmsNorm{.eps = kUnitEps / width}, {x}, label);
  };
  const Value q = normed(convolved("q", {heads, dim}), "q_norm");
  const Value k = b.add1(Scale{.factor = 1 / std::sqrt(width)},
                         {normed(convolved("k", {heads, dim}), "k_norm")}, "k_norm");
  const Value v = convolved("v", {heads, group, value});
  const Value gate = project("gate", {heads, group, value});
  const Value beta =
      b.add1(Activate{.kind = ActivationKind::sigmoid}, {project("beta", {heads, group})}, "beta");
  const Value decay =
      b.add1(LogDecay{},
             {project("alpha", {heads, group}), b.param("a_log", {heads, group}, Role::bias, 0),
              b.param("dt_bias", {heads, group}, Role::bias, 0)},
             "decay");
  // The rule's scale holds q's 1 / sqrt(n) and the rule's own key_dim^-0.5.
  Value o = b.add1(GatedDeltaRule{.scale = 1 / width}, {q, k, v, decay, beta}, "delta_rule");
  o = write_norm(b, {.eps = p.norm_eps}, o, "norm");
  o = b.add1(Gated{.kind = GateKind::silu}, {gate, o}, "gated");
  return write_projection(b, o, "o", {d}, false, 3);
}

}  // namespace ashlar
