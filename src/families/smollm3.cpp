// SmolLM3: Llama's block; every fourth layer does not rotate (no_rope_layers: 1 rotates).
#include "base/error.h"
#include "families/decoder.h"

namespace ashlar::smollm3 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, true);
  visit_rope(v, f.rope, f, 2e6);
  visit_attention_bias(v, f);
  v(f.ffn_bias, "mlp_bias", "?blk.0.ffn_gate.bias", false);
  visit_rope_layers(v, f);
  if (v.reading() && !v.gguf() && v.has("no_rope_layers") && f.rotary.layers.empty())
    fail(ErrorKind::format, "{}: no_rope_layers: expected one per layer, found none", v.where());
  visit_window(v, f);
  visit_layer_types(v, f);
  f.window.without_rope = true;
}

}  // namespace ashlar::smollm3

const ashlar::Family ashlar::kSmolLm3{.name = "smollm3",
                                      .architectures = {"SmolLM3ForCausalLM"},
                                      .pre = "smollm3",
                                      .visit = smollm3::visit,
                                      .names = interleaved_names};
