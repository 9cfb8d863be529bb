// Formulas with numbers in them, names of tensors, and where ideas were published.
#pragma once

#include <string>
#include <vector>

#include "blueprint/blueprint.h"
#include "families/names.h"

namespace ashlar {

/// "y = x w / sqrt(mean(x^2) + eps)" with eps as the op has it; attributes that the formula does
/// not mention follow behind.
std::string formula_with_numbers(const Op& op, std::span<const Input> inputs);

/// "ffn=12288, d_model=4096"
std::string axes_words(const Axes& axes);

/// "x [d_model=4096] w [ffn=12288, d_model=4096] -> y [ffn=12288]"
std::string shapes_words(const Graph& graph, const Node& node);

/// "4,096 → 8 × 4 × 128": of the first input and output, per token.
std::string sizes_words(const Graph& graph, const Node& node);

/// "model.layers.3.self_attn.q_proj.weight", with what lies otherwise in the file.
std::string source_words(const Source& source, int64_t layer);

/// Papers that a block's mixer or feed-forward goes back to.
std::vector<std::string> mixer_sources(const Mixer& mixer);
std::vector<std::string> ffn_sources(const Ffn& ffn);

}  // namespace ashlar
