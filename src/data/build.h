// From documents to a data folder: exact duplicates dropped, split by hash, tokens in shards.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "data/documents.h"
#include "data/manifest.h"
#include "model/model.h"

namespace ashlar {

struct BuildOptions {
  std::vector<std::string> corpora;  // data/documents.h
  DocumentOptions documents;
  double validation = 0.01;  // share of documents that are never trained on
  uint64_t seed = 0;         // of the split
  std::string end;           // token after each document; empty: the tokenizer's end of text
  int threads = 0;           // 0: one per core
  int64_t shard_tokens = int64_t{1} << 24;      // most of one file
  std::function<void(int64_t bytes)> progress;  // of text read so far
};

/// Whether a document goes into the validation set: by its text alone, so that it does so in every
/// folder that is built with this share and seed, whatever the tokenizer and the other documents.
bool is_validation(std::string_view text, double share, uint64_t seed);

/// Copies the tokenizer of `text` into `out`/tokenizer, encodes all documents with it and writes
/// shards and, last, manifest.json. A document's ids are those of its text without special tokens
/// in it, what the tokenizer puts around a text, and the end token unless it ends so. Throws Error;
/// without its manifest a folder holds no data.
DataManifest build_data(TextModel text, const std::filesystem::path& out,
                        const BuildOptions& options);

}  // namespace ashlar
