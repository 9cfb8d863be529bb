// Attention of plans: which queries a task takes, and where the pages of their keys lie.
#include <algorithm>

#include "plan/tasks.h"
#include "run/frame.h"

namespace ashlar {
namespace {

constexpr int64_t kPage = StateSpec::kStatePage;
struct Scratch {
  const std::byte** k_pages;
  const std::byte** v_pages;
  float* factors;
  std::byte* kernel;
  int64_t bytes;  // without the kernel's
  Scratch(std::byte* base, int64_t pages) {
    const int64_t pointers = round_up(pages * static_cast<int64_t>(sizeof(void*)), 64);
    k_pages = reinterpret_cast<const std::byte**>(base);
    v_pages = reinterpret_cast<const std::byte**>(base + pointers);
    factors = reinterpret_cast<float*>(base + 2 * pointers);
    bytes = 2 * pointers + round_up(kAttentionRows * 4, 64);
    kernel = base + bytes;
  }
};

AttentionTasks tasks_of(const Frame& f, const AttentionStep& s) {
  return attention_tasks(s.kv_heads, s.group, static_cast<int64_t>(f.batch.parts.size()),
                         f.batch.size());
}

}  // namespace

int64_t tasks(const Frame& f, const AttentionStep& s, RowSet) {
  const AttentionTasks cut = tasks_of(f, s);
  int64_t n = 0;
  for (const StepBatch::Part& p : f.batch.parts) n += cut.count(s, p.count);
  return n;
}

void run_task(const Frame& f, const AttentionStep& s, RowSet, int64_t task, std::byte* scratch) {
  const AttentionTasks cut = tasks_of(f, s);
  size_t index = 0;
  for (; task >= cut.count(s, f.batch.parts[index].count); ++index)
    task -= cut.count(s, f.batch.parts[index].count);
  const StepBatch::Part& part = f.batch.parts[index];
  // The last blocks have the most keys: they come first, so that none is left to wait for.
  const int64_t block = cut.blocks(part.count) - 1 - task / (s.kv_heads * cut.shares);
  const int64_t kv = task / cut.shares % s.kv_heads, share = task % cut.shares;
  const int64_t head = share * cut.share_heads;
  const int64_t heads = std::min(cut.share_heads, s.group - head);
  const int64_t begin = block * cut.block_tokens;
  const int64_t tokens = std::min(cut.block_tokens, part.count - begin);
  const int64_t first = part.first + begin, last = first + tokens - 1;

  const Format format = f.state.format();
  const kernels::StatePage& layout = f.state.layout(s.state);
  int64_t seen = 0;
  if (s.op.window > 0) seen = std::max(seen, first - s.op.window + 1);
  if (s.op.chunk > 0) seen = std::max(seen, first / s.op.chunk * s.op.chunk);
  const Scratch at(scratch, last / kPage + 1);
  for (int64_t p = seen / kPage; p <= last / kPage; ++p) {
    const std::byte* page = f.state.page(s.state, part.sequence, p);
    at.k_pages[p] = page + kv * layout.k_head_bytes;
    at.v_pages[p] = page + layout.v_at + kv * layout.v_head_bytes;
  }
  const bool factors = s.op.log_length > 0 && last > s.op.log_length;
  for (int64_t t = 0; factors && t < tokens; ++t)
    at.factors[t] = static_cast<float>(s.op.score_factor(first + t));

  const int64_t row = part.begin + begin;
  const int64_t query_head = kv * s.group + head;
  f.plan.table->attention({.q = f.floats(s.q, row) + query_head * s.k_dim,
                           .q_token_stride = f.buffer(s.q).row_bytes / 4,
                           .q_head_stride = s.k_dim,
                           .heads = heads,
                           .tokens = tokens,
                           .first = first,
                           .k_dim = s.k_dim,
                           .v_dim = s.v_dim,
                           .state = format,
                           .k_pages = at.k_pages,
                           .v_pages = at.v_pages,
                           .page_tokens = kPage,
                           .k_row_bytes = layout.k_row_bytes,
                           .v_row_bytes = layout.v_row_bytes,
                           .window = s.op.window,
                           .chunk = s.op.chunk,
                           .scale = static_cast<float>(s.op.scale),
                           .softcap = static_cast<float>(s.op.softcap),
                           .sinks = s.sinks == nullptr ? nullptr : s.sinks + query_head,
                           .score_factor = factors ? at.factors : nullptr,
                           .out = f.floats(s.out, row) + query_head * s.v_dim,
                           .out_token_stride = f.buffer(s.out).row_bytes / 4,
                           .out_head_stride = s.v_dim},
                          at.kernel);
}

int64_t attention_scratch_bytes(const Plan& plan, Format format, int64_t context) {
  int64_t bytes = 0;
  for (const Step& step : plan.steps) {
    const auto* s = std::get_if<AttentionStep>(&step.what);
    if (s == nullptr) continue;
    kernels::Attention a;
    a.heads = s->group;
    a.tokens = std::min(plan.max_tokens, kAttentionRows);
    a.first = context;
    a.k_dim = s->k_dim;
    a.v_dim = s->v_dim;
    a.state = format;
    a.window = s->op.window;
    a.chunk = s->op.chunk;
    const Scratch at(nullptr, context / kPage + 1);
    bytes = std::max(bytes, at.bytes + plan.table->attention_scratch(a));
  }
  return bytes;
}

}  // namespace ashlar
