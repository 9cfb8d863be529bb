// DeepSeek-V2 and V2-Lite: latent attention, experts by softmax (V2: within the best groups) beside
// shared ones. The scores' scale takes YaRN's mscale squared.
#include "base/error.h"
#include "families/deepseek_v3.h"

namespace ashlar::deepseek_v2 {

// topk_method: plain, or within groups.
void visit_group_choice(FieldVisitor& v, Fields& f) {
  constexpr std::string_view kPlain = "greedy", kGroups = "group_limited_greedy";
  if (v.gguf()) {
    if (v.reading()) f.experts.choice = f.experts.router.groups > 1 ? kGroups : kPlain;
    return;
  }
  v(f.experts.choice, "topk_method", "", std::string(kPlain));
  if (f.experts.choice != kPlain && f.experts.choice != kGroups) {
    fail(ErrorKind::unsupported, "{}: topk_method: expected {} or {}, found {}", v.where(), kPlain,
         kGroups, f.experts.choice);
  }
  if (f.experts.choice == kPlain) f.experts.router.groups = f.experts.router.keep_groups = 1;
}

void visit(FieldVisitor& v, Fields& f) {
  visit_sizes(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_latent_attention(v, f);
  visit_latent_rope(v, f, 10000);
  visit_deepseek_experts(v, f, false);
  visit_group_choice(v, f);
  v(f.qkv_bias, "attention_bias", "?blk.0.attn_output.bias", false);
  v.refuse_unless("mlp_bias", {false});
  f.rotary.interleaved = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  latent_names(n, f);
  expert_names(n);
  dense_names(n, "ffn.shared", "mlp.shared_experts", "_shexp");
}

// Whether the last layer has a bias for the choice of experts.
bool has_correction(const GgufKeys& keys) {
  const auto layers = keys.keys.find("block_count");
  return keys.has_tensor && layers != keys.keys.end() && layers->is_number_integer() &&
         keys.has_tensor(fmt::format("blk.{}.exp_probs_b.bias", layers->get<int64_t>() - 1));
}

// DeepSeek-V3 has the same architecture in GGUF; its routers take sigmoids (2). Files of
// GLM-4.7-Flash do not say so, but have a bias for the choice of experts.
bool claims(const GgufKeys& keys) {
  if (keys.keys.contains("expert_gating_func")) return keys.keys["expert_gating_func"] != 2;
  return !has_correction(keys);
}

}  // namespace ashlar::deepseek_v2

const ashlar::Family ashlar::kDeepSeekV2{.name = "deepseek_v2",
                                         .architectures = {"DeepseekV2ForCausalLM"},
                                         .gguf = "deepseek2",
                                         .claims = deepseek_v2::claims,
                                         .pre = "deepseek-llm",
                                         .visit = deepseek_v2::visit,
                                         .names = deepseek_v2::names};
