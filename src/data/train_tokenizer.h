// A tokenizer of a corpus: words counted over its documents, merges learned, files written.
#pragma once

#include <filesystem>

#include "data/build.h"
#include "text/bpe_trainer.h"

namespace ashlar {

/// Words of the documents that `options` do not hold out for validation, exact duplicates once.
WordCounts count_words(const BuildOptions& options);

/// tokenizer.json and tokenizer_config.json, as Transformers reads them.
void write_tokenizer(const TrainedBpe& bpe, const std::filesystem::path& folder);

}  // namespace ashlar
