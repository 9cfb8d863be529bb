// How steps are cut into tasks: what src/run shares out to threads, and what predictions count.
//
// A cut never changes the order of a sum: results are equal to the bit for any number of threads.
#pragma once

#include <cstdint>

#include "base/round_up.h"
#include "plan/plan.h"

namespace ashlar {

/// Matrix products: a task computes `rows` outputs of one matrix for one block of the tokens.
struct ProductTasks {
  int64_t rows = 1;
  int64_t token_blocks = 1;
  int64_t row_blocks(int64_t all_rows) const { return blocks_of(all_rows, rows); }
  /// First token of a block, of all `tokens`.
  int64_t token_begin(int64_t tokens, int64_t block) const { return tokens * block / token_blocks; }
};

ProductTasks tasks_of(const MatMulStep& step, int64_t tokens, int threads);
ProductTasks tasks_of(const HeadMatMulStep& step, int64_t tokens, int threads);
/// Of the `active` experts that some of the step's tokens chose; a task takes all slots of one.
ProductTasks tasks_of(const ExpertStep& step, int64_t tokens, int64_t active, int threads);

int64_t count_tasks(const MatMulStep& step, int64_t tokens, int threads);
int64_t count_tasks(const HeadMatMulStep& step, int64_t tokens, int threads);
int64_t count_tasks(const ExpertStep& step, int64_t tokens, int64_t active, int threads);

/// Attention: per run of tokens of a sequence and key head, a share of the query heads and a block
/// of the tokens.
struct AttentionTasks {
  int64_t shares = 1;        // of the query heads of a key head
  int64_t share_heads = 1;   // in one of them, but the last
  int64_t block_tokens = 1;  // of a run

  int64_t blocks(int64_t run_tokens) const { return blocks_of(run_tokens, block_tokens); }
  int64_t count(const AttentionStep& step, int64_t run_tokens) const {
    return blocks(run_tokens) * step.kv_heads * shares;
  }
};
/// Query rows (tokens times heads) of a task at most: what kernels keep in cache at once.
inline constexpr int64_t kAttentionRows = 64;
/// For `runs` runs of `tokens` tokens together.
AttentionTasks attention_tasks(int64_t kv_heads, int64_t group, int64_t runs, int64_t tokens);

/// Channels of a convolution that a task takes: a few cache lines of each token's row.
inline constexpr int64_t kConvolutionChannels = 256;
/// Tasks of each sequence: blocks of channels, or value heads.
int64_t shares_of(const RecurrentStep& step);

/// Rows that a task takes through all operations of a row step of `rows` rows.
int64_t rows_of_task(int64_t rows, int threads);

}  // namespace ashlar
