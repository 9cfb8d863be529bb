// The op list and the samples that generate its tests.
#include "ops/all.h"

#include <array>

#include "graph/attributes.h"

namespace ashlar {
namespace {

Type value(Axes axes) {
  axes.insert(axes.begin(), tokens_axis());
  return {Kind::real, std::move(axes)};
}
Type index(Axes axes) {
  axes.insert(axes.begin(), tokens_axis());
  return {Kind::index, std::move(axes)};
}
Type param(Axes axes) { return {Kind::real, std::move(axes)}; }

const Axis kD{"d_model", 6}, kHeads{"kv_heads", 2}, kGroup{"group", 3}, kDim{"head_dim", 4},
    kExperts{"experts", 8};
const Axis kChosen{"chosen", 2}, kFfn{"ffn", 5}, kValueDim{"value_dim", 3};

std::vector<OpSample> samples_of(TokenIds*) {
  return {{TokenIds{}, {}}, {TokenIds{.ahead = 1}, {}}};
}
std::vector<OpSample> samples_of(Given*) { return {{Given{.name = "hidden", .size = 6}, {}}}; }
std::vector<OpSample> samples_of(Embed*) {
  return {{Embed{}, {index({}), param({{"vocab", 16}, kD})}}};
}
std::vector<OpSample> samples_of(LearnedPosition*) {
  return {{LearnedPosition{}, {param({{"positions", 32}, kD})}}};
}
std::vector<OpSample> samples_of(SinusoidalPosition*) {
  return {{SinusoidalPosition{.d_model = 6}, {}}};
}
std::vector<OpSample> samples_of(Linear*) {
  return {{Linear{}, {value({kD}), param({kHeads, kGroup, kDim, kD})}},
          {Linear{.in_axes = 3},
           {value({kHeads, kGroup, kDim}), param({kD, kHeads, kGroup, kDim}), param({kD})}}};
}
std::vector<OpSample> samples_of(ExpertLinear*) {
  return {{ExpertLinear{}, {value({kD}), index({kChosen}), param({kExperts, kFfn, kD})}},
          {ExpertLinear{},
           {value({kChosen, kD}), index({kChosen}), param({kExperts, kFfn, kD}),
            param({kExperts, kFfn})}}};
}
std::vector<OpSample> samples_of(RmsNorm*) {
  return {{RmsNorm{}, {value({kD}), param({kD})}},
          {RmsNorm{.eps = 1e-5}, {value({kHeads, kDim})}},
          {RmsNorm{.axes = 2}, {value({kHeads, kDim}), param({kHeads, kDim})}}};
}
std::vector<OpSample> samples_of(LayerNorm*) {
  return {{LayerNorm{}, {value({kD}), param({kD}), param({kD})}},
          {LayerNorm{.eps = 1e-3}, {value({kD}), param({kD})}}};
}
std::vector<OpSample> samples_of(Rope*) {
  return {{Rope{.dim = 4}, {value({kHeads, kDim})}},
          {Rope{.dim = 4,
                .layout = RotationLayout::interleaved,
                .scaling = RotationScaling::linear,
                .factor = 8},
           {value({kHeads, kDim})}},
          {Rope{.dim = 2, .scaling = RotationScaling::llama3, .factor = 8, .original_context = 16},
           {value({kHeads, kDim})}},
          {Rope{.dim = 4,
                .scaling = RotationScaling::yarn,
                .factor = 4,
                .original_context = 64,
                .attention_factor = 1.2},
           {value({kHeads, kDim})}},
          {Rope{.dim = 4, .scaling = RotationScaling::divisors, .divisors = {1, 2.5}},
           {value({kHeads, kDim})}},
          {Rope{.dim = 4,
                .scaling = RotationScaling::longrope,
                .original_context = 4,
                .attention_factor = 1.1,
                .divisors = {1, 1.5},
                .long_divisors = {2, 5}},
           {value({kHeads, kDim})}},
          {Rope{.dim = 4,
                .scaling = RotationScaling::yarn,
                .factor = 4,
                .original_context = 64,
                .attention_factor = 1.2,
                .inverse = true},
           {value({kHeads, kDim})}}};
}
std::vector<OpSample> samples_of(PositionScale*) {
  return {{PositionScale{.length = 3}, {value({kHeads, kDim})}}};
}
std::vector<OpSample> samples_of(Attention*) {
  const std::vector<Type> qkv{value({kHeads, kGroup, kDim}), value({kHeads, kDim}),
                              value({kHeads, kValueDim})};
  std::vector<Type> with_sinks = qkv;
  with_sinks.push_back(param({kHeads, kGroup}));
  return {{Attention{.scale = 0.5}, qkv},
          {Attention{.scale = 0.7, .softcap = 3, .window = 3}, qkv},
          {Attention{.scale = 0.7, .chunk = 4}, qkv},
          {Attention{.scale = 0.5, .softcap = 2, .log_length = 4}, qkv},
          {Attention{.scale = 0.5, .window = 2}, with_sinks}};
}
std::vector<OpSample> samples_of(LatentAttention*) {
  const Axis heads{"heads", 2}, nope{"qk_nope", 4}, rope{"qk_rope", 2}, latent{"latent", 5};
  return {{LatentAttention{.scale = 0.4},
           {value({heads, nope}), value({heads, rope}), value({latent}), value({rope}),
            param({heads, nope, latent}), param({heads, kValueDim, latent})}}};
}
std::vector<OpSample> samples_of(CausalConvolution*) {
  const Axis width{"width", 3};
  return {{CausalConvolution{}, {value({kHeads, kDim}), param({kHeads, kDim, width})}},
          {CausalConvolution{}, {value({kD}), param({kD, width}), param({kD})}},
          {CausalConvolution{}, {value({kD}), param({kD, {"width", 1}})}}};
}
std::vector<OpSample> samples_of(LogDecay*) {
  return {{LogDecay{}, {value({kHeads, kGroup}), param({kHeads, kGroup}), param({kHeads, kGroup})}},
          {LogDecay{}, {value({kHeads, kDim}), param({kHeads}), param({kHeads, kDim})}}};
}
std::vector<OpSample> samples_of(GatedDeltaRule*) {
  const Type qk = value({kHeads, kDim}), v = value({kHeads, kGroup, kValueDim});
  const Type head = value({kHeads, kGroup}), channel = value({kHeads, kGroup, kDim});
  return {{GatedDeltaRule{.scale = 0.5}, {qk, qk, v, head, head}},
          {GatedDeltaRule{}, {qk, qk, v, channel, head}}};
}
std::vector<OpSample> samples_of(Add*) {
  return {{Add{}, {value({kD}), value({kD})}}, {Add{}, {value({kHeads, kD}), param({kD})}}};
}
std::vector<OpSample> samples_of(Multiply*) {
  return {{Multiply{}, {value({kD}), value({kD})}},
          {Multiply{}, {value({kHeads, kD}), param({kD})}}};
}
std::vector<OpSample> samples_of(Scale*) {
  return {{Scale{.factor = 2.5}, {value({kD})}},
          {Scale{.factor = -1.5, .shift = 0.25}, {value({kD})}}};
}
std::vector<OpSample> samples_of(Clamp*) {
  return {{Clamp{.low = -0.5, .high = 0.4}, {value({kD})}}, {Clamp{.high = 0.1}, {value({kD})}}};
}
std::vector<OpSample> samples_of(Softcap*) { return {{Softcap{.cap = 0.8}, {value({kD})}}}; }
std::vector<OpSample> samples_of(Activate*) {
  std::vector<OpSample> s;
  for (const auto kind : {ActivationKind::gelu_tanh, ActivationKind::silu, ActivationKind::sigmoid,
                          ActivationKind::relu, ActivationKind::gelu})
    s.push_back({Activate{.kind = kind}, {value({kD})}});
  return s;
}
std::vector<OpSample> samples_of(Slice*) {
  return {{Slice{.begin = 2, .axis = "part", .size = 3}, {value({kHeads, kD})}}};
}
std::vector<OpSample> samples_of(Concat*) {
  return {{Concat{.axis = "both"}, {value({kHeads, kD}), value({kHeads, kDim})}}};
}
std::vector<OpSample> samples_of(Repeat*) {
  return {{Repeat{.axis = "heads", .count = 3}, {value({kD})}}};
}
std::vector<OpSample> samples_of(Rename*) {
  return {{Rename{.axes = "a=2;group=1;b=6"}, {value({kHeads, kD})}}};
}
std::vector<OpSample> samples_of(Gated*) {
  std::vector<OpSample> s;
  for (const auto kind : {GateKind::silu, GateKind::gelu_tanh, GateKind::clamped})
    s.push_back({Gated{.kind = kind, .limit = 0.6}, {value({kFfn}), value({kFfn})}});
  return s;
}
std::vector<OpSample> samples_of(Route*) {
  const std::vector<Type> plain{value({kExperts})}, biased{value({kExperts}), param({kExperts})};
  return {
      {Route{.top_k = 2, .normalize = true}, plain},
      {Route{.top_k = 1, .score = RouteScore::sigmoid}, plain},
      {Route{.top_k = 3, .score = RouteScore::softmax_selected}, plain},
      {Route{.top_k = 2, .softcap = 5}, plain},
      {Route{.top_k = 2, .score = RouteScore::sparsemixer, .jitter = 0.3}, plain},
      {Route{
           .top_k = 3, .scale = 16, .groups = 4, .keep_groups = 2, .group_score = GroupScore::max},
       plain},
      {Route{.top_k = 3,
             .score = RouteScore::sigmoid,
             .normalize = true,
             .scale = 2.5,
             .groups = 4,
             .keep_groups = 2},
       biased}};
}
std::vector<OpSample> samples_of(WeightedSum*) {
  return {{WeightedSum{}, {value({kChosen}), value({kChosen, kD})}}};
}
std::vector<OpSample> samples_of(WeightedCopies*) {
  return {{WeightedCopies{}, {value({kChosen}), value({kD})}}};
}
std::vector<OpSample> samples_of(ExpertSum*) {
  return {{ExpertSum{}, {value({kChosen, kD})}}, {ExpertSum{}, {value({kHeads, kGroup, kDim})}}};
}
std::vector<OpSample> samples_of(ExpertFfn*) {
  const std::vector<Type> plain{value({kD}),
                                value({kChosen}),
                                index({kChosen}),
                                param({kExperts, kFfn, kD}),
                                param({kExperts, kFfn, kD}),
                                param({kExperts, kD, kFfn})};
  std::vector<Type> biased = plain;
  for (const Axes& axes : {Axes{kExperts, kFfn}, Axes{kExperts, kFfn}, Axes{kExperts, kD}})
    biased.push_back(param(axes));
  return {{ExpertFfn{}, plain},
          {ExpertFfn{.kind = GateKind::gelu_tanh, .weigh_input = true}, plain},
          {ExpertFfn{.kind = GateKind::clamped, .limit = 0.5}, biased}};
}

/// Samples of a gradient op that has the attributes of its forward op: the forward samples, with
/// the gradient of the first result put in at `at`.
template <class Forward, class Grad>
std::vector<OpSample> gradient_samples(size_t at) {
  std::vector<OpSample> all;
  for (OpSample& s : samples_of(static_cast<Forward*>(nullptr))) {
    s.inputs.insert(s.inputs.begin() + static_cast<int64_t>(at), s.op.types(s.inputs)[0]);
    all.push_back({Grad{*s.op.template as<Forward>()}, std::move(s.inputs)});
  }
  return all;
}
std::vector<OpSample> samples_of(EmbedGrad*) {
  return {{EmbedGrad{.count = 16}, {index({}), value({kD})}}};
}
std::vector<OpSample> samples_of(LearnedPositionGrad*) {
  return {{LearnedPositionGrad{.count = 32}, {value({kD})}}};
}
std::vector<OpSample> samples_of(Constant*) {
  return {{Constant{.value = 1}, {}}, {Constant{.axes = "a=2;b=3"}, {}}};
}
std::vector<OpSample> samples_of(LinearInputGrad*) {
  return {{LinearInputGrad{}, {value({kHeads, kGroup, kDim}), param({kHeads, kGroup, kDim, kD})}},
          {LinearInputGrad{.in_axes = 3}, {value({kD}), param({kD, kHeads, kGroup, kDim})}}};
}
std::vector<OpSample> samples_of(LinearWeightGrad*) {
  return {{LinearWeightGrad{}, {value({kD}), value({kHeads, kGroup, kDim})}},
          {LinearWeightGrad{}, {value({kHeads, kDim}), value({kD})}}};
}
std::vector<OpSample> samples_of(TokenSum*) {
  return {{TokenSum{}, {value({kHeads, kD})}}, {TokenSum{.axes = 2}, {value({kHeads, kD})}}};
}
std::vector<OpSample> samples_of(ExpertLinearInputGrad*) {
  return {{ExpertLinearInputGrad{},
           {value({kChosen, kFfn}), index({kChosen}), param({kExperts, kFfn, kD})}}};
}
std::vector<OpSample> samples_of(ExpertLinearWeightGrad*) {
  const Type dy = value({kChosen, kFfn});
  return {{ExpertLinearWeightGrad{.count = 8}, {value({kD}), index({kChosen}), dy}},
          {ExpertLinearWeightGrad{.count = 8}, {value({kChosen, kD}), index({kChosen}), dy}}};
}
std::vector<OpSample> samples_of(ExpertLinearBiasGrad*) {
  return {{ExpertLinearBiasGrad{.count = 8}, {index({kChosen}), value({kChosen, kFfn})}}};
}
std::vector<OpSample> samples_of(RmsNormGrad*) {
  return {{RmsNormGrad{}, {value({kD}), value({kD}), param({kD})}},
          {RmsNormGrad{.eps = 1e-5}, {value({kHeads, kDim}), value({kHeads, kDim})}},
          {RmsNormGrad{.axes = 2},
           {value({kHeads, kDim}), value({kHeads, kDim}), param({kHeads, kDim})}}};
}
std::vector<OpSample> samples_of(LayerNormGrad*) {
  return {{LayerNormGrad{}, {value({kD}), value({kD}), param({kD})}}};
}
std::vector<OpSample> samples_of(AttentionGrad*) {
  return gradient_samples<Attention, AttentionGrad>(3);
}
std::vector<OpSample> samples_of(LatentAttentionGrad*) {
  OpSample s = samples_of(static_cast<LatentAttention*>(nullptr))[0];
  s.inputs.push_back(s.op.types(s.inputs)[0]);
  return {{LatentAttentionGrad{.scale = 0.4}, s.inputs}};
}
std::vector<OpSample> samples_of(CausalConvolutionGrad*) {
  const Type x = value({kD});
  return {{CausalConvolutionGrad{}, {x, x, param({kD, {"width", 3}})}}};
}
std::vector<OpSample> samples_of(LogDecayGrad*) {
  std::vector<OpSample> all;
  for (OpSample& s : samples_of(static_cast<LogDecay*>(nullptr))) {
    s.inputs.insert(s.inputs.begin() + 1, s.inputs[0]);
    all.push_back({LogDecayGrad{}, std::move(s.inputs)});
  }
  return all;
}
std::vector<OpSample> samples_of(GatedDeltaRuleGrad*) {
  return gradient_samples<GatedDeltaRule, GatedDeltaRuleGrad>(5);
}
std::vector<OpSample> samples_of(ClampGrad*) {
  return {{ClampGrad{.low = -0.5, .high = 0.4}, {value({kD}), value({kD})}}};
}
std::vector<OpSample> samples_of(SoftcapGrad*) {
  return {{SoftcapGrad{.cap = 0.8}, {value({kD}), value({kD})}}};
}
std::vector<OpSample> samples_of(ActivateGrad*) {
  std::vector<OpSample> s;
  for (const auto kind : {ActivationKind::gelu_tanh, ActivationKind::silu, ActivationKind::sigmoid,
                          ActivationKind::relu, ActivationKind::gelu})
    s.push_back({ActivateGrad{.kind = kind}, {value({kD}), value({kD})}});
  return s;
}
std::vector<OpSample> samples_of(Pad*) {
  return {{Pad{.begin = 2, .axis = "whole", .size = 9}, {value({kHeads, kD})}}};
}
std::vector<OpSample> samples_of(GatedGrad*) { return gradient_samples<Gated, GatedGrad>(2); }
std::vector<OpSample> samples_of(RouteGrad*) {
  std::vector<OpSample> all;
  for (const OpSample& s : samples_of(static_cast<Route*>(nullptr))) {
    const std::vector<Type> made = s.op.types(s.inputs);
    all.push_back({RouteGrad{*s.op.as<Route>()}, {s.inputs[0], made[1], made[0]}});
  }
  return all;
}
std::vector<OpSample> samples_of(ChosenDot*) {
  return {{ChosenDot{}, {value({kChosen, kD}), value({kD})}}};
}
std::vector<OpSample> samples_of(ExpertFfnGrad*) {
  return gradient_samples<ExpertFfn, ExpertFfnGrad>(1);
}
std::vector<OpSample> samples_of(CrossEntropy*) {
  return {{CrossEntropy{}, {value({{"vocab", 8}}), index({})}},
          {CrossEntropy{.ahead = 2}, {value({{"vocab", 8}}), index({})}}};
}
std::vector<OpSample> samples_of(CrossEntropyGrad*) {
  return {{CrossEntropyGrad{}, {value({{"vocab", 8}}), index({}), value({})}},
          {CrossEntropyGrad{.ahead = 2}, {value({{"vocab", 8}}), index({}), value({})}}};
}
std::vector<OpSample> samples_of(ScoredMean*) {
  return {{ScoredMean{}, {value({})}},
          {ScoredMean{.all = true}, {value({})}},
          {ScoredMean{.ahead = 2}, {value({})}}};
}
std::vector<OpSample> samples_of(ScoredMeanGrad*) {
  return {{ScoredMeanGrad{}, {param({})}},
          {ScoredMeanGrad{.all = true}, {param({})}},
          {ScoredMeanGrad{.ahead = 2}, {param({})}}};
}
std::vector<OpSample> samples_of(LogSumExp*) { return {{LogSumExp{}, {value({{"vocab", 8}})}}}; }
std::vector<OpSample> samples_of(LogSumExpGrad*) {
  return {{LogSumExpGrad{}, {value({{"vocab", 8}}), value({})}}};
}
std::vector<OpSample> samples_of(ExpertLoad*) {
  return {{ExpertLoad{.experts = 8}, {index({kChosen})}}};
}
std::vector<OpSample> samples_of(RouterBalance*) {
  return {{RouterBalance{}, {value({kExperts}), param({kExperts})}},
          {RouterBalance{.sigmoid = true}, {value({kExperts}), param({kExperts})}}};
}
std::vector<OpSample> samples_of(RouterBalanceGrad*) {
  return {{RouterBalanceGrad{}, {value({kExperts}), param({kExperts}), param({})}},
          {RouterBalanceGrad{.sigmoid = true}, {value({kExperts}), param({kExperts}), param({})}}};
}
std::vector<OpSample> samples_of(SequenceBalance*) {
  return {{SequenceBalance{}, {value({kExperts}), index({kChosen})}},
          {SequenceBalance{.sigmoid = true}, {value({kExperts}), index({kChosen})}}};
}
std::vector<OpSample> samples_of(SequenceBalanceGrad*) {
  return {{SequenceBalanceGrad{}, {value({kExperts}), index({kChosen}), param({})}},
          {SequenceBalanceGrad{.sigmoid = true}, {value({kExperts}), index({kChosen}), param({})}}};
}

std::vector<OpSample> samples_of(MeanSquare*) { return {{MeanSquare{}, {value({kHeads, kDim})}}}; }
std::vector<OpSample> samples_of(ScoreStatistics*) {
  std::vector<OpSample> all;
  for (const OpSample& s : samples_of(static_cast<Attention*>(nullptr))) {
    std::vector<Type> inputs{s.inputs[0], s.inputs[1]};
    if (s.inputs.size() == 4) inputs.push_back(s.inputs[3]);
    all.push_back({ScoreStatistics{*s.op.as<Attention>()}, inputs});
  }
  return all;
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
          [] { return samples_of(static_cast<T*>(nullptr)); }};
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
