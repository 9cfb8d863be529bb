// Byte-level BPE learned from text, written as the tokenizer.json that Hugging Face's tokenizers
// reads.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace ashlar {

/// How often each word of a text occurs: words as GPT-2's byte-level pre-tokenizer cuts them.
class WordCounts {
 public:
  /// Counts the words of all texts, on `threads` threads (0: one per core).
  void add(std::span<const std::string> texts, int threads = 0);
  const std::unordered_map<std::string, int64_t>& words() const { return counts_; }
  int64_t bytes() const { return bytes_; }  // of text so far

 private:
  std::unordered_map<std::string, int64_t> counts_;
  int64_t bytes_ = 0;
};

struct BpeTrainerOptions {
  int64_t vocab = 4096;                               // tokens in all; at least 256 + special ones
  std::vector<std::string> special{"<|endoftext|>"};  // ids from 0; the first ends documents
  int64_t min_frequency = 2;                          // of a pair that becomes a token
  std::function<void(int64_t done, int64_t total)> progress;  // tokens
};

/// Ids: special tokens, the 256 bytes in the order of GPT-2's characters for them, merges.
struct TrainedBpe {
  std::vector<std::string> special;
  std::vector<std::string> tokens;  // by id, spelled in GPT-2's alphabet; special ones as they are
  std::vector<std::pair<int32_t, int32_t>> merges;  // first = most urgent
};

/// The most frequent pair becomes a token until there are `vocab`, or no pair occurs often enough;
/// of equally frequent ones that of the lower ids. Vocabulary and merges equal those of Hugging
/// Face's BpeTrainer (with its byte-level alphabet). Throws Error(invalid).
TrainedBpe train_bpe(const WordCounts& words, const BpeTrainerOptions& options);

/// A vocabulary of bytes and special tokens alone.
TrainedBpe byte_vocabulary(const std::vector<std::string>& special = {"<|endoftext|>"});

std::string tokenizer_json_of(const TrainedBpe& bpe);
std::string tokenizer_config_json_of(const TrainedBpe& bpe);

}  // namespace ashlar
