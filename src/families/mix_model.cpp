// What mixes of weight formats ask of a model.
#include "families/mix_model.h"

namespace ashlar {

MixModel mix_model(const Blueprint& bp) {
  MixModel model{.layers = static_cast<int>(bp.blocks.size())};
  for (const Block& b : bp.blocks) {
    if (const auto* a = std::get_if<AttentionPart>(&b.mixer); a != nullptr && model.gqa == 1)
      model.gqa = static_cast<int>(a->heads / a->kv_heads);
    if (const auto* e = std::get_if<ExpertFfnPart>(&b.ffn))
      model.experts = static_cast<int>(e->experts);
  }
  model.llama_70b = bp.family == "llama" && model.layers == 80 && model.gqa > 1;
  return model;
}

}  // namespace ashlar
