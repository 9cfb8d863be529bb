// Where a text of a SentencePiece vocabulary may be cut into words.
#pragma once

#include "text/bpe.h"
#include "text/pre_tokenizer.h"

namespace ashlar {

/// SentencePiece-like models see a whole text as one word. Where no merge reaches across the beginning
/// of a word's mark (U+2581), cutting there changes nothing. Null if some merge might.
PreTokenizer cut_at_marks(const BpeModel& model);

}  // namespace ashlar
