// The text parts of a model: tokenizer, chat template and its variables, end tokens.
#pragma once

#include <filesystem>

#include "formats/gguf.h"
#include "model/model.h"

namespace ashlar {

/// A file that cannot be read as a tokenizer is told in tokenizer_error; everything else that is
/// broken throws.
TextModel text_of_folder(const std::filesystem::path& folder);
TextModel text_of_gguf(const GgufFile& file, const std::string& where);

}  // namespace ashlar
