// MiniMax-M2: a norm over all query heads at once and over all keys, half of each head rotates;
// experts by sigmoid, chosen with a correction bias, on every layer.
#include "families/decoder.h"

namespace ashlar::minimax_m2 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {62, 3072, 200064, 196608, 48, 8, 1536}, false, 1e-6, 128);
  visit_rotary_dim(v, f);
  visit_rope(v, f.rope, f, 5e6);
  v(f.experts.experts, "num_local_experts|num_experts", "expert_count", 256);
  v(f.experts.top_k, "num_experts_per_tok", "expert_used_count", 8);
  v(f.experts.width, "intermediate_size", "expert_feed_forward_length", f.ffn);
  v.word(f.experts.scoring, "scoring_func", "expert_gating_func", {{"sigmoid", 2}}, "sigmoid");
  // What published configs say beside it, and Transformers implies.
  v.refuse_unless("use_qk_norm", {true});
  v.refuse_unless("qk_norm_type", {"per_layer"});
  v.refuse_unless("use_routing_bias", {true});
  v.refuse_unless("shared_intermediate_size", {0});
  if (f.layers >= 1 && f.layers <= 4096)  // else refused by its own key
    v.refuse_unless("attn_type_list", {std::vector<int64_t>(static_cast<size_t>(f.layers), 1)});
  f.experts.router.normalize = f.experts.router.correction_bias = true;
  f.qk_norm = true;
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps)}, grouped_attention(f, layer, QkNorm::projection), experts(f)};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
  expert_names(n, "block_sparse_moe.gate", "block_sparse_moe.experts", "w1", "w3", "w2");
  correction_name(n, "model.layers.{i}.block_sparse_moe.e_score_correction_bias");
}

}  // namespace ashlar::minimax_m2

const ashlar::Family ashlar::kMiniMaxM2{.name = "minimax_m2",
                                        .architectures = {"MiniMaxM2ForCausalLM"},
                                        .gguf = "minimax-m2",
                                        .pre = "minimax-m2",
                                        .visit = minimax_m2::visit,
                                        .block = minimax_m2::block,
                                        .names = minimax_m2::names};
