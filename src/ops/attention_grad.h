// Gradients of attention: the scores are made again, nothing of size tokens x tokens is kept.
#pragma once

#include "graph/op.h"
#include "ops/attention.h"

namespace ashlar {

/// q, k, v and sinks as attention reads them, do like its output -> dq, dk, dv and, with sinks,
/// dsinks, each like what it belongs to.
struct AttentionGrad {
  static constexpr OpDoc doc{
      "attention_grad",
      "p = softmax(s), ds = p (do v^T - p do v^T), dq = scale ds k, dk = scale ds^T q, dv = p^T do",
      "q k v do sinks?", "dq dk dv dsinks?", "Dao et al. 2022, FlashAttention, appendix B.2"};
  Attention forward;
  ASHLAR_ATTRIBUTES(forward);
  bool mixes_tokens() const { return true; }
  ASHLAR_PRIMITIVE;
};
ASHLAR_DECLARE_OP(AttentionGrad);

/// The inputs of latent attention and do like its output -> the gradients of the inputs, in order.
struct LatentAttentionGrad {
  static constexpr OpDoc doc{
      "latent_attention_grad",
      "k = [W_k c, k_r], v = W_v c; attention's gradient, then dc = W_k^T dk "
      "+ W_v^T dv",
      "q_nope q_rope latent k_rope w_k w_v do", "dq_nope dq_rope dlatent dk_rope dw_k dw_v", ""};
  LatentAttention forward;
  ASHLAR_ATTRIBUTES(forward);
  std::vector<Type> types(Types in) const;
  int64_t flops(Types in, const Workload& load) const;
  std::vector<Value> expand(Builder& b, Values in) const;
};
ASHLAR_DECLARE_OP(LatentAttentionGrad);

}  // namespace ashlar
