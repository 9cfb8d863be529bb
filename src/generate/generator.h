// Generation: one sequence, token by token, until something ends it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/model.h"
#include "run/engine.h"
#include "run/sampler.h"

namespace ashlar {

struct GenerateOptions {
  int64_t max_tokens = 256;
  SamplingOptions sampling;
  std::vector<std::string> stop;      // text that ends the generation; it is not part of the result
  bool ignore_end = false;            // goes on after end tokens
  std::function<bool()> interrupted;  // asked between chunks of the prompt and between tokens
};

enum class StopReason { end_token, stop_text, max_tokens, context_full, interrupted };
std::string_view to_string(StopReason reason);

struct Generation {
  std::vector<TokenId> ids;  // an end token that stopped it stands last
  std::string text;          // of ids, without special tokens; cut before a stop text
  StopReason stop = StopReason::max_tokens;
  int64_t prompt_tokens = 0;     // of the whole prompt
  int64_t evaluated_tokens = 0;  // of them, not remembered from before
  double prefill_seconds = 0;    // of the evaluated ones, to the first token's logits
  double decode_seconds = 0;     // of all further tokens
  double prefill_tokens_per_second() const;
  double decode_tokens_per_second() const;
};

/// Called after each token with the text that no later token can change (it may be empty); false
/// ends the generation.
using OnText = std::function<bool(std::string_view text)>;

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
