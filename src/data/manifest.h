// manifest.json of a data folder: what is in it and which tokenizer made it.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_members.h"

namespace ashlar {

enum class DataSplit : uint8_t { train, validation };
inline constexpr std::array<const char*, 2> kSplitNames{"train", "validation"};

struct DataAmount {
  int64_t documents = 0, tokens = 0, bytes = 0;
  void operator+=(const DataAmount& more) {
    documents += more.documents;
    tokens += more.tokens;
    bytes += more.bytes;
  }
  ASHLAR_JSON(documents, tokens, bytes);
};

struct DataShard {
  std::string file;
  int64_t tokens = 0;
  std::string hash;  // xxh64 of the numbers
  ASHLAR_JSON(file, tokens, hash);
};

struct SplitManifest {
  DataAmount all;
  int64_t bytes_in_tokens = 0;  // the sum of token_bytes.npy over the tokens
  std::vector<DataShard> shards;
  std::string documents_file;                 // int32 [documents, 3]: tokens, bytes, domain
  std::map<std::string, DataAmount> domains;  // of documents with a label
};

struct DataManifest {
  std::string tokenizer;              // what it was called when the data was built
  std::string tokenizer_fingerprint;  // data/identity.h
  int64_t vocabulary = 0;             // ids are below it
  std::optional<int64_t> end;         // the token after each document
  double validation = 0;              // share of documents asked for
  uint64_t seed = 0;                  // of the split
  std::vector<std::string> domains;   // labels by their numbers
  std::vector<std::string> corpora;
  int64_t duplicates = 0, duplicate_bytes = 0;  // documents left out
  std::string fingerprint;                      // of tokens, documents and tokenizer
  std::array<SplitManifest, 2> splits;
  const SplitManifest& operator[](DataSplit s) const { return splits[static_cast<size_t>(s)]; }
};

Json to_json(const DataManifest& manifest);
/// Throws Error(format) that names `where`.
DataManifest manifest_from_json(const Json& json, const std::string& where);

}  // namespace ashlar
