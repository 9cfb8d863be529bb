// Mixtral 8x7B and 8x22B: Mistral's block with a mixture of experts on every layer, the weights of
// the chosen ones summing to 1.
#include "families/decoder.h"

namespace ashlar::mixtral {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {32, 4096, 32000, 131072, 32, 8, 14336}, false, 1e-5);
  visit_rope(v, f.rope, f, 1e6);
  v.nullable(f.window.size, "sliding_window", "attention.sliding_window", 0);
  v(f.experts.experts, "num_local_experts|num_experts", "expert_count", 8);
  v(f.experts.top_k, "num_experts_per_tok", "expert_used_count", 2);
  f.experts.width = f.ffn;
  f.experts.router.normalize = true;
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps)}, grouped_attention(f, layer), experts(f)};
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f, true);
  expert_names(n, "block_sparse_moe.gate", "block_sparse_moe.experts", "w1", "w3", "w2");
}

bool claims(const GgufKeys& keys) {
  return keys.keys.contains("expert_count") && keys.keys["expert_count"] != 0;
}

}  // namespace ashlar::mixtral

const ashlar::Family ashlar::kMixtral{.name = "mixtral",
                                      .architectures = {"MixtralForCausalLM"},
                                      .gguf = "llama",
                                      .claims = mixtral::claims,
                                      .visit = mixtral::visit,
                                      .block = mixtral::block,
                                      .names = mixtral::names};
