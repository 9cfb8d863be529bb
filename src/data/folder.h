// A data folder opened: the tokens of its splits, their documents, and rows of them to train on.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/manifest.h"
#include "data/npy_list.h"
#include "train/data.h"

namespace ashlar {

/// The tokens of one split, one document after the other. Any number of threads may read.
class TokenStream {
 public:
  struct Place {
    int64_t begin = 0, end = 0;  // tokens
    int32_t bytes = 0;           // of its text
    int32_t domain = -1;         // number of its label; -1: none
  };
  /// Throws Error(io), Error(format) for files that are not those of the manifest.
  TokenStream(const std::filesystem::path& folder, const SplitManifest& manifest,
              int64_t vocabulary);

  int64_t tokens() const { return tokens_; }
  /// Throws Error(format) for an id beyond the vocabulary: a damaged file.
  void read(int64_t begin, std::span<int32_t> ids) const;
  int64_t documents() const { return std::ssize(documents_); }
  const Place& document(int64_t number) const { return documents_[static_cast<size_t>(number)]; }
  int64_t document_at(int64_t token) const;  // the number of the document that holds it
  /// Reads all shards. Throws Error(format) for one that is not what was written.
  void check_hashes() const;

 private:
  struct Shard {
    DataShard manifest;
    NpyList ids;
    int64_t begin = 0;
  };
  std::string where_;
  std::vector<Shard> shards_;
  std::vector<Place> documents_;
  int64_t tokens_ = 0, vocabulary_ = 0;
};

class DataFolder {
 public:
  /// Throws Error.
  static std::shared_ptr<const DataFolder> open(const std::filesystem::path& folder);
  const std::filesystem::path& path() const { return path_; }
  const DataManifest& manifest() const { return manifest_; }
  const TokenStream& stream(DataSplit split) const { return streams_[static_cast<size_t>(split)]; }
  /// Bytes of text per id, 0 for special ones; corrected where the tokenizer rewrites texts, so
  /// that the sum over a split is the split's bytes.
  double bytes_of(DataSplit split, int32_t id) const;
  std::filesystem::path tokenizer() const { return path_ / "tokenizer"; }

 private:
  explicit DataFolder(const std::filesystem::path& folder);
  std::filesystem::path path_;
  DataManifest manifest_;
  std::vector<TokenStream> streams_;
  std::vector<int32_t> token_bytes_;
};

struct RowOptions {
  int64_t length = 256;  // tokens of a row
  bool mask = false;     // tokens do not see what stands before their document
};

/// A split cut into rows of equal length, what remains at its end left out. Throws Error(invalid)
/// where it has less than one row.
std::unique_ptr<TokenRows> folder_rows(std::shared_ptr<const DataFolder> folder, DataSplit split,
                                       const RowOptions& options);

}  // namespace ashlar
