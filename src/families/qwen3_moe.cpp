// Qwen3 mixture of experts: Qwen3's attention; the softmax over all experts, of which the best are
// taken and normalised.
#include "families/decoder.h"

namespace ashlar::qwen3_moe {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false, 1e-6);
  visit_rope(v, f.rope, f, 10000);
  visit_attention_bias(v, f);
  visit_window(v, f);
  visit_experts(v, f);
  f.qk_norm = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  qk_norm_names(n);
  expert_names(n);
}

}  // namespace ashlar::qwen3_moe

const ashlar::Family ashlar::kQwen3Moe{.name = "qwen3_moe",
                                       .architectures = {"Qwen3MoeForCausalLM"},
                                       .gguf = "qwen3moe",
                                       .pre = "qwen2",
                                       .visit = qwen3_moe::visit,
                                       .names = qwen3_moe::names};
