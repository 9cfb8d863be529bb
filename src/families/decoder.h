// What families share: lists of keys, blocks and names of the usual decoder. All arithmetic of families is here.
#pragma once

#include <string>
#include <string_view>

#include "families/family.h"

namespace ashlar {

// Keys
void visit_sizes(FieldVisitor& v, Fields& f, bool tied);  // Llama's keys and defaults for sizes, eps, head
/// `section`: of rope_parameters, where it has one per kind of layer.
void visit_rope(FieldVisitor& v, RopeFields& rope, const Fields& f, double theta, std::string_view section = {});
void visit_local_rope(FieldVisitor& v, RopeFields& rope, double theta);  // Gemma 3's sliding layers
void visit_head_dim(FieldVisitor& v, Fields& f, int64_t usual = 0);      // 0: d_model / heads
void visit_rotary_fraction(FieldVisitor& v, Fields& f, double usual);    // partial_rotary_factor
void visit_window(FieldVisitor& v, Fields& f);                           // Qwen's use_sliding_window
void visit_experts(FieldVisitor& v, Fields& f);         // count, top_k, width, normalisation
void visit_deepseek(FieldVisitor& v, Fields& f, bool v3);  // latent attention and DeepSeek's experts
void visit_gemma_scalar(FieldVisitor& v, Fields& f);       // query_pre_attn_scalar, and what GGUF readers imply

// Blocks
Norm rms(double eps);
Norm layer_norm(double eps);
Blueprint decoder(const Fields& f, std::string_view family, Block (*block)(const Fields&, int64_t layer));
AttentionPart grouped_attention(const Fields& f, int64_t layer);  // with RoPE, window and chunk of that layer
LatentAttentionPart latent_attention(const Fields& f);
DenseFfn dense(const Fields& f, FfnActivation activation = FfnActivation::swiglu);
ExpertFfnPart experts(const Fields& f, FfnActivation activation = FfnActivation::swiglu);
double inverse_root(double x);
double root(double x);

// Names
void embedding_names(Names& n);
void attention_names(Names& n, int64_t interleaved_q_heads = 0, int64_t interleaved_k_heads = 0);
void qk_norm_names(Names& n);
void dense_names(Names& n);
void pre_norm_names(Names& n);
void expert_names(Names& n);  // Qwen's and DeepSeek's
void mtp_names(Names& n);
void latent_names(Names& n, const Fields& f);

}  // namespace ashlar
