// Qwen3-Next: three of four layers are gated delta nets, the fourth attends with a gated output;
// many small experts beside a gated shared one. Checkpoints keep norms as w - 1, and the delta
// net's projections key head by key head in two tensors.
#include "families/decoder.h"

namespace ashlar::qwen3_next {

void visit(FieldVisitor& v, Fields& f) {
  visit_hybrid(v, f, {48, 2048, 151936, 32768, 16, 2, 5632}, false);
  visit_experts(v, f, {.experts = 512, .top_k = 10, .width = 512});
  if (v.reading() && !v.gguf()) v(f.experts.router.normalize, "norm_topk_prob", "", true);
  v(f.experts.shared, "shared_expert_intermediate_size", "expert_shared_feed_forward_length", 512);
  f.experts.shared_gate = true;
}

void names(Names& n, const Fields& f) {
  hybrid_names(n, f, false);
  expert_names(n);
  gated_shared_names(n);
  // Per key head: q, k, its value heads' v and gates; its value heads' betas and alphas.
  const int64_t key = f.delta.key_dim,
                each = f.delta.key_heads > 0 ? f.delta.value_heads / f.delta.key_heads : 0,
                value = each * f.delta.value_dim, all = 2 * key + 2 * value;
  const std::string config = "model.layers.{i}.linear_attn.";
  const Source qkvz = config + "in_proj_qkvz.weight", ba = config + "in_proj_ba.weight";
  const Source fused = "blk.{i}.ssm_in.weight", gguf_ba = "blk.{i}.ssm_ba.weight";
  const auto place = [&](const std::string& name, int64_t begin, int64_t count) {
    const std::string canonical = "layers.{i}.linear_attn." + name;
    std::vector<Source> gguf = n.all().at(canonical).gguf;
    gguf.push_back(rows(fused, all, begin, count));  // files of the first converters
    n.add(canonical, {rows(qkvz, all, begin, count)}, gguf);
  };
  place("q", 0, key);
  place("k", key, key);
  place("v", 2 * key, value);
  place("gate", 2 * key + value, value);
  const std::string layer = "layers.{i}.linear_attn.";
  n.add(layer + "beta", {rows(ba, 2 * each, 0, each)}, {rows(gguf_ba, 2 * each, 0, each)});
  n.add(layer + "alpha", {rows(ba, 2 * each, each, each)}, {rows(gguf_ba, 2 * each, each, each)});
}

}  // namespace ashlar::qwen3_next

const ashlar::Family ashlar::kQwen3Next{.name = "qwen3_next",
                                        .architectures = {"Qwen3NextForCausalLM"},
                                        .gguf = "qwen3next",
                                        .pre = "qwen2",
                                        .visit = qwen3_next::visit,

                                        .names = qwen3_next::names};
