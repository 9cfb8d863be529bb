// Where a graph begins: token ids, embeddings, learned positions, values from outside.
#pragma once

#include <string>

#include "graph/op.h"

namespace ashlar {

/// The ids of the batch's tokens: index [tokens].
struct TokenIds {
  static constexpr OpDoc doc{"token_ids", "t = the token", "", "t", ""};
  int64_t ahead = 0;  // 1: the token after it in its sequence (multi-token prediction); the last
                      // one stays itself
  template <class V>
  void attributes(V& v) {
    if (ahead != 0 || v.reading) v("ahead", ahead);
  }
  bool mixes_tokens() const { return ahead > 0; }
  ASHLAR_FREE_PRIMITIVE;
  std::vector<Value> derivative(Builder&, Values, Values, Values) const { return {}; }
};
ASHLAR_DECLARE_OP(TokenIds);

/// Numbers that come with the tokens from outside the graph, TokenBatch::given of that name:
/// [tokens, axis]. What another graph gave, for instance.
struct Given {
  static constexpr OpDoc doc{"given", "y = the numbers given with the token", "", "y", ""};
  std::string name;
  std::string axis = "d_model";
  int64_t size = 1;
  ASHLAR_ATTRIBUTES(name, axis, size);
  ASHLAR_FREE_PRIMITIVE;
  std::vector<Value> derivative(Builder&, Values, Values, Values) const { return {}; }
};
ASHLAR_DECLARE_OP(Given);

/// Row t of a table: ids [tokens], table [vocab, d] -> [tokens, d].
struct Embed {
  static constexpr OpDoc doc{"embed", "y = E[t]", "ids table", "y", ""};
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(Embed);

/// Row `position` of a table [positions, d] -> [tokens, d]: learned positions (GPT-2).
struct LearnedPosition {
  static constexpr OpDoc doc{"learned_position", "y = P[position]", "table", "y",
                             "Radford et al. 2018, Improving Language Understanding, section 3.1"};
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(LearnedPosition);

/// The fixed sinusoidal table of the first transformer: [tokens, d] with d from the attribute.
struct SinusoidalPosition {
  static constexpr OpDoc doc{"sinusoidal_position",
                             "y[2i] = sin(p / 10000^(2i/d)), y[2i+1] = cos(p / 10000^(2i/d))", "",
                             "y", "Vaswani et al. 2017, Attention Is All You Need, section 3.5"};
  int64_t d_model = 2;
  ASHLAR_ATTRIBUTES(d_model);
  ASHLAR_FREE_PRIMITIVE;
  std::vector<Value> derivative(Builder&, Values, Values, Values) const { return {}; }
};
ASHLAR_DECLARE_OP(SinusoidalPosition);

}  // namespace ashlar
