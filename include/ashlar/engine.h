// The engine: a model on this CPU, ready to evaluate tokens of any number of sequences.
//
//   ashlar::Engine engine(model, {.context = 8192, .sequences = 4});
//   const ashlar::SequenceId s = engine.open().value();
//   const ashlar::Run run{s, ids, ashlar::Run::Logits::last};
//   std::span<const float> row = engine.step({&run, 1});   // [1, vocab]
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/format.h"
#include "ashlar/model.h"

namespace ashlar {
using SequenceId = int32_t;
}  // namespace ashlar

namespace ASHLAR_V1 {

struct EngineOptions {
  int threads = 0;               // 0: one per core
  std::string kernels;           // instruction set ("avx2"); empty: $ASHLAR_KERNELS or the best
  int64_t context = 4096;        // longest sequence, tokens
  int64_t sequences = 1;         // how many may be open at once
  int64_t chunk = 512;           // most tokens evaluated in one step
  int64_t held_tokens = 0;       // tokens of all sequences together for which there is memory;
                                 // 0: sequences * context
  bool f32_activations = false;  // rounds nothing but sums, also with quantised weights
  bool deterministic = false;    // a token's logits do not depend on what is evaluated with it:
                                 // not on other sequences, not on how a text is cut into steps
  bool packed_weights = false;   // matrices also in the kernels' panels, packed once: steps of some
                                 // dozen tokens are faster, for the memory of a second copy
  bool mtp = false;              // also the model's layer for multi-token prediction, from which
                                 // mtp_drafter drafts; more state and memory for rows
  bool pinned = true;            // threads stay on CPUs of their own, but for the caller's
  std::optional<Format> state;   // f32, f16, bf16 or q8_0 keys and values; default: f32
                                 // for float32 weights or activations, else f16
};

/// Tokens of one sequence, right after what it already holds.
struct Run {
  SequenceId sequence = 0;
  std::span<const TokenId> tokens;
  enum class Logits : uint8_t { none, last, all } logits = Logits::last;  // rows wanted
};

/// Not safe to call from two threads at once; several engines of one model may run at a time, each
/// with its threads. Weights are shared with the model, not copied; the model may be destroyed
/// first.
class Engine {
 public:
  /// Throws Error(invalid) for a model without weights or options out of range, Error(unsupported)
  /// for `mtp` of a model without such a layer, Error(resource) when memory does not suffice.
  explicit Engine(const Model& model, const EngineOptions& options = {});
  ~Engine();
  Engine(Engine&&) noexcept;

  /// A new, empty sequence; nothing when EngineOptions::sequences are open already.
  std::optional<SequenceId> open();
  void close(SequenceId sequence);
  /// A new sequence that holds the same tokens without evaluating them: it shares what the other
  /// remembers until one of the two writes there. Nothing when no sequence is free.
  std::optional<SequenceId> fork(SequenceId sequence);
  int64_t length(SequenceId sequence) const;  // tokens it holds
  /// Whether it can go back to `length` tokens: false where a window has already let go, and for
  /// recurrent layers unless `length` is 0 or all.
  bool can_truncate(SequenceId sequence, int64_t length) const;
  void truncate(SequenceId sequence, int64_t length);  // throws Error(invalid) where it cannot

  /// Evaluates all runs in one pass (in chunks of EngineOptions::chunk tokens) and returns the
  /// wanted rows of logits in order, [rows, vocab]; valid until the next call. Throws
  /// Error(invalid) for a token id outside the vocabulary, Error(resource) when a run would pass
  /// the context or memory for tokens does not suffice for all: then nothing has changed.
  /// `interrupted` is asked between chunks: true ends with no logits, and the sequences hold the
  /// tokens of the chunks that were evaluated.
  std::span<const float> step(std::span<const Run> runs,
                              const std::function<bool()>& interrupted = {});
  /// The logits of `tokens` [tokens, vocab] or of the last of them [1, vocab], in a sequence of
  /// its own that is closed again. The array owns its numbers: they are the engine's own buffer,
  /// given away. Throws as step() does, and Error(resource) where no sequence is free.
  FloatArray logits(std::span<const TokenId> tokens, Run::Logits rows = Run::Logits::all);

  int64_t vocab() const;    // numbers in a row of logits
  int64_t context() const;  // longest sequence, tokens
  int threads() const;
  std::string_view kernels() const;  // name of the instruction set in use
  int64_t state_bytes() const;       // allocated for keys and values
  int64_t activation_bytes() const;  // allocated for everything else that a step writes
  Format state_format() const;
  const Model& model() const;

  struct Impl;  // the library's own
  Impl& impl() const { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace ASHLAR_V1
