// What families share: lists of keys, blocks and names of the usual decoder. All arithmetic of
// families is here, in fields_rope.cpp and in fields_of.cpp.
#pragma once

#include <optional>
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
void visit_head_dim(FieldVisitor& v, Fields& f, int64_t fallback = 0);
/// gelu_pytorch_tanh, gelu (by erf) or `other`.
void visit_activation(FieldVisitor& v, Fields& f, std::string_view key, std::string_view fallback,
                      std::string_view other = "silu");
/// attention_bias, over q, k, v and (if `output`) o.
void visit_attention_bias(FieldVisitor& v, Fields& f, bool output = true, bool fallback = false);

/// What absent keys of sizes mean; kv_heads 0: as many as heads; ffn 0: every layer has experts.
struct FallbackShape {
  int64_t layers, d_model, vocab, context, heads, kv_heads, ffn;
};
/// The sizes of a decoder, each with its usual value; GGUF files must have them.
void visit_shape(FieldVisitor& v, Fields& f, const FallbackShape& fallback);
/// visit_decoder for configs whose class has usual sizes.
void visit_decoder(FieldVisitor& v, Fields& f, const FallbackShape& fallback, bool tied, double eps,
                   int64_t head_dim = 0);
/// rotary_dim or partial_rotary_factor: how much of head_dim rotates; usually all.
void visit_rotary_dim(FieldVisitor& v, Fields& f);
/// Of GGUF: expert_shared_feed_forward_length, of which converters make another number.
void visit_shared_width(FieldVisitor& v, Fields& f);
/// Rope whose queries grow beyond the original context (llama_4_scaling_beta), YaRN if the config
/// says nothing.
void visit_tempered_rope(FieldVisitor& v, Fields& f, double theta);
/// Reading: Error(format) by the key's name for what is not above zero.
void expect_positive(const FieldVisitor& v, const double& value);

/// Rotary embedding. `section`: of rope_parameters, where it has one per kind of layer.
void visit_rope(FieldVisitor& v, RopeFields& rope, Fields& f, double theta,
                std::string_view section = {});
void visit_local_rope(FieldVisitor& v, Fields& f, double theta);  // of sliding layers
/// partial_rotary_factor: the part of head_dim that rotates.
void visit_rotary_fraction(FieldVisitor& v, Fields& f, double fallback);

/// layer_types; absent (and usually in GGUF): every n-th layer sees everything, n = `pattern`
/// unless the config has its own; 0: by the other fields of windows.
void visit_layer_types(FieldVisitor& v, Fields& f, int64_t pattern = 0);
/// Writes which layers are chosen to GGUF: as n, if they are all but every n-th from layer `least`
/// on (0: from the first), else as one flag per layer.
void write_pattern(FieldVisitor& v, const std::vector<bool>& layers, int64_t least,
                   std::string_view every, std::string_view list);
/// sliding_window, of families whose layers slide as layer_types says. `gguf_fallback`: an absent
/// key.
void visit_sliding_window(FieldVisitor& v, Fields& f, int64_t fallback, int64_t gguf_fallback);
void visit_window(FieldVisitor& v, Fields& f);  // Qwen's use_sliding_window and max_window_layers
/// position_embedding_type: rope, or nothing that says positions; after visit_rope.
void visit_position_embedding_type(FieldVisitor& v, Fields& f);
void visit_rope_layers(FieldVisitor& v, Fields& f);  // no_rope_layers
/// What absent keys of experts mean; 0: they must be there (shared: as the version has it).
struct FallbackExperts {
  int64_t experts = 0, top_k = 0, width = 0, shared = 0;
  double scale = 1;
};
/// Qwen's keys. `gguf_normalizes`: what readers of GGUF do where it does not say.
void visit_experts(FieldVisitor& v, Fields& f, const FallbackExperts& fallback = {},
                   bool gguf_normalizes = true);
void visit_deepseek_experts(FieldVisitor& v, Fields& f, bool v3,
                            const FallbackExperts& fallback = {});  // also GLM's
void find_dense_layers(FieldVisitor& v, Fields& f);  // in GGUF the tensors say which they are
/// `fallback`: what absent keys mean.
void visit_latent_attention(FieldVisitor& v, Fields& f,
                            const LatentAttentionPart& fallback = {.query_rank = 1536});
