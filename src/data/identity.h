// Which tokenizer made ids, and how many bytes of text stand behind each.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "text/tokenizer.h"

namespace ashlar {

/// A hash of the vocabulary and of the ids of a text of many kinds of characters: equal for equal
/// tokenizers, whatever file they came from.
std::string fingerprint_of(const Tokenizer& tokenizer);

/// Bytes of text per id: 0 for special tokens, the piece's own bytes for others.
std::vector<int32_t> bytes_of_tokens(const Tokenizer& tokenizer);

}  // namespace ashlar
