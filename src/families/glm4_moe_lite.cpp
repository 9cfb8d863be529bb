// GLM-4.7-Flash: DeepSeek-V3's shape, small, with one layer that predicts the token after the next.
#include "base/error.h"
#include "families/deepseek_v3.h"

namespace ashlar::glm4_moe_lite {

// mlp_layer_types: dense or sparse; absent: the first layer dense.
void visit_ffn_types(FieldVisitor& v, Fields& f) {
  constexpr std::string_view kDense = "dense", kSparse = "sparse";
  if (v.gguf()) return;
  std::vector<std::string> types;
  if (!v.reading()) {
    for (int64_t i = 0; i < f.layers; ++i) types.emplace_back(f.has_experts(i) ? kSparse : kDense);
    v(types, "mlp_layer_types", "");
    return;
  }
  v(types, "mlp_layer_types", "", std::vector<std::string>{});
  if (types.empty()) {  // the first layer has none
    v.refuse_unless("first_k_dense_replace", {1});
    f.experts.dense_layers = 1;
    return;
  }
  if (types.size() != static_cast<size_t>(f.layers))
    fail(ErrorKind::format, "{}: mlp_layer_types: expected {} entries, one per layer, found {}",
         v.where(), f.layers, types.size());
  f.experts.layers.clear();
  for (size_t i = 0; i < types.size(); ++i) {
    if (types[i] == kSparse) {
      f.experts.layers.push_back(static_cast<int64_t>(i));
    } else if (types[i] != kDense) {
      fail(ErrorKind::unsupported, "{}: mlp_layer_types: expected {} or {}, found {}", v.where(),
           kDense, kSparse, types[i].substr(0, 40));
    }
  }
  if (f.experts.layers.empty()) f.experts.layers = {-1};
  // The list says nothing of the layers of multi-token prediction.
  for (int64_t i = 0; i < f.mtp_layers && f.experts.layers[0] >= 0; ++i)
    f.experts.layers.push_back(f.layers + i);
}

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {47, 2048, 154880, 202752, 20, 20, 10240});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-5);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  visit_mtp(v, f, true);
  visit_latent_attention(v, f, {.query_rank = 768, .qk_nope = 192, .value_dim = 256});
  visit_latent_rope(v, f, 10000);
  visit_deepseek_experts(v, f, true, {64, 4, 1536, 1, 1.8});
  visit_ffn_types(v, f);
  v.expect("topk_method", {"noaux_tc"});
  v.refuse_unless("rope_parameters.partial_rotary_factor|partial_rotary_factor", {1.0, 1});
  v(f.qkv_bias, "attention_bias", "?blk.0.attn_output.bias", false);
  visit_interleave(v, f);
  f.experts.router.correction_bias = true;
}

}  // namespace ashlar::glm4_moe_lite

const ashlar::Family ashlar::kGlm4MoeLite{
    .name = "glm4_moe_lite",
    .architectures = {"Glm4MoeLiteForCausalLM"},
    .gguf = "deepseek2",
    // Its files count the layer of multi-token prediction, which DeepSeek-V3's leave out; the others
    // are alike.
    .claims = [](const GgufKeys& keys) { return keys.keys.contains("nextn_predict_layers"); },
    .pre = "glm4",
    .visit = glm4_moe_lite::visit,
    .names = deepseek_v3::names};
