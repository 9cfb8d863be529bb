// Merges of a SentencePiece vocabulary that has scores instead of a list: two tokens that together spell a
// token are merged, the highest score first.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "text/bpe.h"

namespace ashlar {

/// All merges in the order Hugging Face's conversion gives them: by the outcome's score, then by the
/// length of the left part, then of the right one, then by the outcome's id. `model.scores` says the
/// scores. Runs on all threads.
std::vector<BpeModel::Merge> merges_from_scores(const BpeModel& model);

/// The same merges, found as they are asked for: making the list of a vocabulary of 262,144 tokens
/// takes 0.3 core-seconds, a text needs few of them. Safe to share among threads.
class ScoredMerges {
 public:
  struct Merge {
    uint32_t rank;  // the lower the more urgent, as positions in merges_from_scores() would be
    TokenId result;
  };
  /// `model` must outlive this.
  explicit ScoredMerges(const BpeModel& model);

  /// What `left` and `right` become; result -1: they are not merged. `room` is working memory.
  Merge find(TokenId left, TokenId right, std::string& room) const;

 private:
  /// Tokens of one score share an order of merges, which their list settles; others are alone.
  struct Token {
    uint32_t name = UINT32_MAX;  // index in the vocabulary
    uint32_t rank = 0;           // of the merge with the longest left part
    bool tied = false;
  };
  std::string_view text_of(TokenId id) const;

  const TokenMap& vocab_;
  std::vector<Token> tokens_;  // by id
  std::unordered_map<uint64_t, Merge> tied_;
};

}  // namespace ashlar
