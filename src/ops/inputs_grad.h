// Gradients of tables that tokens look rows up in, and numbers that depend on nothing.
#pragma once

#include "graph/op.h"

namespace ashlar {

/// ids index [tokens], dy [tokens, d] -> the table's gradient [axis = count, d].
struct EmbedGrad {
  static constexpr OpDoc doc{"embed_grad", "dE[i] = sum_{t: id_t = i} dy_t", "ids dy", "dtable",
                             ""};
  std::string axis = "vocab";
  int64_t count = 1;
  ASHLAR_ATTRIBUTES(axis, count);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(EmbedGrad);

/// dy [tokens, d] -> the gradient of the table of positions [axis = count, d].
struct LearnedPositionGrad {
  static constexpr OpDoc doc{"learned_position_grad", "dP[i] = sum_{t: position_t = i} dy_t", "dy",
                             "dtable", ""};
  std::string axis = "positions";
  int64_t count = 1;
  ASHLAR_ATTRIBUTES(axis, count);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(LearnedPositionGrad);

/// The same number throughout [axes...]: where a backward pass begins (1), and the gradient of a
/// parameter on which no number depends (0).
struct Constant {
  static constexpr OpDoc doc{"constant", "y = value", "", "y", ""};
  double value = 0;
  std::string axes;  // "vocab=16;d_model=6"; empty: one number
  ASHLAR_ATTRIBUTES(value, axes);
  ASHLAR_FREE_PRIMITIVE;
  std::vector<Value> derivative(Builder&, Values, Values, Values) const { return {}; }
};
ASHLAR_DECLARE_OP(Constant);

}  // namespace ashlar
