// Feed-forward parts as graph.
#include "parts/ffn.h"

#include "base/error.h"
#include "ops/elementwise.h"
#include "parts/projection.h"

namespace ashlar {

bool has_gate(FfnActivation a) {
  return a != FfnActivation::gelu && a != FfnActivation::relu && a != FfnActivation::gelu_exact;
}

namespace {

ActivationKind plain_kind(FfnActivation a) {
  if (a == FfnActivation::relu) return ActivationKind::relu;
  return a == FfnActivation::gelu ? ActivationKind::gelu_tanh : ActivationKind::gelu;
}

GateKind gate_of(FfnActivation a) {
  if (a == FfnActivation::geglu) return GateKind::gelu_tanh;
  return a == FfnActivation::clamped_swiglu ? GateKind::clamped : GateKind::silu;
}

}  // namespace

Value write_dense_ffn(Builder& b, const DenseFfn& p, Value h) {
  const Axis d = h.type().axes.back(), ffn{"ffn", p.width};
  const auto project = [&](Value x, std::string_view name, const Axis& out) {
    return write_projection(b, x, name, {out}, p.bias);
  };
  Value y;
  if (p.activation == FfnActivation::geglu_exact) {
    const Value gate = project(h, "gate", ffn), up = project(h, "up", ffn);
    const Value open = b.add1(Activate{.kind = ActivationKind::gelu}, {gate}, "act");
    y = b.add1(Multiply{}, {open, up});
  } else if (has_gate(p.activation)) {
    const Value gate = project(h, "gate", ffn), up = project(h, "up", ffn);
    y = b.add1(Gated{.kind = gate_of(p.activation), .alpha = p.alpha, .limit = p.limit}, {gate, up},
               "act");
  } else {
    y = b.add1(Activate{.kind = plain_kind(p.activation)}, {project(h, "up", ffn)}, "act");
  }
  return project(y, "down", d);
}

namespace {

/// y * sigmoid(w h): one number per token.
Value write_token_gate(Builder& b, Value h, Value y, std::string_view name) {
  const Axis d = y.type().axes.back();
  const Value w = b.param(name, {{"gate", 1}, h.type().axes.back()}, Role::router);
  Value g = b.add1(Linear{}, {h, w}, name);
  g = b.add1(Activate{.kind = ActivationKind::sigmoid}, {g}, name);
  g = b.add1(Repeat{.axis = d.name, .count = d.size}, {g});
  g = b.add1(Rename{.axes = d.name + "=" + std::to_string(d.size)}, {g});
  return b.add1(Multiply{}, {y, g});
}

}  // namespace

Value write_expert_ffn(Builder& b, const ExpertFfnPart& p, Value h) {
  if (!has_gate(p.activation) || p.activation == FfnActivation::geglu_exact)
    fail(ErrorKind::unsupported, "{}: experts whose gate is not SwiGLU or GeGLU", b.scope());
  const Axis d = h.type().axes.back(), experts{"experts", p.experts}, ffn{"expert_ffn", p.width};
  std::vector<Value> in{h, b.param("router", {experts, d}, Role::router)};
  if (p.router.bias) in.push_back(b.param("router_bias", {experts}, Role::bias, 0));
  std::vector<Value> route{b.add1(Linear{}, in, "router")};
  if (p.router.correction_bias)
    route.push_back(b.param("router_correction", {experts}, Role::bias, 0));
  const Router& r = p.router;
  const std::vector<Value> chosen = b.add(Route{.top_k = p.top_k,
                                                .score = r.score,
                                                .normalize = r.normalize,
                                                .scale = r.scale,
                                                .softcap = r.softcap,
                                                .groups = r.groups,
                                                .keep_groups = r.keep_groups,
                                                .group_score = r.group_score,
                                                .jitter = r.jitter},
                                          route, "route");
  std::vector<Value> run{h, chosen[0], chosen[1]};
  run.push_back(b.param("experts.gate", {experts, ffn, d}, Role::expert));
  run.push_back(b.param("experts.up", {experts, ffn, d}, Role::expert));
  run.push_back(b.param("experts.down", {experts, d, ffn}, Role::expert));
  if (p.bias) {
    run.push_back(b.param("experts.gate_bias", {experts, ffn}, Role::bias));
    run.push_back(b.param("experts.up_bias", {experts, ffn}, Role::bias));
    run.push_back(b.param("experts.down_bias", {experts, d}, Role::bias));
  }
  Value y = b.add1(ExpertFfn{.kind = gate_of(p.activation),
                             .alpha = p.alpha,
                             .limit = p.limit,
                             .weigh_input = p.weigh_input},
                   run, "experts");
  const auto beside = [&](std::string_view name, int64_t width, bool bias, bool gate) {
    if (width == 0) return;
    const DenseFfn part{.width = width, .activation = p.activation, .bias = bias};
    Value z;
    {
      Scope scope(b, name);
      z = write_dense_ffn(b, part, h);
    }
    if (gate) z = write_token_gate(b, h, z, std::string(name) + "_gate");
    y = b.add1(Add{}, {y, z});
  };
  beside("shared", p.shared, p.shared_bias, p.shared_gate);
  beside("parallel", p.parallel, false, false);
  if (p.output_scale != 1) y = b.add1(Scale{.factor = p.output_scale}, {y});
  return y;
}

}  // namespace ashlar
