// Ministral 3 and Devstral 2: Llama's block, YaRN, and queries that grow with position beyond the
// context that the model was first trained on. Published inside of Mistral 3's wrapper.
#include "families/decoder.h"

namespace ashlar::ministral3 {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, {34, 4096, 131072, 262144, 32, 8, 14336}, false, 1e-5, 128);
  visit_tempered_rope(v, f, 10000);
  v.nullable(f.window.size, "sliding_window", "attention.sliding_window", 0);
}

Block block(const Fields& f, int64_t layer) {
  AttentionPart attention = grouped_attention(f, layer);
  if (f.attention.tempered)
    attention.temperature =
        Temperature{f.attention.temperature_scale, f.attention.temperature_length, 0};
  return {PreNorm{rms(f.eps)}, attention, dense(f)};
}

}  // namespace ashlar::ministral3

const ashlar::Family ashlar::kMinistral3{
    .name = "ministral3",
    .architectures = {"Ministral3ForCausalLM"},
    .gguf = "mistral3",
    // Mistral Small 3.1 shares the architecture's name.
    .claims =
        [](const GgufKeys& keys) { return keys.keys.contains("attention.temperature_scale"); },
    .pre = "tekken",
    .visit = ministral3::visit,
    .block = ministral3::block,
    .names = interleaved_names};
