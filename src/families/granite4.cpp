// Granite 4, dense (micro, 1b, 350m): Granite's block, published in the names of the hybrid with
// state spaces and experts, of which it has neither. Gate and up are fused in files.

#include "base/error.h"
#include "families/decoder.h"

namespace ashlar::granite4 {

// layer_types of a hybrid family whose layers all attend.
void visit_attention_only(FieldVisitor& v, Fields& f) {
  if (v.gguf()) return;
  if (f.layers < 1 || f.layers > 4096) return;  // refused by its own key
  const auto layers = static_cast<size_t>(f.layers);
  std::vector<std::string> types(layers, "full_attention");
  v(types, "layer_types|layers_block_type", "");
  if (!v.reading()) {
    v.write("mamba_n_heads", 1);  // Transformers checks that it divides, layers or not
    return;
  }
  if (types.size() != layers)
    fail(ErrorKind::format, "{}: layer_types: expected {} entries, one per layer, found {}",
         v.where(), layers, types.size());
  for (const std::string& type : types) {
    if (type != "attention" && type != "full_attention") {
      fail(ErrorKind::unsupported, "{}: layer_types: expected attention on every layer, found {}",
           v.where(), type.substr(0, 40));
    }
  }
}

void visit(FieldVisitor& v, Fields& f) {
  visit_shape(v, f, {32, 4096, 32000, 2048, 32, 0, 11008});
  v(f.ffn, "shared_intermediate_size", "feed_forward_length", 1024);
  v(f.eps, "rms_norm_eps", "attention.layer_norm_rms_epsilon", 1e-6);
  visit_head_dim(v, f);
  visit_activation(v, f, "hidden_act", "silu");
  visit_head(v, f, false);
  v.demand("num_local_experts", 0);
  visit_attention_only(v, f);
  visit_rope(v, f.rope, f, 10000);
  visit_position_embedding_type(v, f);
  visit_attention_bias(v, f);
  visit_multipliers(v, f);
}

void names(Names& n, const Fields& f) {
  decoder_names(n, f, true);
  const std::string mlp = "model.layers.{i}.shared_mlp.", both = mlp + "input_linear.weight";
  n.add("layers.{i}.ffn.gate", {rows(both, 2 * f.ffn, 0, f.ffn)}, {"blk.{i}.ffn_gate.weight"});
  n.add("layers.{i}.ffn.up", {rows(both, 2 * f.ffn, f.ffn, f.ffn)}, {"blk.{i}.ffn_up.weight"});
  n.add("layers.{i}.ffn.down", {mlp + "output_linear.weight"}, {"blk.{i}.ffn_down.weight"});
}

}  // namespace ashlar::granite4

const ashlar::Family ashlar::kGranite4{.name = "granite4",
                                       .model_types = {"granitemoehybrid"},
                                       .architectures = {"GraniteMoeHybridForCausalLM"},
                                       .gguf = "granite",
                                       .pre = "dbrx",
                                       .visit = granite4::visit,
                                       .names = granite4::names};
