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

Mixer mixer(const Fields& f, int64_t layer) {
  if (f.latent.latent > 0) {
    LatentAttentionPart part = f.latent;
    part.heads = f.heads;
    part.scale = latent_scale(f.rope, f);
    part.bias = f.qkv_bias;
    part.rope = rope_part(f.rope, f, part.qk_rope);
    return part;
  }
  if (!f.linear(layer)) return grouped_attention(f, layer);
  GatedDeltaNetPart part = f.delta;
  part.norm_eps = f.eps;
  return part;
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
  ExpertFfnPart e = f.experts;
  e.activation = activation_of(f);
  e.router.score = enum_named<RouteScore>(f.experts.scoring).value();
  if (e.shared == 0) e.shared = f.experts.shared_count * e.width;
  if (f.experts.choice == "group_limited_greedy" && e.router.groups > 1)
    e.router.group_score = GroupScore::max;
  return e;
}

Ffn feed_forward(const Fields& f, int64_t layer) {
  if (f.has_experts(layer)) return experts(f);
  return dense(f);
}

Block pre_norm_block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps), f.residual_scale}, mixer(f, layer), feed_forward(f, layer)};
}

Block sandwich_block(const Fields& f, int64_t layer) {
  return {Sandwich{rms(f.eps)}, grouped_attention(f, layer), dense(f)};
}

}  // namespace ashlar
