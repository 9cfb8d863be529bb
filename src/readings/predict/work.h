// The work of evaluating a batch, as a runtime does it: products, attention, rows of numbers.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "ashlar/count.h"
#include "graph/batch.h"

namespace ashlar {

struct Work {
  enum class What : uint8_t { rows, product, experts, attention } what = What::rows;
  std::string scope;      // "layers.3.attn.q"
  std::string_view kind;  // readings/kinds.h
  bool begins_step = false;
  double operations = 0;

  // Products: weights that are touched, and the tokens each of them meets.
  Format format = Format::f32;
  double weights = 0, weight_bytes = 0, tokens = 0;
  double prepared = 0;  // numbers of the input, if this product is the first to read it
  int64_t cols = 0;     // of the matrix

  // Attention: numbers of one key and value, query heads that share them, keys seen by all queries.
  double state_bytes = 0;
  int64_t group = 1, k_dim = 0, v_dim = 0, context = 0, queries = 1;
  double tasks = 0;  // that threads share; 0: so many that it does not matter

  // Rows: numbers read or written, and what is done to them.
  double numbers = 0;
  std::string_view row;  // norm, rope, gated, add, other
};

/// In the order of the graph. `wanted`: tokens whose logits are wanted; what only they need is done
/// for them alone. Latent attention is in its absorbed form if `absorbed`.
std::vector<Work> work_of(const Graph& graph, const WeightFormats& formats, Format state,
                          const Workload& load, int64_t wanted, bool absorbed);

}  // namespace ashlar
