// Attention of plans: which queries a task takes, and where the pages of their keys lie.
#include <algorithm>

#include "base/parts_of_memory.h"
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
    const int64_t pointers = round_up(pages, 8);  // whole cache lines of them
    PartsOfMemory parts(base);
    parts.place(k_pages, pointers);
    parts.place(v_pages, pointers);
    parts.place(factors, round_up(kAttentionRows, 16));
    bytes = parts.bytes();
    parts.place(kernel, 0);
  }
};

/// Bytes of the sums that all parts of the keys leave of one token.
int64_t part_bytes(const AttentionStep& s, int64_t context) {
  return round_up(attention_tasks(s, context - 1, 1).group_floats(s.v_dim) * 4, 64);
}

/// Pages of the keys begin .. end - 1 of a key head; only those are looked at.
void find_pages(const Frame& f, const AttentionStep& s, int32_t sequence, int64_t kv_head,
                int64_t begin, int64_t end, const Scratch& at) {
  const kernels::StatePage& layout = f.state.layout(s.state);
  for (int64_t p = begin / kPage; p * kPage < end; ++p) {
    const std::byte* page = f.state.page(s.state, sequence, p);
    at.k_pages[p] = page + kv_head * layout.k_head_bytes;
    at.v_pages[p] = page + layout.v_at + kv_head * layout.v_head_bytes;
  }
}

/// Parts of a piece of output, put together.
void merge(const Frame& f, const AttentionStep& s, int64_t parts, const kernels::Attention& a,
           const float* sums) {
  f.plan.table->merge_attention({.partials = sums,
                                 .parts = parts,
                                 .heads = a.heads,
                                 .tokens = a.tokens,
                                 .v_dim = s.v_dim,
                                 .sinks = a.sinks,
                                 .out = a.out,
                                 .out_token_stride = a.out_token_stride,
                                 .out_head_stride = a.out_head_stride});
}

/// The attention of a task of the tokens of `part`; `sums` take what it leaves of a part of the
/// keys.
kernels::Attention attend(const Frame& f, const AttentionStep& s, const StepBatch::Part& part,
                          const AttentionTasks& cut, const AttentionTasks::Task& t, float* sums,
                          std::byte* scratch) {
  const int64_t first = cut.first + t.begin;
  const kernels::StatePage& layout = f.state.layout(s.state);
  const Scratch at(scratch, (first + t.tokens - 1) / kPage + 1);
  find_pages(f, s, part.sequence, t.kv_head, t.key_begin, t.key_end, at);
  const bool factors = s.op.log_length > 0 && first + t.tokens - 1 > s.op.log_length;
  for (int64_t i = 0; factors && i < t.tokens; ++i)
    at.factors[i] = static_cast<float>(s.op.score_factor(first + i));

  const int64_t row = part.begin + first - part.first;
  const int64_t query_head = t.kv_head * s.group + t.head;
  kernels::Attention a{.q = f.floats(s.q, row) + query_head * s.k_dim,
                       .q_token_stride = f.buffer(s.q).row_bytes / 4,
                       .q_head_stride = s.k_dim,
                       .heads = t.heads,
                       .tokens = t.tokens,
                       .first = first,
                       .k_dim = s.k_dim,
                       .v_dim = s.v_dim,
                       .state = f.state.format(),
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
                       .out_head_stride = s.v_dim,
                       .rounded = f.plan.rounds};
  if (cut.parts > 1) {
    a.partials = sums + t.part * t.tokens * t.heads * kernels::partial_floats(s.v_dim);
    a.key_begin = t.key_begin;
    a.key_end = t.key_end;
  }
  f.plan.table->attention(a, at.kernel);
  return a;
}

/// Where each of several tokens is to be as if alone, a task takes one of them through all parts of
/// the keys that a run of it alone is cut into.
bool one_by_one(const Frame& f, const StepBatch::Part& p) { return f.batch.alone && p.count > 1; }

int64_t tasks_of(const Frame& f, const AttentionStep& s, const StepBatch::Part& p) {
  if (one_by_one(f, p)) return p.count * attention_tasks(s, p.first, 1).groups();
  return attention_tasks(s, p.first, p.count).count();
}

void run_one_by_one(const Frame& f, const AttentionStep& s, const StepBatch::Part& part,
                    int64_t task, std::byte* scratch) {
  const int64_t groups = attention_tasks(s, part.first, 1).groups();
  const AttentionTasks cut = attention_tasks(s, part.first + task / groups, 1);
  auto* sums = reinterpret_cast<float*>(scratch);
  scratch += part_bytes(s, f.context);
  kernels::Attention a;
  for (int64_t i = 0; i < cut.parts; ++i)
    a = attend(f, s, part, cut, cut.at(task % groups * cut.parts + i), sums, scratch);
  if (cut.parts > 1) merge(f, s, cut.parts, a, sums);
}

}  // namespace

int64_t tasks(const Frame& f, const AttentionStep& s, RowSet) {
  int64_t n = 0;
  for (const StepBatch::Part& p : f.batch.parts) n += tasks_of(f, s, p);
  return n;
}

void run_task(const Frame& f, const AttentionStep& s, RowSet, int64_t task, std::byte* scratch) {
  const StepBatch::Part* part = f.batch.parts.data();
  Partials partials = f.partials;  // of the run
  for (int64_t n = 0; task >= (n = tasks_of(f, s, *part)); ++part) {
    task -= n;
    if (one_by_one(f, *part)) continue;
    const AttentionTasks cut = attention_tasks(s, part->first, part->count);
    partials.sums += cut.groups() * cut.group_floats(s.v_dim);
    partials.done += cut.parts > 1 ? cut.groups() : 0;
  }
  if (one_by_one(f, *part)) return run_one_by_one(f, s, *part, task, scratch);
  const AttentionTasks cut = attention_tasks(s, part->first, part->count);
  const AttentionTasks::Task t = cut.at(task);
  float* sums = partials.sums + t.group * cut.group_floats(s.v_dim);
  const kernels::Attention a = attend(f, s, *part, cut, t, sums, scratch);
  if (cut.parts == 1) return;
  // Whoever ends the last part of a piece of output puts its parts together.
  std::atomic<int32_t>& done = partials.done[t.group];
  if (done.fetch_add(1, std::memory_order_acq_rel) + 1 < cut.parts) return;
  done.store(0, std::memory_order_relaxed);
  merge(f, s, cut.parts, a, sums);
}

int64_t attention_scratch_bytes(const Plan& plan, Format format, int64_t context) {
  int64_t bytes = 0;
  for (const Step& step : plan.steps) {
    const auto* s = std::get_if<AttentionStep>(&step.what);
    if (s == nullptr) continue;
    kernels::Attention a;
    a.heads = s->group;
    a.tokens = std::min(plan.max_tokens, kAttentionRows);
    a.rounded = plan.rounds;
    a.first = context;
    a.k_dim = s->k_dim;
    a.v_dim = s->v_dim;
    a.state = format;
    a.window = s->op.window;
    a.chunk = s->op.chunk;
    const Scratch at(nullptr, context / kPage + 1);
    bytes = std::max(bytes, part_bytes(*s, context) + at.bytes + plan.table->attention_scratch(a));
  }
  return bytes;
}

}  // namespace ashlar
