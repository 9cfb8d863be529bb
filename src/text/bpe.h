// Byte pair encoding of one word: over bytes (GPT-2's kind) or over characters (SentencePiece's
// kind).
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/token_map.h"

namespace ashlar {

/// The model of a tokenizer file: its own vocabulary (without added tokens) and its merges.
struct BpeModel {
  struct Merge {
    TokenId left, right, result;
  };
  TokenMap vocab;
  std::vector<Merge> merges;  // first = most urgent
  /// By id, instead of merges: what together spells a token is merged, the highest score first
  /// (SentencePiece); see ScoredMerges.
  std::vector<float> scores;
  std::string unk_token;       // empty: unknown characters vanish
  bool fuse_unk = false;       // one unk token for a run of unknown characters
  bool byte_fallback = false;  // unknown characters become <0xXX> tokens
  bool ignore_merges = false;  // a word that is in the vocabulary is that token
  std::string continuing_prefix, end_suffix;
  bool byte_level = false;  // vocabulary is spelled in GPT-2's alphabet of bytes, words are bytes
  std::vector<TokenId> never;  // tokens that no word may become: control tokens
};

/// The 256 printable characters GPT-2 spells bytes with.
uint32_t byte_to_char(unsigned char byte);
/// The byte that `c` stands for, or -1.
int char_to_byte(uint32_t c);
/// The bytes that a token in GPT-2's alphabet stands for; nothing if it holds any other character.
std::optional<std::string> alphabet_to_bytes(std::string_view token);
std::string bytes_to_alphabet(std::string_view bytes);

/// Vocabulary of tokens that were merged in the order of their ids (tiktoken): every pair of tokens
/// that together spell a token is a merge.
std::vector<BpeModel::Merge> merges_from_ranks(const TokenMap& vocab);

class ScoredMerges;

/// Memory one encoding needs, and the words it has met. Kept between calls; one thread at a time.
class BpeScratch {
 private:
  friend class Bpe;
  // A word of at most 24 bytes and what it became: one cache line.
  struct alignas(64) Entry {
    std::array<uint64_t, 3> word;
    uint8_t size, count;
    std::array<TokenId, 9> ids;
  };
  struct Symbol {
    TokenId id;
    uint32_t rank;   // of merging it with the next one
    TokenId merged;  // the outcome
    uint32_t previous, next;
  };
  struct Pair {
    uint64_t key;  // left << 32 | right, kNoKey if the slot is free
    uint32_t rank;
    TokenId result;
  };
  static constexpr size_t kEntries = size_t{1} << 15, kPairs = size_t{1} << 16;
  // Pages of the table that are never touched cost nothing.
  std::unique_ptr<Entry[]> entries_ = std::make_unique<Entry[]>(kEntries);
  std::vector<Pair> pairs_;  // of a vocabulary with scores, as they were found; result -1: none
  std::string room_;
  std::vector<TokenId> ids_;
  std::vector<Symbol> symbols_;
  std::vector<uint64_t> queue_;
};

class Bpe {
 public:
  /// Throws Error if the parts do not fit together. A model with scores must outlive this.
  Bpe(const BpeModel& model, std::string_view where);
  ~Bpe();

  void encode(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& out) const;

  /// Whether a model with these parts gives the same ids when its words are bytes instead of
  /// characters of GPT-2's alphabet.
  static bool suits_bytes(const BpeModel& model);

 private:
  void encode_new(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& out) const;
  void spell(std::string_view word, std::vector<TokenId>& ids) const;
  void merge_short(std::vector<TokenId>& ids, BpeScratch& scratch) const;
  void merge_long(std::vector<TokenId>& ids, BpeScratch& scratch) const;

  using Pair = BpeScratch::Pair;
  /// Null if the two are not merged. Valid until the next call.
  const Pair* find_pair(TokenId left, TokenId right, BpeScratch& scratch) const;
  const Pair* find_scored(TokenId left, TokenId right, BpeScratch& scratch) const;

  bool byte_level_, byte_fallback_, fuse_unk_, ignore_merges_;
  TokenId unk_ = -1;
  std::string continuing_prefix_, end_suffix_;
  std::array<TokenId, 256> byte_ids_;  // byte level: of the byte; else: of <0xXX>; -1 if missing
  std::array<TokenId, 128> ascii_ids_;
  std::unordered_map<uint32_t, TokenId> char_ids_;
  std::vector<Pair> pairs_;
  std::unique_ptr<const ScoredMerges> scored_;
  std::vector<TokenId> never_;  // in order
  uint32_t pair_shift_ = 0;
  TokenMap words_;  // by text: for ignore_merges, and for symbols with a prefix or suffix
};

}  // namespace ashlar
