// Folders that hold something else than a model's plain weights, known by their small files.
#pragma once

#include <filesystem>
#include <string>

#include "base/json.h"
#include "formats/checkpoint.h"

namespace ashlar {

/// Why the weights of a folder with this config.json cannot be read, with what to do: the method
/// that quantised them (GPTQ, AWQ, MLX, bitsandbytes, HQQ, EXL2, ...). Empty: they may be.
std::string unread_weights(const std::filesystem::path& folder, const Json& config);
/// The same where no small file says it, by the names of the tensors.
std::string unread_weights(const Checkpoint& checkpoint, const std::string& where);

/// Whether a safetensors file of the folder is a pointer or a page instead of itself.
bool has_placeholders(const std::filesystem::path& folder);

/// Throws Error for a folder without config.json that is known for what it is: an adapter, pickled
/// weights, a tokenizer alone, nothing of ours.
[[noreturn]] void fail_no_model(const std::filesystem::path& folder);

}  // namespace ashlar
