// Qwen3.5 and Qwen3.6, text towers without experts: three of four layers are gated delta nets, the
// fourth attends with a gated output. Checkpoints keep norms as w - 1.
#include "families/decoder.h"

namespace ashlar::qwen3_5 {

void visit(FieldVisitor& v, Fields& f) {
  visit_hybrid(v, f, {32, 4096, 248320, 32768, 16, 4, 12288}, true);
}

void names(Names& n, const Fields& f) { hybrid_names(n, f, true); }

}  // namespace ashlar::qwen3_5

const ashlar::Family ashlar::kQwen35{
    .name = "qwen3_5",
    .model_types = {"qwen3_5_text", "qwen3_5"},
    .architectures = {"Qwen3_5ForCausalLM", "Qwen3_5ForConditionalGeneration"},
    .gguf = "qwen35",
    .pre = "qwen35",
    .visit = qwen3_5::visit,
    .names = qwen3_5::names};
