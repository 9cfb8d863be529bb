// What the parts of a blueprint are called in drawings, comparisons and explanations: one wording
// for all of them, with the blueprint's numbers in it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "blueprint/blueprint.h"

namespace ashlar {

/// One statement about a part. `key` says what it is about ("attention.heads"), so that the same
/// statements of several models can be held against each other.
struct Fact {
  std::string key, text;
  bool operator==(const Fact&) const = default;
};

std::string norm_name(const Norm& norm);           // "RMSNorm", "LayerNorm without bias"
std::string residual_words(const Wiring& wiring);  // "× 0.22", of what is added; empty: all of it
std::string wiring_formula(const Wiring& wiring);  // "x + f(norm(x))"
std::string wiring_words(const Wiring& wiring);    // "normalises before attention and ..."

std::string mixer_name(const Mixer& mixer);             // "Grouped-query attention"
std::string mixer_tone(const Mixer& mixer);             // class of the style sheet
std::string reach_words(const Mixer& mixer);            // "sees the last 1,024 tokens"
std::string rope_words(const RopePart& rope);           // "RoPE, θ 500,000, YaRN × 40"
std::string rope_scaling_source(const RopePart& rope);  // "YaRN: Peng et al. 2023"; may be empty
const RopePart* rope_of(const Mixer& mixer);            // null where positions do not rotate
std::string qk_norm_words(const AttentionPart& a);      // empty: none
std::string bias_words(const Mixer& mixer);             // "biases on q, k, v and o"; empty: none
/// What is done to numbers, in full: "score ← 50 tanh(score / 50)",
std::string softcap_words(std::string_view what, double cap);
/// "× ln position / ln 1,024 beyond position 1,024",
std::string log_length_words(int64_t length);
/// "× (1 + 0.1 ln(1 + floor((p + 1) / 8,192)))", p the position.
std::string temperature_words(const Temperature& temperature);
/// `absolute`: positions are added to the embeddings, so that a layer without RoPE is as usual.
std::vector<Fact> mixer_facts(const Mixer& mixer, bool absolute);

std::vector<Fact> head_facts(const Blueprint& blueprint);
std::vector<Fact> embedding_facts(const Embedding& embedding);
/// What is added to the embedding: "1,024 learned positions"; empty: nothing.
std::string position_words(const Embedding& embedding);

std::string activation_name(FfnActivation a);  // "SwiGLU"
std::string gate_name(FfnActivation a);        // "SiLU": what is applied to the gate
std::string ffn_name(const Ffn& ffn);          // "Feed-forward", "Mixture of experts"
std::string ffn_tone(const Ffn& ffn);
std::vector<Fact> ffn_facts(const Ffn& ffn);
std::vector<Fact> router_facts(const ExpertFfnPart& e);

/// Which of `total` layers: "first 3 layers", "5 of every 6 layers", "every 4th layer".
std::string layer_words(const std::vector<size_t>& layers, size_t total);

std::string plural(int64_t n, std::string_view what);  // "1 layer", "61 layers"
std::string real_words(double value);  // "10,000", "0.0884": four significant digits at most
std::string join(const std::vector<std::string>& parts, std::string_view between);

}  // namespace ashlar
