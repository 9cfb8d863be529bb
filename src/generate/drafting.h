// Guesses of the next tokens, and what the model makes of them.
#pragma once

#include <memory>

#include "ashlar/generate.h"
#include "model/model.h"
#include "run/engine.h"

namespace ashlar {

/// Drafts with an engine of its own for `draft`; `options.context` is cut to what the draft model
/// was made for. Throws as the public model_drafter does.
std::shared_ptr<Drafter> model_drafter(const std::shared_ptr<const Model>& draft,
                                       const Model& target, EngineOptions options);

class MtpDrafter;

/// The guesses of one sequence: how many, and how far the model has followed them.
class Draft {
 public:
  /// Guesses nothing where there is no drafter, or where sequences of the engine cannot go back.
  Draft(const Engine& engine, const GenerateOptions& options);

  /// Whether it has to be told what was evaluated, with the engine's output "hidden" for every token
  /// (Run::every_row).
  bool reads_hidden() const { return mtp_ != nullptr; }
  /// The sequence holds tokens from `first` on whose rows of "hidden" are these; `tokens` are all
  /// that are known of it.
  void evaluated(SequenceId sequence, std::span<const TokenId> tokens, int64_t first,
                 std::span<const float> hidden);

  /// Guesses what follows `tokens`, the last of which is not yet evaluated.
  void guess(std::span<const TokenId> tokens, Generation& result);
  std::span<const TokenId> tokens() const { return tokens_; }
  /// The model has chosen `id` after the last token or the guesses so far: is that the next guess?
  /// Otherwise the remaining guesses are wrong.
  bool follows(TokenId id, Generation& result);

 private:
  const Engine& engine_;
  std::shared_ptr<Drafter> drafter_;
  MtpDrafter* mtp_ = nullptr;  // the same, where it is one
  SequenceId sequence_ = 0;    // that mtp_ serves
  int64_t max_tokens_;         // of the generation
  int64_t most_, length_;      // guesses in a row: at most, and next time
  std::vector<TokenId> tokens_;
  size_t followed_ = 0;
};

}  // namespace ashlar
