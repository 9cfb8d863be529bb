// The engine: a graph, its weights and this CPU, ready to evaluate batches of any number of
// sequences.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "graph/graph.h"
#include "plan/weights.h"
#include "run/executor.h"
#include "tensor/tensor.h"

namespace ashlar {

using TokenId = int32_t;

struct EngineOptions {
  int threads = 0;               // 0: default_threads() of base/cpus.h, one per core
  std::string kernels;           // table name; empty: $ASHLAR_KERNELS or the best this CPU runs
  int64_t context = 4096;        // longest sequence, tokens
  int64_t sequences = 1;         // how many may be open at once
  int64_t chunk = 512;           // most tokens evaluated in one step
  int64_t held_tokens = 0;       // tokens for which there are pages, of all sequences together;
                                 // 0: sequences * context
  bool f32_activations = false;  // exact products (plan/plan.h), also with quantised weights
  bool deterministic = false;    // every step as Run::alone has it
  LatentForm latents = LatentForm::absorbed;  // plan/plan.h
  bool packed_weights = false;                // plan/plan.h
  bool pinned = true;           // threads stay on CPUs of their own, but for the caller's
  std::optional<Format> state;  // f32, f16, bf16 or q8_0 keys and values; default: f32 for float32
                                // weights or activations, else f16
};

/// What an engine allocates beside weights and state, in bytes.
struct EngineBytes {
  int64_t activations = 0;  // everything that a step writes but keys and values
  int64_t copies = 0;       // made of weights: vectors as float32, transposed matrices
};

/// Plans an engine and allocates none of it: weights need no bytes (plan/weights.h, weightless).
EngineBytes engine_bytes(const Graph& graph, const Weights& weights, const EngineOptions& options);
/// The same of a plan that such an engine would make.
EngineBytes engine_bytes(const Plan& plan, const EngineOptions& options);

using SequenceId = int32_t;
using GraphId = int32_t;  // which of an engine's graphs

/// `tokens` of one sequence, right after what it already holds.
struct Run {
  SequenceId sequence = 0;
  std::span<const TokenId> tokens;
  enum class Logits : uint8_t { none, last, all } logits = Logits::last;  // rows of all outputs
  /// What the graph asks for from outside, in the order of Plan::given: a row for each token.
  std::span<const std::span<const float>> given = {};
  /// Every token of the step gets the bits that a step of that token alone gives, whoever else is
  /// in it: kernels for one token, so many tokens take longer. One run that asks for it is enough.
  bool alone = false;
  /// The outputs after the first have a row for each token of the step, whatever rows of logits are
  /// wanted; logits stay the same to the bit. One run that asks for it is enough.
  bool every_row = false;
};

/// Several graphs may share an engine: its threads, its weights and its sequences, of which each
/// graph remembers what it has evaluated itself. So a trunk that gives its logits and its hidden
/// states stands beside a layer that drafts from them. What names no graph is about graph 0.
///
/// Not safe to call from two threads at once.
class Engine {
 public:
  /// Plans the graph for this CPU. Throws Error(invalid) for weights that are missing or of another
  /// size, and Error(resource) when memory does not suffice. Weights are shared, not copied.
  Engine(const Graph& graph, const Weights& weights, const EngineOptions& options);
  Engine(std::span<const Graph> graphs, const Weights& weights, const EngineOptions& options);
  ~Engine();
  Engine(Engine&&) noexcept;

  /// A new, empty sequence; nothing when options.sequences are open already.
  std::optional<SequenceId> open();
  void close(SequenceId sequence);
  /// A new sequence that holds the same tokens without evaluating them: it shares what the other
  /// remembers until one of the two writes there. Nothing when options.sequences are open already.
  std::optional<SequenceId> fork(SequenceId sequence);
  int64_t length(SequenceId sequence, GraphId graph = 0) const;  // tokens it holds
  /// Forgets what comes after; see can_truncate.
  void truncate(SequenceId sequence, int64_t length, GraphId graph = 0);
  /// False where a window has already let go, and for a state of fixed size but to 0 and all.
  bool can_truncate(SequenceId sequence, int64_t length, GraphId graph = 0) const;
  /// Can every sequence go back to where it was before its last `chunk` tokens? Not where a state
  /// of fixed size has taken them in.
  bool can_go_back(GraphId graph = 0) const;

  /// Evaluates all runs in one pass (in chunks of options.chunk tokens) and returns the wanted rows
  /// of the graph's first output in order, [rows, vocab]; valid until the next call for the graph.
  /// Throws Error(invalid) for a token id outside the vocabulary and Error(resource) when a run
  /// would pass options.context or the pages do not suffice for all: then nothing has changed.
  /// `interrupted` is asked between chunks: true ends with no logits, and the sequences hold the
  /// tokens of the chunks that were evaluated.
  std::span<const float> step(std::span<const Run> runs,
                              const std::function<bool()>& interrupted = {}, GraphId graph = 0);
  /// Rows of another output that the last step of the graph gave, by its name in Graph::outputs.
  std::span<const float> output(std::string_view name, GraphId graph = 0) const;
  /// The rows that step() returned last, given away; the engine makes room for others when it needs
  /// it.
  std::vector<float> take_rows(GraphId graph = 0);

  /// Evaluates `tokens` in a sequence of its own and names the step of the plan that makes the
  /// first number that is not finite ("layers.3.ffn.down"); empty if none does, or no sequence is
  /// free.
  std::string first_not_finite(std::span<const TokenId> tokens);

  int64_t vocab() const;
  int64_t context() const;  // longest sequence, tokens
  int64_t chunk() const;    // most tokens of one step
  int threads() const;
  std::string_view kernels() const;
  int64_t state_bytes() const;       // allocated for keys and values
  int64_t activation_bytes() const;  // allocated for everything else that a step writes
  Format state_format() const;

  /// From here on every step of the plan is timed; off forgets what was measured.
  void profile(bool on);
  std::span<const StepProfile> profile() const;
  const Plan& plan(GraphId graph = 0) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ashlar
