// Generation: one sequence, token by token, until something ends it.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "ashlar/generate.h"
#include "generate/drafting.h"
#include "generate/held_sequence.h"
#include "model/model.h"
#include "run/engine.h"
#include "run/sampler.h"

namespace ashlar {

/// What conversations ask of a generation beside its options.
struct GenerateHooks {
  std::vector<TokenId> shown;  // special tokens that are part of the text all the same
  /// Ids that the prompt ends with and that belong to the same text: it goes on behind them.
  std::span<const TokenId> after;
  /// Asked when the context is full, with the number of tokens generated: a shorter prompt in place
  /// of the first, after which what was generated stands; empty ends the generation.
  std::function<std::vector<TokenId>(int64_t generated)> shorten;
  /// Tokens of the prompt that are evaluated, of all that have to be; between chunks.
  std::function<void(int64_t done, int64_t total)> progress;
};

/// Holds one sequence of an engine. A prompt that begins like what the sequence already holds (a
/// chat's next turn) is evaluated from where it differs.
class Generator {
 public:
  /// `engine` and `tokenizer` must outlive this; without a tokenizer there is no text and no stop
  /// text.
  Generator(Engine& engine, const Tokenizer* tokenizer, std::vector<TokenId> end_tokens);

  /// `prompt` is the whole sequence so far. Throws Error(invalid) for an empty prompt or one that
  /// does not fit, or logits that are not finite.
  Generation generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                      const OnText& on_text = {}, const GenerateHooks& hooks = {});

 private:
  std::span<const float> evaluate(std::span<const TokenId> prompt, const GenerateOptions& options,
                                  const GenerateHooks& hooks, Draft& draft, Generation& result);
  /// When the context is full: logits after what was generated behind a shorter prompt; none where
  /// there is none, and then `reason` says why it ends.
  std::span<const float> with_less(const GenerateOptions& options, const GenerateHooks& hooks,
                                   Draft& draft, const Generation& result, StopReason& reason);
  /// Error for logits that are not finite; the sequence is given back first.
  void check_logits(std::span<const float> logits);

  Engine& engine_;
  const Tokenizer* tokenizer_;
  std::vector<TokenId> end_tokens_;
  HeldSequence held_;
};

}  // namespace ashlar
