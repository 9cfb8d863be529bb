// ERNIE 4.5, dense: Llama's block, rotated in interleaved order as published.
#include "families/decoder.h"

namespace ashlar {
namespace ernie4_5 {

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {18, 1024, 103424, 131072, 16, 2, 3072});
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-5);
  visit_head_dim(v, f, 128);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, true);
  visit_rope(v, f.rope, f, 5e5);
  v(f.qkv_bias, "use_bias", "?blk.0.attn_q.bias", false);
  f.output_bias = f.ffn_bias = f.qkv_bias;
  f.rotary.interleaved = true;
}

Block block(const Fields& f, int64_t layer) {
  return {PreNorm{rms(f.eps)}, grouped_attention(f, layer), dense(f)};
}

Blueprint blueprint(const Fields& f) { return decoder(f, "ernie4_5", block); }

void names(Names& n, const Fields& f) { decoder_names(n, f); }

}  // namespace ernie4_5

const Family kErnie45{.name = "ernie4_5",
                      .model_types = {"ernie4_5"},
                      .architectures = {"Ernie4_5ForCausalLM", "Ernie4_5_ForCausalLM"},
                      .gguf = "ernie4_5",
                      .pre = "default",
                      .visit = ernie4_5::visit,
                      .blueprint = ernie4_5::blueprint,
                      .names = ernie4_5::names};

}  // namespace ashlar
