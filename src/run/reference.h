// The plain-loop evaluation of a model with its real weights: what an engine's logits are held
// against.
#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "graph/evaluate.h"
#include "run/engine.h"

namespace ashlar {

/// Weights as the plain loops read them: float32, converted once each.
class ReferenceWeights {
 public:
  explicit ReferenceWeights(const Weights& weights) : weights_(weights) {}
  const Array<float>& operator()(const Param& param);
  ParamValues<float> values() {
    return [this](const Param& p) -> const Array<float>& { return (*this)(p); };
  }

 private:
  const Weights& weights_;
  std::map<std::string, Array<float>> made_;
};

/// Logits [tokens, vocab] of one whole sequence by plain loops.
std::vector<float> reference_logits(const Graph& graph, const Weights& weights,
                                    std::span<const TokenId> tokens);

}  // namespace ashlar
