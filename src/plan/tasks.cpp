// The cuts: enough tasks for all threads, none too small for its kernel.
#include "plan/tasks.h"

#include <algorithm>

namespace ashlar {
namespace {

constexpr int64_t kProductTasks = 8;  // per thread, so that a slow core does not hold up the others
constexpr int64_t kLeastProductTasks = 2;  // per thread: below, tokens are split too
constexpr int64_t kRowTasks = 4;           // per thread: enough that a task outweighs taking it
constexpr int64_t kAttentionTasks = 32;    // of a run: however many threads there are, so that sums
                                           // do not depend on it
constexpr int64_t kLeastPart = 128;        // keys: a part outweighs its merging
constexpr int64_t kMostParts = 16;

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
    // Of both forms of which a run may take either.
    grain = std::max({grain, p.forms.at(tokens).rows, p.forms.alike().rows});
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
  return cut(step.epilogue, step.products, active, step.experts, tokens, threads);
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

AttentionTasks attention_tasks(const AttentionStep& step, int64_t first, int64_t tokens) {
  AttentionTasks t{.first = first,
                   .tokens = tokens,
                   .kv_heads = step.kv_heads,
                   .group = step.group,
                   .window = step.op.window,
                   .chunk = step.op.chunk};
  t.share_heads = blocks_of(t.group, blocks_of(t.group, kAttentionRows));
  t.shares = blocks_of(t.group, t.share_heads);
  t.block_tokens = std::max<int64_t>(1, kAttentionRows / t.share_heads);
  t.blocks = blocks_of(tokens, t.block_tokens);
  int64_t keys = first + tokens;
  if (t.window > 0) keys = std::min(keys, t.window + tokens);
  if (t.chunk > 0) keys = std::min(keys, t.chunk + tokens);
  t.parts = std::clamp<int64_t>(std::min(blocks_of(kAttentionTasks, t.groups()), keys / kLeastPart),
                                1, kMostParts);
  return t;
}

AttentionTasks::Task AttentionTasks::at(int64_t task) const {
  Task t{.group = task / parts, .part = task % parts};
  // The last blocks have the most keys: they come first, so that none is left to wait for.
  const int64_t block = blocks - 1 - t.group / (kv_heads * shares);
  t.kv_head = t.group / shares % kv_heads;
  t.head = t.group % shares * share_heads;
  t.heads = std::min(share_heads, group - t.head);
  t.begin = block * block_tokens;
  t.tokens = std::min(block_tokens, this->tokens - t.begin);
  const int64_t position = first + t.begin, end = position + t.tokens;
  int64_t begin = 0;
  if (window > 0) begin = std::max(begin, position - window + 1);
  if (chunk > 0) begin = std::max(begin, position / chunk * chunk);
  // Parts begin at whole pages, all but the first.
  const int64_t aligned = begin / StateSpec::kStatePage * StateSpec::kStatePage;
  const int64_t each = round_up(blocks_of(end - aligned, parts), StateSpec::kStatePage);
  t.key_begin = std::max(begin, std::min(aligned + t.part * each, end));
  t.key_end = std::max(t.key_begin, std::min(aligned + (t.part + 1) * each, end));
  return t;
}

int64_t AttentionTasks::group_floats(int64_t v_dim) const {
  if (parts == 1) return 0;
  return parts * std::min(block_tokens, tokens) * share_heads * kernels::partial_floats(v_dim);
}

PartialRoom partial_room(const Plan& plan, int64_t context, int64_t sequences) {
  PartialRoom room;
  const int64_t runs = std::min(sequences, plan.max_tokens);
  int64_t run_floats = 0, token_floats = 0;  // most of one run, and per token of one
  for (const Step& step : plan.steps) {
    const auto* s = std::get_if<AttentionStep>(&step.what);
    if (s == nullptr) continue;
    for (int64_t tokens = 1; tokens <= std::min(plan.max_tokens, context); ++tokens) {
      const AttentionTasks t = attention_tasks(*s, context - tokens, tokens);
      // Few tokens may have one part, as their window has few keys, and more tokens several.
      if (t.parts == 1) continue;
      const int64_t floats = t.groups() * t.group_floats(s->v_dim);
      run_floats = std::max(run_floats, floats);
      token_floats = std::max(token_floats, blocks_of(floats, tokens));
      room.groups = std::max(room.groups, runs * t.groups());
    }
  }
  room.floats = std::min(runs * run_floats, plan.max_tokens * token_floats);
  return room;
}

int64_t shares_of(const RecurrentStep& step) {
  if (const auto* c = std::get_if<RecurrentStep::Convolution>(&step.rule))
    return blocks_of(c->channels, kConvolutionChannels);
  const auto& d = std::get<RecurrentStep::DeltaRule>(step.rule);
  return d.key_heads * d.group;
}

bool prepares_groups(const RowStep& step, int64_t rows) {
  return std::any_of(step.operations.begin(), step.operations.end(), [&](const RowOperation& o) {
    const auto* p = std::get_if<PrepareRow>(&o);
    return p != nullptr && p->forms.activation(rows) == kernels::Activation::tiles;
  });
}

RowTasks tasks_of(const RowStep& step, int64_t rows, int threads) {
  const int64_t each = std::max<int64_t>(1, rows / (threads * kRowTasks));
  if (prepares_groups(step, rows)) return {round_up(each, kernels::kTokenGroup)};
  return {each, rows < threads ? static_cast<int64_t>(step.chains.size()) : 1};
}

}  // namespace ashlar