void visit_latent_rope(FieldVisitor& v, Fields& f, double theta);
/// num_nextn_predict_layers. `in_block_count`: GGUF counts them there; otherwise GGUF has none.
void visit_mtp(FieldVisitor& v, Fields& f, bool in_block_count);
void visit_chunk(FieldVisitor& v, Fields& f);       // attention_chunk_size
void visit_interleave(FieldVisitor& v, Fields& f);  // rope_interleave
/// The factor of scores under keys of its own. `otherwise`: what an absent key of config.json means
/// (none: head_dim^-0.5, as in GGUF).
void visit_score_scale(FieldVisitor& v, Fields& f, std::string_view config, std::string_view gguf,
                       std::optional<double> otherwise = {});
/// Granite's of embedding, scores, residual stream; its logits are divided by one.
void visit_multipliers(FieldVisitor& v, Fields& f);
/// query_pre_attn_scalar, and what readers of GGUF files of Gemma imply, which know the models of
/// 27B by their layers.
void visit_query_scalar(FieldVisitor& v, Fields& f, int64_t layers_of_27b);

/// All keys but the experts' of layers with linear attention and gated attention. `sections`: with
/// the parts of the rotation for time, height and width (Qwen3.5).
void visit_hybrid(FieldVisitor& v, Fields& f, const FallbackShape& fallback, bool sections);

// Blocks

Norm rms(double eps);
Norm layer_norm(double eps, bool bias = true);
/// Blocks 0 .. layers - 1 (and those of multi-token prediction after them), embedding, head; the
/// final norm is the blocks' kind of norm. Throws Error on sizes that cannot be.
Blueprint decoder(const Fields& f, const Family& family);
/// With the rope, window and chunk of that layer; `norm` where the fields say qk_norm.
AttentionPart grouped_attention(const Fields& f, int64_t layer, QkNorm norm = QkNorm::per_head);
/// Latent attention where the fields say so, a gated delta net in layers of linear attention, else
/// grouped_attention.
Mixer mixer(const Fields& f, int64_t layer);
/// Norms before and after attention and a dense feed-forward.
Block sandwich_block(const Fields& f, int64_t layer);
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
double rounded(double x, int digits = 10);               // so that 1 / (1 / x) is x again
bool near(double a, double b, double tolerance = 1e-9);  // relative to the larger one

// Names

/// Embedding, final norm, head; norms before attention and feed-forward; q, k, v, o; dense
/// feed-forward: Llama's names. `interleaved`: rows of q and k lie in interleaved order in GGUF.
void decoder_names(Names& n, const Fields& f, bool interleaved = false);
void interleaved_names(Names& n, const Fields& f);  // decoder_names, interleaved
void qk_norm_names(Names& n);
/// The biases of layer norms, beside decoder_names.
void norm_bias_names(Names& n);
/// weight and bias of a projection of layers; `heads`: see decoder_names.
void projection_names(Names& n, const std::string& canonical, const std::string& config,
                      const std::string& gguf, int64_t heads = 0);
/// The bias that only the choice of experts sees.
void correction_name(Names& n, const Source& config);
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
               const std::vector<std::string>& gguf);
void latent_names(Names& n, const Fields& f);
/// Norms on what attention and feed-forward return: post_attention_layernorm and
/// post_feedforward_layernorm; `before`: also one before the feed-forward,
/// pre_feedforward_layernorm.
void post_norm_names(Names& n, bool before = false);
/// q, k, v as rows of one qkv_proj; gate, up as those of one gate_up_proj (GGUF: ffn_up).
void fused_qkv_names(Names& n, const Fields& f);
void fused_gate_up_names(Names& n, const Fields& f);
/// Qwen's mlp.shared_expert and mlp.shared_expert_gate.
void gated_shared_names(Names& n);
/// Gated attention and gated delta nets, of whose projections q, k, v are rows of one tensor, as
/// GGUF has them, and Qwen3.5 in safetensors. `tiled`: GGUF holds the first value head of every key
/// head, then the second of each, and so on.
void hybrid_names(Names& n, const Fields& f, bool tiled);
void mtp_names(Names& n);
/// Every norm named so far is kept as w - 1 in safetensors (Gemma).
void norms_minus_one(Names& n);

}  // namespace ashlar
