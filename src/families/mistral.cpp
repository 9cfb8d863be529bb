// Mistral 7B and the text tower of Mistral Small 3.1: Llama's block, in v0.1 with a window on every
// layer. An absent sliding_window means 4096, null means none.
#include "families/decoder.h"

namespace ashlar::mistral {

void visit(FieldVisitor& v, Fields& f) {
  visit_decoder(v, f, false);
  visit_rope(v, f.rope, f, 10000);
  if (v.reading() || !v.gguf() || f.window.size > 0)
    v.nullable(f.window.size, "sliding_window", "attention.sliding_window", 4096, 0);
}

}  // namespace ashlar::mistral

const ashlar::Family ashlar::kMistral{
    .name = "mistral",
    .model_types = {"mistral", "mistral3"},
    .architectures = {"MistralForCausalLM", "Mistral3ForConditionalGeneration"},
    .gguf = "llama",
    .claims = [](const GgufKeys& keys) { return keys.keys.contains("attention.sliding_window"); },
    .gguf_also = "mistral3",
    .pre = "tekken",
    .visit = mistral::visit,
    .names = interleaved_names};
