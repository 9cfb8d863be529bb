// Perplexity of a text, computed as llama.cpp's tool does, so that numbers can be laid side by
// side.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>

#include "run/engine.h"

namespace ashlar {

struct Perplexity {
  double perplexity = 0;      // exp of the mean negative log-likelihood, natural logarithm
  double standard_error = 0;  // of the perplexity
  int64_t tokens = 0;         // scored
  int64_t windows = 0;
};

/// Cuts `ids` into windows of `window` tokens, what remains at the end is left out. In each window
/// the first token is replaced by `bos` (where given) and the tokens of the second half are scored.
/// The engine's context must hold a window. Error(invalid) when there are fewer ids than one window
/// needs, or for logits that are not finite.
Perplexity perplexity(Engine& engine, std::span<const TokenId> ids, int64_t window,
                      std::optional<TokenId> bos,
                      const std::function<void(int64_t done, int64_t total)>& progress = {});

}  // namespace ashlar
