// What families share: lists of keys, blocks and names of the usual decoder. All arithmetic of
// families is here, in fields_rope.cpp and in fields_of.cpp.
#pragma once

#include <string>
#include <string_view>

#include "families/all.h"
#include "families/family.h"

namespace ashlar {

// Keys: each reads and writes a group of fields.

/// Llama's keys of sizes, eps, head and activation. `tied`: what an absent tie_word_embeddings
/// means. `head_dim`: what an absent head_dim means; 0: d_model / heads.
void visit_decoder(FieldVisitor& v, Fields& f, bool tied, double eps = 1e-6, int64_t head_dim = 0);
/// The parts of visit_decoder, for families with other keys or defaults.
void visit_sizes(FieldVisitor& v, Fields& f, double eps = 1e-6);
void visit_head(FieldVisitor& v, Fields& f, bool tied);
void visit_head_dim(FieldVisitor& v, Fields& f, int64_t usual = 0);
/// gelu_pytorch_tanh or `other`.
void visit_activation(FieldVisitor& v, Fields& f, std::string_view key, std::string_view usual,
                      std::string_view other = "silu");
/// attention_bias, over q, k, v and (if `output`) o.
void visit_attention_bias(FieldVisitor& v, Fields& f, bool output = true, bool usual = false);

/// Rotary embedding. `section`: of rope_parameters, where it has one per kind of layer.
void visit_rope(FieldVisitor& v, RopeFields& rope, Fields& f, double theta,
                std::string_view section = {});
void visit_local_rope(FieldVisitor& v, Fields& f, double theta);  // Gemma 3's sliding layers
/// partial_rotary_factor: the part of head_dim that rotates.
void visit_rotary_fraction(FieldVisitor& v, Fields& f, double usual);

/// layer_types; absent (and usually in GGUF): every n-th layer sees everything, n = `pattern`
/// unless the config has its own; 0: by the other fields of windows.
void visit_layer_types(FieldVisitor& v, Fields& f, int64_t pattern = 0);
/// sliding_window, of families whose layers slide as layer_types says. `gguf_usual`: an absent key.
void visit_sliding_window(FieldVisitor& v, Fields& f, int64_t usual, int64_t gguf_usual);
void visit_window(FieldVisitor& v, Fields& f);       // Qwen's use_sliding_window and its kin
void visit_rope_layers(FieldVisitor& v, Fields& f);  // no_rope_layers
void visit_experts(FieldVisitor& v, Fields& f);      // Qwen's keys
void visit_deepseek_experts(FieldVisitor& v, Fields& f, bool v3);  // also GLM's
void visit_latent_attention(FieldVisitor& v, Fields& f);
void visit_latent_rope(FieldVisitor& v, Fields& f, double theta);
/// num_nextn_predict_layers. `in_block_count`: GGUF counts them there; otherwise GGUF has none.
void visit_mtp(FieldVisitor& v, Fields& f, bool in_block_count);
/// topk_method of DeepSeek-V2: plain, or within groups.
void visit_group_choice(FieldVisitor& v, Fields& f);
void visit_gpt2_scale(FieldVisitor& v, Fields& f);
void visit_interleave(FieldVisitor& v, Fields& f);   // rope_interleave
void visit_chunk(FieldVisitor& v, Fields& f);        // attention_chunk_size
void visit_expert_list(FieldVisitor& v, Fields& f);  // Llama 4's moe_layers
void visit_llama4_norm(FieldVisitor& v, Fields& f);  // use_qk_norm
void visit_temperature(FieldVisitor& v, Fields& f);  // attn_temperature_tuning
void visit_gpt_oss_rope(FieldVisitor& v, Fields& f);
void visit_output_scale(FieldVisitor& v, Fields& f);  // Grok's attn_output_multiplier
/// query_pre_attn_scalar, and what readers of Gemma 3's GGUF files imply.
void visit_gemma_scalar(FieldVisitor& v, Fields& f);

// Blocks

Norm rms(double eps);
Norm layer_norm(double eps);
/// Blocks 0 .. layers - 1 (and those of multi-token prediction after them), embedding, head; the
/// final norm is the blocks' kind of norm. Throws Error on sizes that cannot be.
Blueprint decoder(const Fields& f, std::string_view family,
                  Block (*block)(const Fields&, int64_t layer));
/// With the rope, window and chunk of that layer; `norm` where the fields say qk_norm.
AttentionPart grouped_attention(const Fields& f, int64_t layer, QkNorm norm = QkNorm::per_head);
LatentAttentionPart latent_attention(const Fields& f);
DenseFfn dense(const Fields& f);
DenseFfn without_gate(DenseFfn ffn);
ExpertFfnPart experts(const Fields& f);
/// dense or experts, as that layer has.
Ffn feed_forward(const Fields& f, int64_t layer);
RopePart rope_part(const RopeFields& rope, const Fields& f, int64_t head_dim);
RopeFields rope_fields(const RopePart& rope);
/// The scale of latent attention's scores that its rope implies (0: the usual one), and back.
double latent_scale(const RopeFields& rope, const Fields& f);
void latent_scale_fields(RopeFields& rope, const LatentAttentionPart& part);
double square_root(double x);

// Names

/// Embedding, final norm, head; norms before attention and feed-forward; q, k, v, o; dense
/// feed-forward: Llama's names. `interleaved`: rows of q and k lie in interleaved order in GGUF.
void decoder_names(Names& n, const Fields& f, bool interleaved = false);
void qk_norm_names(Names& n);
/// {gate, up, down} of the dense feed-forward below `config` ("mlp") and GGUF's `suffix` ("").
void dense_names(Names& n, const std::string& canonical, const std::string& config,
                 const std::string& gguf_suffix);
/// One tensor per expert: below `config` ("mlp.experts") {e}.gate_proj.weight and so on.
void expert_names(Names& n, const std::string& router, const std::string& config,
                  const std::string& gate, const std::string& up, const std::string& down);
/// Qwen's and DeepSeek's: router mlp.gate, mlp.experts.{e}.gate_proj.
void expert_names(Names& n);
/// A norm of layers: model.layers.{i}.<config>.weight, blk.{i}.<gguf>.weight.
void norm_name(Names& n, const std::string& canonical, const std::string& config,
               std::vector<std::string> gguf);
void latent_names(Names& n, const Fields& f);
void mtp_names(Names& n);
/// Every norm is kept as w - 1 in safetensors (Gemma).
void norms_minus_one(Names& n);

}  // namespace ashlar
