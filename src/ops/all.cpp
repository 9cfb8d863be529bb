// The op list and the samples that generate its tests.
#include "ops/all.h"

#include <array>

#include "graph/attributes.h"
#include "ops/types.h"

namespace ashlar {
namespace {

Type value(Axes axes) { return tokens_of(std::move(axes)); }
Type index(Axes axes) { return tokens_of(std::move(axes), Kind::index); }
Type param(Axes axes) { return {Kind::real, std::move(axes)}; }

const Axis kD{"d_model", 6}, kHeads{"kv_heads", 2}, kGroup{"group", 3}, kDim{"head_dim", 4},
    kExperts{"experts", 8};
const Axis kChosen{"chosen", 2}, kFfn{"ffn", 5}, kValueDim{"value_dim", 3};

/// Samples of every op but those that are gradients of others; each option of an op is set in one.
std::vector<OpSample> forward_samples() {
  const Type x = value({kD}), heads = value({kHeads, kDim}), q = value({kHeads, kGroup, kDim}),
             v = value({kHeads, kValueDim}), rows = value({kHeads, kD}), w = param({kD}),
             head_w = param({kHeads, kDim}), groups = value({kHeads, kGroup}),
             group_w = param({kHeads, kGroup}), values = value({kHeads, kGroup, kValueDim});
  const Type logits = value({kExperts}), chosen = index({kChosen}), weights = value({kChosen}),
             copies = value({kChosen, kD}), ffn = value({kFfn}),
             chosen_ffn = value({kChosen, kFfn}), expert_w = param({kExperts}),
             up = param({kExperts, kFfn, kD}), down = param({kExperts, kD, kFfn}),
             up_bias = param({kExperts, kFfn});
  const Type one = param({}), per_token = value({}), ids = index({}), words = value({{"vocab", 8}});
  const Axis latent_heads{"heads", 2}, latent{"latent", 5}, nope{"qk_nope", 4}, rope{"qk_rope", 2},
      width{"width", 3};
  return {
      {TokenIds{}, {}},
      {TokenIds{.ahead = 1}, {}},
      {Given{.name = "hidden", .size = 6}, {}},
      {Embed{}, {ids, param({{"vocab", 16}, kD})}},
      {EmbedGrad{.count = 16}, {ids, x}},
      {LearnedPosition{}, {param({{"positions", 32}, kD})}},
      {LearnedPositionGrad{.count = 32}, {x}},
      {SinusoidalPosition{.d_model = 6}, {}},
      {Constant{.value = 1}, {}},
      {Constant{.axes = "a=2;b=3"}, {}},
      {Linear{}, {x, param({kHeads, kGroup, kDim, kD})}},
      {Linear{.in_axes = 3}, {q, param({kD, kHeads, kGroup, kDim}), w}},
      {LinearInputGrad{}, {q, param({kHeads, kGroup, kDim, kD})}},
      {LinearInputGrad{.in_axes = 3}, {x, param({kD, kHeads, kGroup, kDim})}},
      {LinearWeightGrad{}, {x, q}},
      {LinearWeightGrad{}, {heads, x}},
      {TokenSum{}, {rows}},
      {TokenSum{.axes = 2}, {rows}},
      {ExpertLinear{}, {x, chosen, up}},
      {ExpertLinear{}, {copies, chosen, up, up_bias}},
      {ExpertLinearInputGrad{}, {chosen_ffn, chosen, up}},
      {ExpertLinearWeightGrad{.count = 8}, {x, chosen, chosen_ffn}},
      {ExpertLinearWeightGrad{.count = 8}, {copies, chosen, chosen_ffn}},
      {ExpertLinearBiasGrad{.count = 8}, {chosen, chosen_ffn}},
      {RmsNorm{}, {x, w}},
      {RmsNorm{.eps = 1e-5}, {heads}},
      {RmsNorm{.axes = 2}, {heads, head_w}},
      {LayerNorm{}, {x, w, w}},
      {LayerNorm{.eps = 1e-3}, {x, w}},
      {LayerNormGrad{}, {x, x, w}},
      {Rope{.dim = 4}, {heads}},
      {Rope{.dim = 4,
            .layout = RotationLayout::interleaved,
            .scaling = RotationScaling::linear,
            .factor = 8},
       {heads}},
      {Rope{.dim = 2, .scaling = RotationScaling::llama3, .factor = 8, .original_context = 16},
       {heads}},
      {Rope{.dim = 4,
            .scaling = RotationScaling::yarn,
            .factor = 4,
            .original_context = 64,
            .attention_factor = 1.2},
       {heads}},
      {Rope{.dim = 4, .scaling = RotationScaling::divisors, .divisors = {1, 2.5}}, {heads}},
      {Rope{.dim = 4,
            .scaling = RotationScaling::longrope,
            .original_context = 4,
            .attention_factor = 1.1,
            .divisors = {1, 1.5},
            .long_divisors = {2, 5}},
       {heads}},
      {Rope{.dim = 4,
            .scaling = RotationScaling::yarn,
            .factor = 4,
            .original_context = 64,
            .attention_factor = 1.2,
            .inverse = true},
       {heads}},
      {PositionScale{.length = 3}, {heads}},
      {Attention{.scale = 0.5}, {q, heads, v}},
      {Attention{.scale = 0.7, .softcap = 3, .window = 3}, {q, heads, v}},
      {Attention{.scale = 0.7, .chunk = 4}, {q, heads, v}},
      {Attention{.scale = 0.5, .softcap = 2, .log_length = 4}, {q, heads, v}},
      {Attention{.scale = 0.5, .window = 2}, {q, heads, v, group_w}},
      {LatentAttention{.scale = 0.4},
       {value({latent_heads, nope}), value({latent_heads, rope}), value({latent}), value({rope}),
        param({latent_heads, nope, latent}), param({latent_heads, kValueDim, latent})}},
      {CausalConvolution{}, {heads, param({kHeads, kDim, width})}},
      {CausalConvolution{}, {x, param({kD, width}), w}},
      {CausalConvolution{}, {x, param({kD, {"width", 1}})}},
      {CausalConvolutionGrad{}, {x, x, param({kD, width})}},
      {LogDecay{}, {groups, group_w, group_w}},
      {LogDecay{}, {heads, param({kHeads}), head_w}},
      {GatedDeltaRule{.scale = 0.5}, {heads, heads, values, groups, groups}},
      {GatedDeltaRule{}, {heads, heads, values, q, groups}},
      {Add{}, {x, x}},
      {Add{}, {rows, w}},
      {Multiply{}, {x, x}},
      {Multiply{}, {rows, w}},
      {Scale{.factor = 2.5}, {x}},
      {Scale{.factor = -1.5, .shift = 0.25}, {x}},
      {Clamp{.low = -0.5, .high = 0.4}, {x}},
      {Clamp{.high = 0.1}, {x}},
      {Softcap{.cap = 0.8}, {x}},
      {Activate{.kind = ActivationKind::gelu_tanh}, {x}},
      {Activate{.kind = ActivationKind::silu}, {x}},
      {Activate{.kind = ActivationKind::sigmoid}, {x}},
      {Activate{.kind = ActivationKind::relu}, {x}},
      {Activate{.kind = ActivationKind::gelu}, {x}},
      {Slice{.begin = 2, .axis = "part", .size = 3}, {rows}},
      {Pad{.begin = 2, .axis = "whole", .size = 9}, {rows}},
      {Concat{.axis = "both"}, {rows, heads}},
      {Repeat{.axis = "heads", .count = 3}, {x}},
      {Rename{.axes = "a=2;group=1;b=6"}, {rows}},
      {Gated{.kind = GateKind::silu, .limit = 0.6}, {ffn, ffn}},
      {Gated{.kind = GateKind::gelu_tanh, .limit = 0.6}, {ffn, ffn}},
      {Gated{.kind = GateKind::clamped, .limit = 0.6}, {ffn, ffn}},
      {Route{.top_k = 2, .normalize = true}, {logits}},
      {Route{.top_k = 1, .score = RouteScore::sigmoid}, {logits}},
      {Route{.top_k = 3, .score = RouteScore::softmax_selected}, {logits}},
      {Route{.top_k = 2, .softcap = 5}, {logits}},
      {Route{.top_k = 2, .score = RouteScore::sparsemixer, .jitter = 0.3}, {logits}},
      {Route{
           .top_k = 3, .scale = 16, .groups = 4, .keep_groups = 2, .group_score = GroupScore::max},
       {logits}},
      {Route{.top_k = 3,
             .score = RouteScore::sigmoid,
             .normalize = true,
             .scale = 2.5,
             .groups = 4,
             .keep_groups = 2},
       {logits, expert_w}},
      {WeightedSum{}, {weights, copies}},
      {WeightedCopies{}, {weights, x}},
      {ExpertSum{}, {copies}},
      {ExpertSum{}, {q}},
      {ChosenDot{}, {copies, x}},
      {ExpertFfn{}, {x, weights, chosen, up, up, down}},
      {ExpertFfn{.kind = GateKind::gelu_tanh, .weigh_input = true},
       {x, weights, chosen, up, up, down}},
      {ExpertFfn{.kind = GateKind::clamped, .limit = 0.5},
       {x, weights, chosen, up, up, down, up_bias, up_bias, param({kExperts, kD})}},
      {CrossEntropy{}, {words, ids}},
      {CrossEntropy{.ahead = 2}, {words, ids}},
      {ScoredMean{}, {per_token}},
      {ScoredMean{.all = true}, {per_token}},
      {ScoredMean{.ahead = 2}, {per_token}},
      {ScoredMeanGrad{}, {one}},
      {ScoredMeanGrad{{.all = true}}, {one}},
      {ScoredMeanGrad{{.ahead = 2}}, {one}},
      {LogSumExp{}, {words}},
      {ExpertLoad{.experts = 8}, {chosen}},
      {RouterBalance{}, {logits, expert_w}},
      {RouterBalance{.sigmoid = true}, {logits, expert_w}},
      {SequenceBalance{}, {logits, chosen}},
      {SequenceBalance{.sigmoid = true}, {logits, chosen}},
      {MeanSquare{}, {heads}},
  };
}

/// Adds the samples of a gradient op: those of its forward op, with the gradient of its first
/// result inserted as input number `at`.
template <class Forward, class Grad>
void add_gradients(std::vector<OpSample>& all, int64_t at) {
  for (size_t i = 0, n = all.size(); i < n; ++i) {
    const auto* forward = all[i].op.as<Forward>();
    if (forward == nullptr) continue;
    std::vector<Type> inputs = all[i].inputs;
    inputs.insert(inputs.begin() + at, forward->types(inputs)[0]);
    if constexpr (std::is_empty_v<Grad>)
      all.push_back({Grad{}, std::move(inputs)});
    else
      all.push_back({Grad{*forward}, std::move(inputs)});
  }
}

std::vector<OpSample> made_samples() {
  std::vector<OpSample> all = forward_samples();
  add_gradients<RmsNorm, RmsNormGrad>(all, 1);
  add_gradients<Attention, AttentionGrad>(all, 3);
  add_gradients<LatentAttention, LatentAttentionGrad>(all, 6);
  add_gradients<LogDecay, LogDecayGrad>(all, 1);
  add_gradients<GatedDeltaRule, GatedDeltaRuleGrad>(all, 5);
  add_gradients<Clamp, ClampGrad>(all, 1);
  add_gradients<Softcap, SoftcapGrad>(all, 1);
  add_gradients<Activate, ActivateGrad>(all, 1);
  add_gradients<Gated, GatedGrad>(all, 2);
  add_gradients<ExpertFfn, ExpertFfnGrad>(all, 1);
  add_gradients<CrossEntropy, CrossEntropyGrad>(all, 2);
  add_gradients<LogSumExp, LogSumExpGrad>(all, 1);
  add_gradients<RouterBalance, RouterBalanceGrad>(all, 2);
  add_gradients<SequenceBalance, SequenceBalanceGrad>(all, 2);
  for (size_t i = 0, n = all.size(); i < n; ++i) {
    const std::vector<Type> in = all[i].inputs;
    if (const auto* route = all[i].op.as<Route>()) {
      const std::vector<Type> made = route->types(in);
      all.push_back({RouteGrad{*route}, {in[0], made[1], made[0]}});
    }
    if (const auto* attention = all[i].op.as<Attention>()) {
      const bool sinks = in.size() == 4;
      all.push_back({ScoreStatistics{*attention},
                     sinks ? std::vector{in[0], in[1], in[3]} : std::vector{in[0], in[1]}});
    }
  }
  return all;
}

const std::vector<OpSample>& all_samples() {
  static const std::vector<OpSample> kAll = made_samples();
  return kAll;
}

template <class T>
OpEntry entry() {
  return {&T::doc,
          [](const std::vector<Attribute>& attributes) {
            T op;
            AttributeReader reader{attributes};
            visit_attributes(reader, op);
            reader.finish();
            return Op(std::move(op));
          },
          [] {
            std::vector<OpSample> samples;
            for (const OpSample& s : all_samples()) {
              if (s.op.as<T>() != nullptr) samples.push_back(s);
            }
            return samples;
          }};
}

template <class... Ops>
std::array<OpEntry, sizeof...(Ops)> entries() {
  return {entry<Ops>()...};
}

}  // namespace

std::span<const OpEntry> all_ops() {
  static const auto kOps =
      entries<TokenIds, Given, Embed, LearnedPosition, SinusoidalPosition, Linear, ExpertLinear,
              RmsNorm, LayerNorm, Rope, PositionScale, Attention, LatentAttention,
              CausalConvolution, LogDecay, GatedDeltaRule, Add, Multiply, Scale, Clamp, Softcap,
              Activate, Slice, Concat, Repeat, Rename, Gated, Route, WeightedSum, WeightedCopies,
              ExpertSum, ExpertFfn, CrossEntropy, ScoredMean, LogSumExp, ExpertLoad, MeanSquare,
              ScoreStatistics, RouterBalance, SequenceBalance, Constant, EmbedGrad,
              LearnedPositionGrad, LinearInputGrad, LinearWeightGrad, TokenSum,
              ExpertLinearInputGrad, ExpertLinearWeightGrad, ExpertLinearBiasGrad, RmsNormGrad,
              LayerNormGrad, AttentionGrad, LatentAttentionGrad, CausalConvolutionGrad,
              LogDecayGrad, GatedDeltaRuleGrad, ClampGrad, SoftcapGrad, ActivateGrad, Pad,
              GatedGrad, RouteGrad, ChosenDot, ExpertFfnGrad, CrossEntropyGrad, ScoredMeanGrad,
              LogSumExpGrad, RouterBalanceGrad, SequenceBalanceGrad>();
  return kOps;
}

Op make_op(std::string_view name, const std::vector<Attribute>& attributes) {
  for (const OpEntry& e : all_ops()) {
    if (e.doc->name == name) return e.make(attributes);
  }
  shape_error("no op is called " + std::string(name));
}

Graph parse_graph(std::string_view text) { return parse_graph(text, make_op); }

}  // namespace ashlar
