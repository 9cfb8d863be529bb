// Fields to blocks.
#include <cmath>

#include "families/decoder.h"

namespace ashlar {

Norm rms(double eps) { return {NormKind::rms, eps}; }
Norm layer_norm(double eps, bool bias) { return {NormKind::layer, eps, bias}; }
double square_root(double x) { return std::sqrt(x); }

namespace {

FfnActivation activation_of(const Fields& f) {
  if (f.activation == "gelu_pytorch_tanh") return FfnActivation::geglu;
  if (f.activation == "gelu") return FfnActivation::geglu_exact;
  if (f.activation == "clamped") return FfnActivation::clamped_swiglu;
  if (f.activation == "relu") return FfnActivation::relu;
  return FfnActivation::swiglu;
}

}  // namespace

Blueprint decoder(const Fields& f, const Family& family) {
  Blueprint bp;
  bp.family = family.name;
  bp.embedding = {
      .vocab = f.vocab, .width = f.d_model, .scale = f.embedding_scale, .positions = f.positions};
  for (int64_t i = 0; i < f.layers; ++i) bp.blocks.push_back(family.block(f, i));
  for (int64_t i = 0; i < f.mtp_layers; ++i) bp.mtp.push_back(family.block(f, f.layers + i));
  bp.final_norm = std::visit([](const auto& w) { return w.norm; }, bp.blocks[0].wiring);
  bp.head = {
      .tied = f.tied, .bias = f.head_bias, .scale = f.logit_scale, .softcap = f.logit_softcap};
  bp.context = f.context;
  return bp;
}

AttentionPart grouped_attention(const Fields& f, int64_t layer, QkNorm norm) {
  AttentionPart a{.heads = f.heads,
                  .kv_heads = f.kv_heads,
                  .head_dim = f.head_dim,
                  .qkv_bias = f.qkv_bias,
                  .output_bias = f.output_bias,
                  .output_gate = f.attention.output_gate,
                  .qk_norm = f.qk_norm ? norm : QkNorm::none,
                  .softcap = f.attention.softcap,
                  .log_length = f.attention.log_length};
  if (a.qk_norm != QkNorm::none) a.qk_norm_eps = f.eps;
  const auto fallback = static_cast<double>(f.head_dim);
  if (f.attention.query_scalar != 0 && f.attention.query_scalar != fallback)
    a.scale = 1 / std::sqrt(f.attention.query_scalar);
  if (f.attention.scale_by_layer && layer > 0)
    a.scale = 1 / std::sqrt(f.attention.query_scalar != 0 ? f.attention.query_scalar : fallback) /
              static_cast<double>(layer + 1);
  if (f.sliding(layer)) a.window = f.window.size;
  if (f.chunked(layer)) a.chunk = f.window.chunk;
  if (f.rotates(layer) && f.rope.theta != 0) {
    const bool local = f.sliding(layer) && f.local_rope.theta != 0;
    a.rope = rope_part(local ? f.local_rope : f.rope, f, f.head_dim);
  }
  return a;
}

LatentAttentionPart latent_attention(const Fields& f) {
  return {.heads = f.heads,
          .query_rank = f.latent.query_rank,
          .latent = f.latent.rank,
          .qk_nope = f.latent.qk_nope,
          .qk_rope = f.latent.qk_rope,
          .value_dim = f.latent.value_dim,
          .scale = latent_scale(f.rope, f),
          .bias = f.qkv_bias,
          .rope = rope_part(f.rope, f, f.latent.qk_rope)};
}

GatedDeltaNetPart gated_delta_net(const Fields& f) {
  return {.key_heads = f.delta.key_heads,
          .value_heads = f.delta.value_heads,
          .key_dim = f.delta.key_dim,
          .value_dim = f.delta.value_dim,
          .conv_width = f.delta.conv_width,
          .norm_eps = f.eps};
}

DenseFfn dense(const Fields& f) {
  return {.width = f.ffn, .activation = activation_of(f), .bias = f.ffn_bias};
}

DenseFfn without_gate(DenseFfn ffn) {
  if (ffn.activation == FfnActivation::geglu) ffn.activation = FfnActivation::gelu;
  if (ffn.activation == FfnActivation::geglu_exact) ffn.activation = FfnActivation::gelu_exact;
  return ffn;
}

ExpertFfnPart experts(const Fields& f) {
  ExpertFfnPart e{.experts = f.experts.count,
                  .top_k = f.experts.top_k,
                  .width = f.experts.width,
                  .activation = activation_of(f),
                  .router = {.score = enum_named<RouteScore>(f.experts.scoring).value(),
                             .normalize = f.experts.normalize,
                             .scale = f.experts.scale,
                             .softcap = f.experts.softcap,
                             .jitter = f.experts.jitter,
                             .groups = f.experts.groups,
                             .keep_groups = f.experts.keep_groups,
                             .correction_bias = f.experts.correction},
                  .shared = f.experts.shared_width > 0 ? f.experts.shared_width
                                                       : f.experts.shared * f.experts.width,
                  .shared_bias = f.experts.shared_bias};
  if (f.experts.choice == "group_limited_greedy" && f.experts.groups > 1)
    e.router.group_score = GroupScore::max;
  if (e.activation == FfnActivation::clamped_swiglu) {
    e.alpha = f.clamp.alpha;
    e.limit = f.clamp.limit;
  }
  return e;
}

Ffn feed_forward(const Fields& f, int64_t layer) {
  if (f.has_experts(layer)) return experts(f);
  return dense(f);
}

Block pre_norm_block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps), f.residual_scale}, grouped_attention(f, layer),
          feed_forward(f, layer)};
}

Block sandwich_block(const Fields& f, int64_t layer) {
  return {Sandwich{rms(f.eps)}, grouped_attention(f, layer), dense(f)};
}

}  // namespace ashlar
