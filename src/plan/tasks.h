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
  /// First token of a block, of all `tokens`: that of a whole group.
  int64_t token_begin(int64_t tokens, int64_t block) const {
    if (block == token_blocks) return tokens;
    return blocks_of(tokens, kernels::kTokenGroup) * block / token_blocks * kernels::kTokenGroup;
  }
};

ProductTasks tasks_of(const MatMulStep& step, int64_t tokens, int threads);
ProductTasks tasks_of(const HeadMatMulStep& step, int64_t tokens, int threads);
/// Of the `active` experts that some of the step's tokens chose; a task takes all slots of one.
ProductTasks tasks_of(const ExpertStep& step, int64_t tokens, int64_t active, int threads);

int64_t count_tasks(const MatMulStep& step, int64_t tokens, int threads);
int64_t count_tasks(const HeadMatMulStep& step, int64_t tokens, int threads);
int64_t count_tasks(const ExpertStep& step, int64_t tokens, int64_t active, int threads);

/// Attention of a run of tokens of one sequence: per key head, shares of its query heads, blocks of
/// the tokens and parts of the keys, whose sums are merged in their order by whoever ends last.
struct AttentionTasks {
  int64_t first = 0, tokens = 0;  // position of the run's first token; its tokens
  int64_t kv_heads = 1, group = 1;
  int64_t window = 0, chunk = 0;
  int64_t shares = 1;        // of the query heads of a key head
  int64_t share_heads = 1;   // in one of them, but the last
  int64_t block_tokens = 1;  // of the run
  int64_t blocks = 1;
  int64_t parts = 1;  // of the keys

  /// Tasks that write one piece of the output together, `parts` of them.
  int64_t groups() const { return blocks * kv_heads * shares; }
  int64_t count() const { return groups() * parts; }

  struct Task {
    int64_t group = 0, part = 0;
    int64_t kv_head = 0, head = 0, heads = 0;  // query heads head .. of those of the key head
    int64_t begin = 0, tokens = 0;             // of the run
    int64_t key_begin = 0, key_end = 0;        // positions that it looks at
  };
  Task at(int64_t task) const;

  /// Floats that the sums of a group's parts take, until they are merged; 0: there is one part.
  int64_t group_floats(int64_t v_dim) const;
};
/// Query rows (tokens times heads) of a task at most: what kernels keep in cache at once.
inline constexpr int64_t kAttentionRows = 128;
AttentionTasks attention_tasks(const AttentionStep& step, int64_t first, int64_t tokens);

/// Room for the parts of all runs that a step may have: so many floats, and pieces of output.
struct PartialRoom {
  int64_t floats = 0, groups = 0;
};
PartialRoom partial_room(const Plan& plan, int64_t context, int64_t sequences);

/// Channels of a convolution that a task takes: a few cache lines of each token's row.
inline constexpr int64_t kConvolutionChannels = 256;
/// Tasks of each sequence: blocks of channels, or value heads.
int64_t shares_of(const RecurrentStep& step);

/// Whether a row step of `rows` rows prepares groups of them (Activation::tiles).
bool prepares_groups(const RowStep& step, int64_t rows);
/// Row steps: a task takes `rows` rows through all operations, or one row through one of the step's
/// chains.
struct RowTasks {
  int64_t rows = 1, chains = 1;
  int64_t count(int64_t all_rows) const { return blocks_of(all_rows, rows) * chains; }
};
RowTasks tasks_of(const RowStep& step, int64_t rows, int threads);

}  // namespace ashlar
