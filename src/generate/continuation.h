// What one sequence goes on with: from the logits after its last token to the next token, its text,
// and the reason to end. It knows no engine, so that any number of sequences can share a step of
// one.
#pragma once

#include <chrono>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/generate.h"
#include "run/sampler.h"
#include "text/tokenizer.h"

namespace ashlar {

double seconds_since(std::chrono::steady_clock::time_point begin);

/// Length of the longest end of `text` that begins `mark` and is not all of it.
size_t overlap(std::string_view text, std::string_view mark);

/// Throws Error(invalid) for an empty prompt.
void check_prompt(std::span<const TokenId> prompt);

/// Finds stop texts in a stream and holds back what may still become one.
class StopTexts {
 public:
  explicit StopTexts(std::vector<std::string> texts) : texts_(std::move(texts)) {}
  /// Adds text; gives what is certain. `stopped` becomes true when a stop text is complete.
  std::string push(std::string_view text, bool& stopped);
  std::string finish() { return std::move(held_); }

 private:
  std::vector<std::string> texts_;
  std::string held_;
};

/// Not safe to call from two threads at once.
class Continuation {
 public:
  /// `tokenizer` must outlive this; without one there is no text and no stop text. `shown`: special
  /// tokens that are part of the text all the same; `after`: ids that the prompt ends with, behind
  /// which the text goes on. Throws Error(invalid) for sampling options that make no sense.
  Continuation(const Tokenizer* tokenizer, std::vector<TokenId> end_tokens,
               std::span<const TokenId> prompt, const GenerateOptions& options,
               std::vector<TokenId> shown = {}, std::span<const TokenId> after = {});

  bool ended() const { return ended_; }
  /// Chooses the next token from the logits [vocab] after the last one, and returns the text that
  /// no later token can change (it may be empty). Not after the end.
  std::string accept(std::span<const float> logits);
  void end(StopReason reason);
  /// After the end: the text that was held back; nothing without a tokenizer, or where a stop text
  /// has ended it.
  std::optional<std::string> finish();

  Generation& result() { return result_; }
  const Generation& result() const { return result_; }

 private:
  std::string decoded(TokenId id);

  const Tokenizer* tokenizer_;
  std::vector<TokenId> end_tokens_, shown_;
  Sampler sampler_;
  std::optional<StreamDecoder> decoder_;
  StopTexts stops_;
  std::vector<TokenId> history_;
  int64_t max_tokens_;
  bool ignore_end_;
  bool ended_ = false, stopped_ = false;
  Generation result_;
};

}  // namespace ashlar
