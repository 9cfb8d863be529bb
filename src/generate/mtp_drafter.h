// Drafting with a model's own layer for multi-token prediction.
#pragma once

#include <map>
#include <memory>
#include <span>
#include <vector>

#include "ashlar/generate.h"
#include "model/model.h"
#include "run/engine.h"

namespace ashlar {

/// The model's engine: with `mtp` graph 0 is its trunk, which also gives "hidden", and graph 1 its
/// layer for multi-token prediction. Throws Error(unsupported) where it has none.
Engine engine_of(const Model& model, const EngineOptions& options, bool mtp);
/// Numbers in a row of "hidden".
size_t width_of_hidden(const Engine& engine);

/// Serves all sequences of an engine of engine_of(..., mtp). Row t of graph 1 is made of the hidden
/// state of token t and of token t + 1, and predicts token t + 2; guesses after the first take the
/// layer's own hidden states, whose rows are taken back.
class MtpDrafter : public Drafter {
 public:
  /// `engine` must outlive this.
  explicit MtpDrafter(Engine& engine);
  bool serves(const Engine& engine) const { return &engine == &engine_; }

  /// `sequence` has evaluated `tokens` from `first` on, and perhaps guesses behind them: rows of its
  /// output "hidden". Evaluates the rows whose next token is known.
  void evaluated(SequenceId sequence, std::span<const TokenId> tokens, int64_t first,
                 std::span<const float> hidden);
  /// Of the sequence that was evaluated last, or that serve() names.
  std::vector<TokenId> guess(std::span<const TokenId> tokens, int64_t most) override;
  void serve(SequenceId sequence) { sequence_ = sequence; }

 private:
  /// Of the rows that wait, those whose next token is one of `tokens`.
  int64_t ready(std::span<const TokenId> tokens) const;
  /// Evaluates so many of them.
  std::span<const float> evaluate(std::span<const TokenId> tokens, int64_t count,
                                  Run::Logits logits);

  Engine& engine_;
  size_t width_;
  SequenceId sequence_ = 0;
  /// Hidden states of the tokens after those that graph 1 holds, which are `first`; another length
  /// than that is of another sequence of the same number.
  struct Waiting {
    int64_t first = 0;
    std::vector<float> rows;
  };
  std::map<SequenceId, Waiting> waiting_;
};

/// Throws as the public mtp_drafter does.
std::shared_ptr<Drafter> mtp_drafter(Engine& engine);

}  // namespace ashlar
