// Generation: prompts continued token by token, one or several at a time.
//
//   ashlar::Engine engine(model);
//   ashlar::Stream stream(engine, model.tokenize("The sea is"), {.max_tokens = 40});
//   while (const auto text = stream.next()) std::cout << *text << std::flush;
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/engine.h"
#include "ashlar/sampling.h"

namespace ashlar {

/// Guesses how a sequence goes on (speculative decoding: Leviathan et al. 2023). The model then
/// evaluates several tokens in one step and keeps those that it would have chosen itself: drafting
/// changes the speed of a generation, never its tokens. One drafter serves one generation at a
/// time.
class Drafter {
 public:
  virtual ~Drafter() = default;
  /// Up to `most` tokens that may follow `tokens`, all of the sequence so far; fewer or none where
  /// there is no good guess.
  virtual std::vector<TokenId> guess(std::span<const TokenId> tokens, int64_t most) = 0;
};

/// Copies what followed the last tokens where they stood before (prompt lookup: Saxena 2023): for
/// texts that repeat what they were given, such as edits and summaries. Costs next to nothing.
std::shared_ptr<Drafter> lookup_drafter();

struct GenerateOptions {
  int64_t max_tokens = 256;
  SamplingOptions sampling;
  std::vector<std::string> stop;      // text that ends the generation; it is not part of the result
  bool ignore_end = false;            // goes on after end tokens
  std::function<bool()> interrupted;  // asked between chunks of the prompt and between tokens
  std::shared_ptr<Drafter> drafter;   // none: one token at a time
  int64_t draft_tokens = 3;           // most that are guessed in a row
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
  int64_t drafted_tokens = 0;    // guessed by the drafter
  int64_t accepted_tokens = 0;   // of them, those that the model chose too
  double prefill_tokens_per_second() const;
  double decode_tokens_per_second() const;
};

/// Called after each token with the text that no later token can change (it may be empty); false
/// ends the generation.
using OnText = std::function<bool(std::string_view text)>;

}  // namespace ashlar

namespace ASHLAR_V1 {

/// Drafts with a model of the same vocabulary, the smaller the better: its likeliest tokens are the
/// guesses. `options` are those of its engine; a sequence longer than its context gets no guesses.
/// Throws Error(invalid) where `draft` has no weights or another vocabulary than `target`, and
/// Error(unsupported) where it cannot go back to an earlier token (recurrent layers).
std::shared_ptr<Drafter> model_drafter(const Model& draft, const Model& target,
                                       const EngineOptions& options = {});

/// Drafts with the model's own layer for multi-token prediction (DeepSeek-V3, section 2.2): from what
/// the last layer made of the last token, and from the token that was chosen after it; further
/// guesses from its own. For sequences of `engine`, which must outlive it and was made with
/// EngineOptions::mtp; one whose beginning was evaluated without the drafter gets no guesses. Throws
/// Error(invalid) for an engine made without, Error(unsupported) where its sequences cannot go back
/// to an earlier token (recurrent layers).
std::shared_ptr<Drafter> mtp_drafter(Engine& engine);

/// From logits to token ids by the options' rules. Same seed, options and logits: same tokens, on
/// every machine. One per sequence; not safe to call from two threads at once.
class Sampler {
 public:
  /// Throws Error(invalid) for options that make no sense.
  explicit Sampler(const SamplingOptions& options);
  ~Sampler();
  Sampler(Sampler&&) noexcept;
  Sampler& operator=(Sampler&&) noexcept;
  /// The token after logits [vocab]. `history` is what penalties look at, oldest first: the prompt
  /// counts for the repetition penalty only, the last `generated` tokens for all.
  TokenId next(std::span<const float> logits, std::span<const TokenId> history, int64_t generated);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// One sequence being generated. The reader asks for token after token and may leave at any time:
/// destroying a stream closes its sequence.
///
/// Streams of one engine share its thread contract: not safe to call two of them at once, nor one
/// while the engine is in use. advance() is how several go on together.
class Stream {
 public:
  /// Opens a sequence; evaluates nothing yet. `engine` must outlive the stream. With `sequence`,
  /// an open one of the engine that already holds a beginning of the prompt (shorter than it) is
  /// taken over: that part is not evaluated again. Throws Error(invalid) for an empty prompt, and
  /// Error(resource) where the engine has no free sequence.
  Stream(Engine& engine, std::span<const TokenId> prompt, const GenerateOptions& options = {},
         std::optional<SequenceId> sequence = std::nullopt);
  ~Stream();
  Stream(Stream&&) noexcept;
  Stream& operator=(Stream&&) noexcept;

  /// Evaluates what the sequence has not yet (at first the prompt), chooses one token (with a
  /// drafter also those after it that were guessed right), and returns the text that has become
  /// certain: it may be empty; all of them together are result().text. Nothing once the generation
  /// has ended. Throws Error(resource) when the context is too small for the prompt, Error(invalid)
  /// for logits that are not finite; then the stream has ended.
  std::optional<std::string> next();
  /// The same for several streams of one engine in one evaluation, which costs little more than
  /// that of one. result[i] is what streams[i]->next() would return; but a long prompt takes
  /// several calls (with empty texts), so that the others need not wait for it. Ended streams are
  /// passed over. Throws as next() does, after all others have got their token.
  static std::vector<std::optional<std::string>> advance(std::span<Stream* const> streams);

  bool ended() const;
  /// Ends it (StopReason::interrupted) and closes its sequence. May be called at any time, also
  /// between the steps of others.
  void cancel();
  /// What has been generated so far.
  const Generation& result() const;
  SequenceId sequence() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Generates to the end: the same as a Stream read until it ends. Throws as Stream does.
Generation generate(Engine& engine, std::span<const TokenId> prompt,
                    const GenerateOptions& options = {}, const OnText& on_text = {});
/// Several prompts, as many together as the engine has free sequences; results in their order.
std::vector<Generation> generate(Engine& engine, std::span<const std::vector<TokenId>> prompts,
                                 const GenerateOptions& options = {});

/// A conversation with one model: holds one sequence of an engine, and evaluates of a prompt only
/// what comes after what it has in common with the last one. Not safe to call from two threads at
/// once, nor while another uses the engine.
class Generator {
 public:
  /// `engine` must outlive this.
  explicit Generator(Engine& engine);
  ~Generator();
  Generator(Generator&&) noexcept;
  /// `prompt` is the whole sequence so far. Throws Error(invalid) for an empty prompt or logits
  /// that are not finite, Error(resource) for one that does not fit.
  Generation generate(std::span<const TokenId> prompt, const GenerateOptions& options = {},
                      const OnText& on_text = {});

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ASHLAR_V1
