// ERNIE 4.5, mixtures of experts: the softmax over all experts, of which the best by score and
// correction bias are taken and normalised, beside shared ones; the first layers are dense.
#include <algorithm>

#include "base/error.h"
#include "families/decoder.h"

namespace ashlar::ernie4_5_moe {

// moe_layer_start_index, _end_index and _interval.
void visit_expert_range(FieldVisitor& v, Fields& f) {
  int64_t first = 1, last = -1, interval = 1;
  if (!v.reading()) {
    const auto has = [&](int64_t i) { return f.has_experts(i); };
    const auto follows = [&](int64_t step) {
      for (int64_t i = first; i <= last; ++i) {
        if (has(i) != ((i + 1) % step == 0)) return false;
      }
      return true;
    };
    for (first = 0; first < f.layers && !has(first);) ++first;
    for (last = f.layers - 1; last > first && !has(last);) --last;
    while (interval < f.layers && !follows(interval)) ++interval;
  }
  v(first, "moe_layer_start_index", "leading_dense_block_count", 1, 0);
  v(last, "moe_layer_end_index", "", -1);
  v(interval, "moe_layer_interval", "interleave_moe_layer_step", 1);
  if (!v.reading() || v.gguf()) return;  // there the tensors say it
  if (interval < 1)
    fail(ErrorKind::format, "{}: moe_layer_interval: expected at least 1, found {}", v.where(),
         interval);
  if (last == -1) last = f.layers - 1;
  f.experts.layers.clear();
  for (int64_t i = std::max<int64_t>(first, 0); i <= std::min(last, f.layers - 1) && i < 4096;
       ++i) {
    if ((i + 1) % interval == 0) f.experts.layers.push_back(i);
  }
  if (f.experts.layers.empty()) f.experts.layers = {-1};
}

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {28, 2560, 103424, 131072, 20, 4, 12288}, true, 1e-5);
  visit_rope(v, f.rope, f, 5e5);
  v(f.experts.experts, "moe_num_experts|num_experts", "expert_count", 64);
  v(f.experts.top_k, "moe_k|num_experts_per_tok", "expert_used_count", 6);
  v(f.experts.width, "moe_intermediate_size", "expert_feed_forward_length", 1536);
  v(f.experts.shared_count, "moe_num_shared_experts", "expert_shared_count", 2, 0);
  visit_expert_range(v, f);
  find_dense_layers(v, f);
  visit_shared_width(v, f);
  v.refuse_unless("moe_norm_min", {1e-12});
  v(f.qkv_bias, "use_bias", "?blk.0.attn_q.bias", false);
  f.output_bias = f.ffn_bias = f.experts.shared_bias = f.head_bias = f.qkv_bias;
  f.rotary.interleaved = true;
  f.experts.router.normalize = f.experts.router.correction_bias = true;
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f);
  n.add("head_bias", {"lm_head.bias"}, {"output.bias"});
  expert_names(n);
  correction_name(n, per_matrix("model.layers.{i}.mlp.moe_statics.e_score_correction_bias", 1));
  dense_names(n, "ffn.shared", "mlp.shared_experts", "_shexp");
}

}  // namespace ashlar::ernie4_5_moe

const ashlar::Family ashlar::kErnie45Moe{.name = "ernie4_5_moe",
                                         .architectures = {"Ernie4_5_MoeForCausalLM"},
                                         .gguf = "ernie4_5-moe",
                                         .visit = ernie4_5_moe::visit,
                                         .names = ernie4_5_moe::names};
