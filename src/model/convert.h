// Writing a model out: safetensors that Transformers loads, GGUF that llama.cpp loads.
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "model/model.h"

namespace ashlar {

struct ConvertOptions {
  std::string to;       // "safetensors" or "gguf"; empty: by the ending of the output's name
  std::string weights;  // a format or, for GGUF, a mix ("q4_k_m"); empty: as they are, where the
                        // files have that format: otherwise float32 (safetensors), bf16 (GGUF)
  std::function<void(int64_t done, int64_t total)> progress;  // bytes written
  std::function<void(const std::string&)> notice;  // what the output cannot say as the source does
};

/// Writes weights, config and tokenizer to a folder (safetensors) or a file (GGUF). Tokenizer and
/// template come from where the model was loaded. Files appear under their names when they are
/// whole. Throws Error.
void convert_model(const Model& model, const std::filesystem::path& out,
                   const ConvertOptions& options = {});

}  // namespace ashlar
