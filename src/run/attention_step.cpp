// Attention of plans: which queries a task takes, and where the pages of their keys lie.
#include <algorithm>

#include "run/frame.h"

namespace ashlar {
namespace {

constexpr int64_t kPage = StateSpec::kStatePage;
constexpr int64_t kLeastTasks = 2;
constexpr int64_t kRows = 64;  // query rows of a task: what a kernel keeps in cache at once

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// How the queries of a step are dealt out: per part of the batch, key head, share of the query
/// heads of that key head, and block of tokens.
struct Deal {
  int64_t shares = 1;        // of the query heads of a key head
  int64_t share_heads = 1;   // in one of them, but the last
  int64_t block_tokens = 1;  // of a part

  Deal(const Frame& f, const AttentionStep& s) {
    const auto parts = static_cast<int64_t>(f.batch.parts.size());
    // Many query heads are cut for the cache, few to keep two threads busy: however many there are,
    // so that results do not depend on it.
    int64_t wanted = (s.group + kRows - 1) / kRows;
    const int64_t alone = s.kv_heads * std::max(parts, f.batch.size() * s.group / kRows);
    wanted = std::min(std::max(wanted, (kLeastTasks + alone - 1) / alone), s.group);
    share_heads = (s.group + wanted - 1) / wanted;
    shares = (s.group + share_heads - 1) / share_heads;
    block_tokens = std::max<int64_t>(1, kRows / share_heads);
  }
  int64_t blocks(const StepBatch::Part& p) const {
    return (p.count + block_tokens - 1) / block_tokens;
  }
  int64_t tasks(const StepBatch::Part& p, const AttentionStep& s) const {
    return blocks(p) * s.kv_heads * shares;
  }
};

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
    bytes = 2 * pointers + round_up(kRows * 4, 64);
    kernel = base + bytes;
  }
};

}  // namespace

int64_t tasks(const Frame& f, const AttentionStep& s, RowSet) {
  const Deal deal(f, s);
  int64_t n = 0;
  for (const StepBatch::Part& p : f.batch.parts) n += deal.tasks(p, s);
  return n;
}

void run_task(const Frame& f, const AttentionStep& s, RowSet, int64_t task, std::byte* scratch) {
  const Deal deal(f, s);
  size_t index = 0;
  for (; task >= deal.tasks(f.batch.parts[index], s); ++index)
    task -= deal.tasks(f.batch.parts[index], s);
  const StepBatch::Part& part = f.batch.parts[index];
  // The last blocks have the most keys: they come first, so that none is left to wait for.
  const int64_t block = deal.blocks(part) - 1 - task / (s.kv_heads * deal.shares);
  const int64_t kv = task / deal.shares % s.kv_heads, share = task % deal.shares;
  const int64_t head = share * deal.share_heads;
  const int64_t heads = std::min(deal.share_heads, s.group - head);
  const int64_t begin = block * deal.block_tokens;
  const int64_t tokens = std::min(deal.block_tokens, part.count - begin);
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
    a.tokens = std::min(plan.max_tokens, kRows);
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
