// Small blueprints that switch every option of the parts, for tests of blueprints and readings.
#pragma once

#include <vector>

#include "blueprint/blueprint.h"

namespace ashlar::testing {

inline std::vector<Block> chain(std::initializer_list<std::vector<Block>> parts) {
  std::vector<Block> all;
  for (const auto& p : parts) all.insert(all.end(), p.begin(), p.end());
  return all;
}

/// Pre-norm, grouped queries, per-head QK norm, tied head.
inline Blueprint qwen_like() {
  Blueprint bp;
  bp.name = "qwen-like";
  bp.embedding = {.vocab = 40, .width = 12};
  bp.blocks = repeat(3, Block{PreNorm{{NormKind::rms, 1e-6}},
                              AttentionPart{.heads = 4,
                                            .kv_heads = 2,
                                            .head_dim = 6,
                                            .qk_norm = QkNorm::per_head,
                                            .rope = RopePart{.theta = 1e6}},
                              DenseFfn{.width = 20}});
  bp.final_norm = Norm{};
  bp.head.tied = true;
  bp.context = 64;
  return bp;
}

/// Layer norms, biases, learned positions, no gate.
inline Blueprint gpt2_like() {
  Blueprint bp;
  bp.name = "gpt2-like";
  bp.embedding = {.vocab = 30, .width = 8, .positions = 32};
  bp.blocks = repeat(
      2, Block{PreNorm{{NormKind::layer, 1e-5}},
               AttentionPart{
                   .heads = 2, .kv_heads = 2, .head_dim = 4, .qkv_bias = true, .output_bias = true},
               DenseFfn{.width = 32, .activation = FfnActivation::gelu, .bias = true}});
  bp.final_norm = Norm{NormKind::layer, 1e-5};
  bp.head.tied = true;
  return bp;
}

/// Sandwich norms, five windows to one global layer, two thetas, scaled embedding.
inline Blueprint gemma_like(int64_t layers = 14) {
  Blueprint bp;
  bp.name = "gemma-like";
  bp.embedding = {.vocab = 50, .width = 8, .scale = 2.828125};
  for (int64_t i = 0; i < layers; ++i) {
    const bool global = i % 6 == 5;
    bp.blocks.push_back({Sandwich{{NormKind::rms, 1e-6}},
                         AttentionPart{.heads = 4,
                                       .kv_heads = 1,
                                       .head_dim = 4,
                                       .scale = 0.5,
                                       .qk_norm = QkNorm::per_head,
                                       .rope = global ? RopePart{.theta = 1e6,
                                                                 .scaling = RotationScaling::linear,
                                                                 .factor = 8}
                                                      : RopePart{.theta = 1e4},
                                       .window = global ? 0 : 5},
                         DenseFfn{.width = 16, .activation = FfnActivation::geglu}});
  }
  bp.final_norm = Norm{};
  bp.head.tied = true;
  return bp;
}

/// Latent attention, a dense first layer, experts with groups, correction bias and a shared expert,
/// one multi-token prediction layer.
inline Blueprint deepseek_like(bool compressed_query = true) {
  Blueprint bp;
  bp.name = "deepseek-like";
  bp.embedding = {.vocab = 40, .width = 12};
  LatentAttentionPart mla{.heads = 3,
                          .query_rank = compressed_query ? 7 : 0,
                          .latent = 6,
                          .qk_nope = 4,
                          .qk_rope = 2,
                          .value_dim = 5,
                          .bias = !compressed_query};
  mla.rope = {.theta = 1e4,
              .layout = RotationLayout::interleaved,
              .scaling = RotationScaling::yarn,
              .factor = 4,
              .original_context = 16};
  const ExpertFfnPart experts{.experts = 8,
                              .top_k = 2,
                              .width = 5,
                              .router = {.score = RouteScore::sigmoid,
                                         .normalize = true,
                                         .scale = 2.5,
                                         .groups = 4,
                                         .keep_groups = 2,
                                         .correction_bias = true},
                              .shared = 5};
  const Wiring pre = PreNorm{{NormKind::rms, 1e-6}};
  bp.blocks =
      chain({{Block{pre, mla, DenseFfn{.width = 18}}}, repeat(2, Block{pre, mla, experts})});
  bp.mtp = {Block{pre, mla, experts}};
  bp.final_norm = Norm{};
  return bp;
}

/// Chunks, layers without RoPE with tempered queries, weighed expert inputs, dense every second.
inline Blueprint llama4_like() {
  Blueprint bp;
  bp.name = "llama4-like";
  bp.embedding = {.vocab = 40, .width = 12};
  for (int64_t i = 0; i < 8; ++i) {
    AttentionPart a{.heads = 4, .kv_heads = 2, .head_dim = 4};
    if (i % 4 == 3) {
      a.temperature = Temperature{.scale = 0.1, .length = 4};
    } else {
      a.qk_norm = QkNorm::after_rope;
      a.rope = RopePart{.theta = 5e5, .layout = RotationLayout::interleaved};
      a.chunk = 4;
    }
    Ffn ffn = DenseFfn{.width = 14};
    if (i % 2 == 1)
      ffn = ExpertFfnPart{.experts = 4,
                          .top_k = 1,
                          .width = 6,
                          .weigh_input = true,
                          .router = {.score = RouteScore::sigmoid},
                          .shared = 6};
    bp.blocks.push_back({PreNorm{{NormKind::rms, 1e-5}}, a, ffn});
  }
  bp.final_norm = Norm{NormKind::rms, 1e-5};
  return bp;
}

/// Sinks, alternating windows, biases everywhere, clamped experts.
inline Blueprint oss_like() {
  Blueprint bp;
  bp.name = "oss-like";
  bp.embedding = {.vocab = 40, .width = 12};
  for (int64_t i = 0; i < 4; ++i) {
    bp.blocks.push_back(
        {PreNorm{{NormKind::rms, 1e-5}},
         AttentionPart{.heads = 4,
                       .kv_heads = 2,
                       .head_dim = 4,
                       .qkv_bias = true,
                       .output_bias = true,
                       .rope = RopePart{.theta = 15e4,
                                        .scaling = RotationScaling::yarn,
                                        .factor = 32,
                                        .original_context = 64,
                                        .truncate = false,
                                        .attention_factor = 1.3466},
                       .window = i % 2 == 0 ? 3 : 0,
                       .sinks = true},
         ExpertFfnPart{.experts = 8,
                       .top_k = 3,
                       .width = 12,
                       .activation = FfnActivation::clamped_swiglu,
                       .bias = true,
                       .router = {.score = RouteScore::softmax_selected, .bias = true}}});
  }
  bp.final_norm = Norm{NormKind::rms, 1e-5};
  return bp;
}

/// Norms inside the residual, QK norm over the whole projection.
inline Blueprint olmo_like() {
  Blueprint bp = qwen_like();
  bp.name = "olmo-like";
  for (Block& b : bp.blocks) {
    b.wiring = InnerPostNorm{{NormKind::rms, 1e-6}};
    std::get<AttentionPart>(b.mixer).qk_norm = QkNorm::projection;
  }
  bp.head.tied = false;
  return bp;
}

/// Softcaps, experts beside a dense feed-forward, multipliers.
inline Blueprint grok_like() {
  Blueprint bp;
  bp.name = "grok-like";
  bp.embedding = {.vocab = 40, .width = 12, .scale = 3};
  bp.blocks = repeat(2, Block{Sandwich{{NormKind::rms, 1e-5}},
                              AttentionPart{.heads = 4,
                                            .kv_heads = 2,
                                            .head_dim = 4,
                                            .rope = RopePart{},
                                            .softcap = 30,
                                            .log_length = 4},
                              ExpertFfnPart{.experts = 4,
                                            .top_k = 2,
                                            .width = 6,
                                            .activation = FfnActivation::geglu,
                                            .router = {.softcap = 30},
                                            .parallel = 10,
                                            .output_scale = 0.70703125}});
  bp.final_norm = Norm{NormKind::rms, 1e-5};
  bp.head.scale = 0.5;
  bp.head.softcap = 50;
  return bp;
}

/// The 2017 decoder.
inline Blueprint transformer_like() {
  Blueprint bp;
  bp.name = "transformer-like";
  bp.embedding = {.vocab = 30, .width = 8, .scale = 2.83, .sinusoidal = true};
  bp.blocks =
      repeat(2, Block{PostNorm{{NormKind::layer, 1e-5}},
                      AttentionPart{.heads = 2, .kv_heads = 2, .head_dim = 4},
                      DenseFfn{.width = 16, .activation = FfnActivation::relu, .bias = true}});
  bp.head.tied = true;
  bp.head.bias = true;
  return bp;
}

/// Mixer and feed-forward side by side under one norm without bias; windows rotate, the layer that
/// sees everything does not.
inline Blueprint cohere_like() {
  Blueprint bp;
  bp.name = "cohere-like";
  const Norm norm{NormKind::layer, 1e-5, false};
  bp.embedding = {.vocab = 40, .width = 12};
  for (int64_t i = 0; i < 4; ++i) {
    AttentionPart a{.heads = 4, .kv_heads = 2, .head_dim = 4};
    if (i < 3) {
      a.window = 5;
      a.rope = RopePart{.theta = 5e4, .layout = RotationLayout::interleaved};
    }
    bp.blocks.push_back({Parallel{norm}, a, DenseFfn{.width = 20}});
  }
  bp.final_norm = norm;
  bp.head.tied = true;
  bp.head.scale = 0.25;
  return bp;
}

/// Gated delta nets, of which two value heads share a key head; every third layer attends, with a
/// gated output and partial rotation; experts beside a gated shared one.
inline Blueprint qwen_next_like() {
  Blueprint bp;
  bp.name = "qwen-next-like";
  bp.embedding = {.vocab = 40, .width = 12};
  for (int64_t i = 0; i < 6; ++i) {
    Block b{PreNorm{{NormKind::rms, 1e-6}},
            GatedDeltaNetPart{
                .key_heads = 2, .value_heads = 4, .key_dim = 4, .value_dim = 6, .conv_width = 3},
            ExpertFfnPart{.experts = 8,
                          .top_k = 3,
                          .width = 5,
                          .router = {.normalize = true},
                          .shared = 7,
                          .shared_gate = true}};
    if (i % 3 == 2) {
      b.mixer = AttentionPart{.heads = 4,
                              .kv_heads = 2,
                              .head_dim = 8,
                              .output_gate = true,
                              .qk_norm = QkNorm::per_head,
                              .rope = RopePart{.theta = 1e7, .dim = 4}};
    }
    bp.blocks.push_back(std::move(b));
  }
  bp.final_norm = Norm{};
  return bp;
}

inline std::vector<Blueprint> sample_blueprints() {
  return {qwen_like(),   gpt2_like(),   gemma_like(),         deepseek_like(),
          llama4_like(), oss_like(),    deepseek_like(false), olmo_like(),
          grok_like(),   cohere_like(), transformer_like(),   qwen_next_like()};
}

}  // namespace ashlar::testing
