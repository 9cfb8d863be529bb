// Qwen3.5 and Qwen3.6 mixtures of experts, text towers: Qwen3.5's layers with many small experts
// beside a gated shared one.
#include "families/decoder.h"

namespace ashlar::qwen3_5_moe {

void visit(FieldVisitor& v, Fields& f) {
  visit_hybrid(v, f, {40, 2048, 248320, 32768, 16, 2, 0}, true);
  visit_experts(v, f, {.experts = 256, .top_k = 8, .width = 512});
  v(f.experts.shared, "shared_expert_intermediate_size", "expert_shared_feed_forward_length", 512);
  f.experts.router.normalize = f.experts.shared_gate = true;
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps)}, mixer(f, layer), experts(f)};
}

void names(Names& n, const Fields& f) {
  hybrid_names(n, f, true);
  expert_names(n);
  gated_shared_names(n);
  // Stacked as published; one tensor per expert as Transformers writes them.
  const Source both = "model.layers.{i}.mlp.experts.gate_up_proj";
  const auto stack = [&](const std::string& name, const Source& stacked) {
    const std::string canonical = "layers.{i}.ffn.experts." + name;
    const Name apart = n.all().at(canonical);
    n.add(canonical, {stacked, apart.config[0]}, apart.gguf);
  };
  stack("gate", rows(both, 2 * f.experts.width, 0, f.experts.width));
  stack("up", rows(both, 2 * f.experts.width, f.experts.width, f.experts.width));
  stack("down", "model.layers.{i}.mlp.experts.down_proj");
}

}  // namespace ashlar::qwen3_5_moe

const ashlar::Family ashlar::kQwen35Moe{
    .name = "qwen3_5_moe",
    .model_types = {"qwen3_5_moe_text", "qwen3_5_moe"},
    .architectures = {"Qwen3_5MoeForCausalLM", "Qwen3_5MoeForConditionalGeneration"},
    .gguf = "qwen35moe",
    .pre = "qwen35",
    .visit = qwen3_5_moe::visit,
    .block = qwen3_5_moe::block,
    .names = qwen3_5_moe::names};
