// The text parts of a model: tokenizer, chat template and its variables, end tokens.
#pragma once

#include <filesystem>

#include "formats/gguf.h"
#include "model/model.h"

namespace ashlar {

/// What a publisher recommends: its name in generation_config.json and in GGUF, and what it can be.
struct Recommendation {
  const char *name, *gguf;
  double least, most;
};
inline constexpr Recommendation kRecommendations[] = {
    {"temperature", "general.sampling.temp", 0, 100},
    {"top_p", "general.sampling.top_p", 1e-9, 1},
    {"min_p", "general.sampling.min_p", 0, 1},
    {"top_k", "general.sampling.top_k", 0, 1e9},
    {"repetition_penalty", "general.sampling.penalty_repeat", 1e-3, 100}};

/// A file that cannot be read as a tokenizer is told in tokenizer_error; everything else that is
/// broken throws.
TextModel text_of_folder(const std::filesystem::path& folder);
TextModel text_of_gguf(const GgufFile& file, const std::string& where);

}  // namespace ashlar
