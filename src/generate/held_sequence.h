// A sequence of an engine and the tokens that it holds.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "run/engine.h"

namespace ashlar {

/// Evaluates texts from where they differ from what came before. Not safe from two threads at once.
class HeldSequence {
 public:
  /// `engine` must outlive this.
  explicit HeldSequence(Engine& engine) : engine_(engine) {}
  ~HeldSequence() { close(); }
  HeldSequence(const HeldSequence&) = delete;
  HeldSequence& operator=(const HeldSequence&) = delete;

  /// Goes back, or begins anew, to the tokens that stand at the beginning of `tokens` too, but for
  /// the last of them: its logits are wanted. Gives how many those are. Throws Error(resource) where
  /// the engine has no free sequence.
  size_t go_back_to(std::span<const TokenId> tokens);
  void close();
  SequenceId id() const { return *id_; }

  std::vector<TokenId> tokens;  // what it holds, kept up to date by whoever evaluates more

 private:
  Engine& engine_;
  std::optional<SequenceId> id_;
};

}  // namespace ashlar
