// Qwen1.5-MoE and Qwen2-57B-A14B: Qwen2's attention, experts whose weights need not sum to 1, and a
// shared expert behind a gate.
#include <algorithm>

#include "families/decoder.h"

namespace ashlar::qwen2_moe {

// Qwen2-MoE's: of the first max_window_layers, every second slides.
void visit_qwen2_moe_windows(FieldVisitor& v, Fields& f) {
  visit_window(v, f);
  visit_layer_types(v, f);
  v(f.window.full_layers, "max_window_layers", "", 28, 0);
  if (!v.reading() || v.gguf() || f.window.size == 0 || !f.layer_types.empty()) return;
  // Every second of the first max_window_layers, the first of all among them.
  for (int64_t i = 0; i < std::min<int64_t>(f.layers, 4096); ++i)
    f.layer_types.emplace_back(i % 2 == 0 && i < f.window.full_layers ? "sliding_attention"
                                                                      : "full_attention");
}

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {24, 2048, 151936, 32768, 16, 16, 5632}, false, 1e-6);
  visit_rope(v, f.rope, f, 10000);
  v(f.qkv_bias, "qkv_bias", "?blk.0.attn_q.bias", true);
  visit_qwen2_moe_windows(v, f);
  visit_experts(v, f, {.experts = 60, .top_k = 4, .width = 1408}, false);
  v(f.experts.shared, "shared_expert_intermediate_size", "expert_shared_feed_forward_length", 5632,
    f.ffn);
  f.experts.shared_gate = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  expert_names(n);
  gated_shared_names(n);
}

}  // namespace ashlar::qwen2_moe

const ashlar::Family ashlar::kQwen2Moe{.name = "qwen2_moe",
                                       .architectures = {"Qwen2MoeForCausalLM"},
                                       .gguf = "qwen2moe",
                                       .pre = "qwen2",
                                       .visit = qwen2_moe::visit,

                                       .names = qwen2_moe::names};
