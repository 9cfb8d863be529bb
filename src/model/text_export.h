// The text parts of a model written out.
#pragma once

#include <functional>
#include <string>

#include "base/json.h"
#include "base/output_file.h"
#include "families/family.h"
#include "formats/gguf.h"
#include "model/model.h"
#include "text/tokenizer_spec.h"

namespace ashlar {

/// bos_token_id, eos_token_id and pad_token_id of a config.json.
void add_token_ids(const Model& model, Json* config);

/// Tokenizer files into a folder: the source's own, or tokenizer.json and tokenizer_config.json
/// made from GGUF metadata.
void write_text_files(const Model& model, OutputFolder& folder);

/// tokenizer.*: as the source has them, or made from tokenizer files.
void set_text_keys(const Model& model, const Family& family, GgufWriter* writer,
                   const std::function<void(const std::string&)>& notice);

/// The text of a tokenizer.json for a vocabulary of GGUF metadata.
std::string tokenizer_json_of(const GgufTokenizerData& data);

/// A vocabulary for GGUF: `size` tokens (rows of the embedding), the pre-tokenizer that of those
/// GGUF has a name for which reads text as `tokenizer` does. `exact`: whether there is one; else it
/// is the family's usual one.
GgufTokenizerData gguf_tokenizer_of(const TokenizerSpec& spec, const Tokenizer& tokenizer,
                                    int64_t size, const Family& family, bool* exact);

}  // namespace ashlar
