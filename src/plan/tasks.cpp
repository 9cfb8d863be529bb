// The cuts: enough tasks for all threads, none too small for its kernel.
#include "plan/tasks.h"

#include <algorithm>

namespace ashlar {
namespace {

constexpr int64_t kProductTasks = 8;  // per thread, so that a slow core does not hold up the others
constexpr int64_t kLeastProductTasks = 2;    // per thread: below, tokens are split too
constexpr int64_t kRowTasks = 4;             // per thread: enough that a task outweighs taking it
constexpr int64_t kLeastAttentionTasks = 2;  // of a step

/// Rows that a task takes of `rows` rows.
int64_t rows_each(int64_t rows, int64_t grain, int threads) {
  const int64_t each = blocks_of(rows, threads * kProductTasks);
  return round_up(std::max<int64_t>(each, 1), grain);
}

/// Blocks of tokens where rows alone give so many tasks: one, if those are enough.
int64_t token_blocks(int64_t tokens, int64_t row_tasks, int threads) {
  const int64_t most = std::max<int64_t>(tokens / kernels::kLeastTokenBlock, 1);
  return std::clamp<int64_t>(blocks_of(threads * kLeastProductTasks, row_tasks), 1, most);
}

/// Rows of every product that is a unit of its own, and the coarsest grain of all.
template <class F>
void for_units(const Epilogue& epilogue, const std::vector<MatMulStep::Product>& products, F f) {
  for (size_t i = 0; i < products.size(); ++i)
    if (i == 0 || i >= epilogue.products()) f(products[i]);
}

ProductTasks cut(const Epilogue& epilogue, const std::vector<MatMulStep::Product>& products,
                 int64_t copies, int64_t of, int64_t tokens, int threads) {
  int64_t rows = 0, grain = 1;
  for_units(epilogue, products, [&](const MatMulStep::Product& p) {
    rows += p.w.rows / of * copies;
    grain = std::max(grain, p.forms.at(tokens).rows);
  });
  return {rows_each(rows, grain, threads)};
}

int64_t row_tasks(const MatMulStep& step, const ProductTasks& tasks) {
  int64_t n = 0;
  for_units(step.epilogue, step.products,
            [&](const MatMulStep::Product& p) { n += tasks.row_blocks(p.w.rows); });
  return n;
}

}  // namespace

ProductTasks tasks_of(const MatMulStep& step, int64_t tokens, int threads) {
  ProductTasks tasks = cut(step.epilogue, step.products, 1, 1, tokens, threads);
  tasks.token_blocks = token_blocks(tokens, row_tasks(step, tasks), threads);
  return tasks;
}

ProductTasks tasks_of(const HeadMatMulStep& step, int64_t tokens, int threads) {
  return {step.w.rows / step.heads, token_blocks(tokens, step.heads, threads)};
}

ProductTasks tasks_of(const ExpertStep& step, int64_t tokens, int64_t active, int threads) {
  return cut(step.epilogue, step.products, active, step.experts, tokens * step.chosen, threads);
}

int64_t count_tasks(const MatMulStep& step, int64_t tokens, int threads) {
  const ProductTasks tasks = tasks_of(step, tokens, threads);
  return row_tasks(step, tasks) * tasks.token_blocks;
}

int64_t count_tasks(const HeadMatMulStep& step, int64_t tokens, int threads) {
  return step.heads * tasks_of(step, tokens, threads).token_blocks;
}

int64_t count_tasks(const ExpertStep& step, int64_t tokens, int64_t active, int threads) {
  const ProductTasks tasks = tasks_of(step, tokens, active, threads);
  return active * tasks.row_blocks(step.products.front().w.rows / step.experts);
}

AttentionTasks attention_tasks(int64_t kv_heads, int64_t group, int64_t runs, int64_t tokens) {
  // Many query heads are cut for the cache, few to keep two threads busy: however many there are,
  // so that results do not depend on it.
  int64_t wanted = blocks_of(group, kAttentionRows);
  const int64_t alone = kv_heads * std::max(runs, tokens * group / kAttentionRows);
  wanted = std::min(std::max(wanted, blocks_of(kLeastAttentionTasks, alone)), group);
  AttentionTasks tasks;
  tasks.share_heads = blocks_of(group, wanted);
  tasks.shares = blocks_of(group, tasks.share_heads);
  tasks.block_tokens = std::max<int64_t>(1, kAttentionRows / tasks.share_heads);
  return tasks;
}

int64_t shares_of(const RecurrentStep& step) {
  if (const auto* c = std::get_if<RecurrentStep::Convolution>(&step.rule))
    return blocks_of(c->channels, kConvolutionChannels);
  const auto& d = std::get<RecurrentStep::DeltaRule>(step.rule);
  return d.key_heads * d.group;
}

int64_t rows_of_task(int64_t rows, int threads) {
  return std::max<int64_t>(1, rows / (threads * kRowTasks));
}

}  // namespace ashlar
