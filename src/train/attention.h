// Attention and its gradient for training: per sequence and key head, blocks of queries against the
// keys they see, as products. The backward pass makes the scores of a block again: nothing of
// tokens x tokens is kept.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/batch.h"
#include "ops/attention.h"
#include "train/float_rows.h"
#include "train/products.h"

namespace ashlar {

/// The rows of a batch by sequence, for batches whose sequences stand one after the other.
struct SequenceRows {
  explicit SequenceRows(const TokenBatch& batch);
  struct Run {
    int64_t begin = 0, count = 0;
  };
  std::vector<Run> runs;
  bool in_order = true;
  const std::vector<int32_t>& positions;  // of the batch
};

struct AttentionCall {
  Attention op;
  int64_t kv_heads = 1, group = 1, d = 1, dv = 1;
  // [rows, kv_heads, group, d], [rows, kv_heads, d], [rows, kv_heads, dv], [kv_heads, group] or
  // null
  const float *q = nullptr, *k = nullptr, *v = nullptr, *sinks = nullptr;
  Numbers numbers = Numbers::f32;  // f64: what lies between the products is double too
};

/// out [rows, kv_heads, group, dv].
void attend(const AttentionCall& call, const SequenceRows& rows, float* out, Products& products);

/// The gradients of what was read, given that of the output.
struct AttentionGradients {
  const float* of_out = nullptr;
  float *q = nullptr, *k = nullptr, *v = nullptr, *sinks = nullptr;
};
void attend_backward(const AttentionCall& call, const SequenceRows& rows,
                     const AttentionGradients& gradients, Products& products);

}  // namespace ashlar
