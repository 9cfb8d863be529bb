// Losses that keep routers from sending all tokens to few experts, and the loads they are made of.
#pragma once

#include "graph/op.h"

namespace ashlar {

/// chosen index [tokens, chosen] -> [experts]: how many tokens went to each expert, per token of
/// the batch. The loads add up to the number of chosen experts.
struct ExpertLoad {
  static constexpr OpDoc doc{"expert_load", "f_i = |{t, k: e[t, k] = i}| / T", "experts", "f",
                             "Fedus et al. 2021, Switch Transformers, section 2.2"};
  int64_t experts = 1;
  ASHLAR_ATTRIBUTES(experts);
  bool mixes_tokens() const { return true; }
  ASHLAR_FREE_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(ExpertLoad);

/// logits [tokens, experts], load [experts] -> []: with p the router's shares (softmax, or sigmoids
/// over their sum), E the number of experts. As Transformers' load_balancing_loss_func: the number
/// of chosen experts at perfect balance.
struct RouterBalance {
  static constexpr OpDoc doc{"router_balance", "l = E sum_i f_i mean_t p[t, i]", "logits load", "l",
                             "Fedus et al. 2021, Switch Transformers, section 2.2"};
  bool sigmoid = false;
  ASHLAR_ATTRIBUTES(sigmoid);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(RouterBalance);

/// logits, load, dl [] -> dlogits, dload.
struct RouterBalanceGrad {
  static constexpr OpDoc doc{"router_balance_grad",
                             "dz = (dp / dz)^T E f dl / T, df_i = E mean_t p[t, i] dl",
                             "logits load dl", "dlogits dload", ""};
  RouterBalance forward;
  ASHLAR_ATTRIBUTES(forward);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(RouterBalanceGrad);

/// logits [tokens, experts], chosen index [tokens, chosen] -> []: the balance of each sequence by
/// itself, with its own loads; the mean over sequences.
struct SequenceBalance {
  static constexpr OpDoc doc{"sequence_balance", "l = mean_s E sum_i f[s, i] mean_{t in s} p[t, i]",
                             "logits experts", "l", "DeepSeek-V3, section 2.1.2"};
  bool sigmoid = false;
  ASHLAR_ATTRIBUTES(sigmoid);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
  ASHLAR_DERIVATIVE;
};
ASHLAR_DECLARE_OP(SequenceBalance);

/// logits, chosen, dl [] -> dlogits.
struct SequenceBalanceGrad {
  static constexpr OpDoc doc{"sequence_balance_grad", "dz = (dp / dz)^T E f[s] dl / (T_s S)",
                             "logits experts dl", "dlogits", ""};
  SequenceBalance forward;
  ASHLAR_ATTRIBUTES(forward);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(SequenceBalanceGrad);

}  // namespace ashlar
