// Generation: one sequence, token by token, until something ends it.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "ashlar/generate.h"
#include "model/model.h"
#include "run/engine.h"
#include "run/sampler.h"

namespace ashlar {

/// Holds one sequence of an engine. A prompt that begins like what the sequence already holds (a
/// chat's next turn) is evaluated from where it differs.
class Generator {
 public:
  /// `engine` and `tokenizer` must outlive this; without a tokenizer there is no text and no stop
  /// text.
  Generator(Engine& engine, const Tokenizer* tokenizer, std::vector<TokenId> end_tokens);
  ~Generator();
  Generator(const Generator&) = delete;
  Generator& operator=(const Generator&) = delete;

  /// `prompt` is the whole sequence so far. Throws Error(invalid) for an empty prompt or one that
  /// does not fit, or logits that are not finite.
  Generation generate(std::span<const TokenId> prompt, const GenerateOptions& options,
                      const OnText& on_text = {});

 private:
  std::span<const float> evaluate(std::span<const TokenId> prompt, const GenerateOptions& options,
                                  Generation& result);
  /// Error for logits that are not finite; the sequence is given back first.
  void check_logits(std::span<const float> logits);

  Engine& engine_;
  const Tokenizer* tokenizer_;
  std::vector<TokenId> end_tokens_;
  std::optional<SequenceId> sequence_;
  std::vector<TokenId> held_;  // what the sequence remembers
};

}  // namespace ashlar
