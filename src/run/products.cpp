// Matrix products of plans: which rows a task computes, and what follows while they are in cache.
#include <algorithm>

#include "run/frame.h"

namespace ashlar {
namespace {

constexpr int64_t kTasksPerThread = 8;  // so that a slow core does not hold up the others

int64_t round_up(int64_t n, int64_t to) { return (n + to - 1) / to * to; }

/// Products that one task computes together: with a gated epilogue the first two.
size_t first_unit(const Epilogue& e) { return e.kind == Epilogue::Kind::gated ? 2 : 1; }

/// How `units` of products are cut into tasks: each takes `rows` rows of one of them.
struct Cut {
  int64_t rows = 1;
  int64_t blocks(const MatMulStep::Product& p, int64_t product_rows) const {
    static_cast<void>(p);
    return (product_rows + rows - 1) / rows;
  }
};

template <class Products>
Cut cut(const Frame& f, const Products& products, size_t skip, int64_t copies, int64_t divide,
        int64_t tokens) {
  int64_t rows = 0, grain = 1;
  for (size_t i = 0; i < products.size(); ++i) {
    if (i != 0 && i < skip) continue;
    rows += products[i].w.rows / divide * copies;
    grain = std::max(grain, f.plan.table->matmul_grain(products[i].w.format, tokens));
  }
  const int64_t wanted = f.threads * kTasksPerThread;
  return {round_up(std::max<int64_t>((rows + wanted - 1) / wanted, 1), grain)};
}

void finish(const Frame& f, const Epilogue& e, float* first, const float* second, int64_t n) {
  const kernels::Table& table = *f.plan.table;
  if (e.kind == Epilogue::Kind::gated)
    table.gated(e.gate, first, second, first, n, e.alpha, e.limit);
  if (e.kind == Epilogue::Kind::unary) table.unary(e.unary, first, first, n);
}

}  // namespace

int64_t tasks(const Frame& f, const MatMulStep& s, RowSet set) {
  const size_t skip = first_unit(s.epilogue);
  const Cut c = cut(f, s.products, skip, 1, 1, f.batch.rows(set));
  int64_t n = 0;
  for (size_t i = 0; i < s.products.size(); ++i)
    if (i == 0 || i >= skip) n += c.blocks(s.products[i], s.products[i].w.rows);
  return n;
}

void run_task(const Frame& f, const MatMulStep& s, RowSet set, int64_t task, std::byte* scratch) {
  const kernels::Table& table = *f.plan.table;
  const int64_t tokens = f.batch.rows(set);
  const size_t skip = first_unit(s.epilogue);
  const Cut c = cut(f, s.products, skip, 1, 1, tokens);
  size_t unit = 0;
  while (true) {
    const int64_t n = c.blocks(s.products[unit], s.products[unit].w.rows);
    if (task < n) break;
    task -= n;
    unit = unit == 0 ? skip : unit + 1;
  }
  const int64_t begin = task * c.rows, end = std::min(begin + c.rows, s.products[unit].w.rows);
  const size_t unit_end = unit == 0 ? skip : unit + 1;
  for (size_t i = unit; i < unit_end; ++i) {
    const MatMulStep::Product& p = s.products[i];
    const auto form = f.plan.activation(p.w.format, p.w.cols, tokens);
    const BufferId in = form == kernels::Activation::f32 ? s.in : s.prepared;
    table.matmul(p.w.format, form,
                 {.w = p.w.data,
                  .w_row_bytes = p.w.row_bytes,
                  .cols = p.w.cols,
                  .row_begin = begin,
                  .row_end = end,
                  .x = f.row(in, 0),
                  .x_row_bytes = f.buffer(in).row_bytes,
                  .tokens = tokens,
                  .y = f.floats(p.out, 0),
                  .y_stride = f.buffer(p.out).row_bytes / 4,
                  .bias = p.bias},
                 scratch);
  }
  if (unit != 0 || s.epilogue.kind == Epilogue::Kind::none) return;
  for (int64_t t = 0; t < tokens; ++t) {
    float* first = f.floats(s.products[0].out, t) + begin;
    const float* second = skip == 2 ? f.floats(s.products[1].out, t) + begin : nullptr;
    finish(f, s.epilogue, first, second, end - begin);
  }
}

int64_t tasks(const Frame&, const HeadMatMulStep& s, RowSet) { return s.heads; }

void run_task(const Frame& f, const HeadMatMulStep& s, RowSet set, int64_t head,
              std::byte* scratch) {
  const kernels::Table& table = *f.plan.table;
  const int64_t tokens = f.batch.rows(set), rows = s.w.rows / s.heads;
  const int64_t x_bytes = f.buffer(s.prepared).row_bytes;
  table.matmul(s.w.format, f.plan.activation(s.w.format, s.w.cols, tokens),
               {.w = s.w.data + head * rows * s.w.row_bytes,
                .w_row_bytes = s.w.row_bytes,
                .cols = s.w.cols,
                .row_begin = 0,
                .row_end = rows,
                .x = f.row(s.prepared, 0) + head * (x_bytes / s.heads),
                .x_row_bytes = x_bytes,
                .tokens = tokens,
                .y = f.floats(s.out, 0) + head * s.out_step,
                .y_stride = f.buffer(s.out).row_bytes / 4},
               scratch);
}

int64_t tasks(const Frame&, const GroupStep&, RowSet) { return 1; }

void run_task(const Frame& f, const GroupStep& s, RowSet set, int64_t, std::byte*) {
  const int64_t tokens = f.batch.rows(set);
  ExpertGroups& g = f.groups;
  std::fill(g.offsets.begin(), g.offsets.begin() + s.count + 1, 0);
  for (int64_t t = 0; t < tokens; ++t)
    for (int64_t k = 0; k < s.chosen; ++k)
      ++g.offsets[static_cast<size_t>(f.indices(s.experts, t)[k]) + 1];
  int64_t active = 0;
  for (int64_t e = 0; e < s.count; ++e) {
    const auto i = static_cast<size_t>(e);
    if (g.offsets[i + 1] > 0) g.active[static_cast<size_t>(active++)] = static_cast<int32_t>(e);
    g.offsets[i + 1] += g.offsets[i];
  }
  g.active_count = active;
  int32_t* rows = f.indices(s.tokens, 0);
  // offsets[e] walks to the end of e's slots, which is where those of e + 1 begin: moved back
  // after.
  for (int64_t t = 0; t < tokens; ++t) {
    const int32_t* experts = f.indices(s.experts, t);
    int32_t* slots = f.indices(s.slots, t);
    for (int64_t k = 0; k < s.chosen; ++k) {
      const int32_t slot = g.offsets[static_cast<size_t>(experts[k])]++;
      slots[k] = slot;
      rows[slot] = static_cast<int32_t>(s.weighed ? t * s.chosen + k : t);
    }
  }
  for (int64_t e = s.count; e > 0; --e)
    g.offsets[static_cast<size_t>(e)] = g.offsets[static_cast<size_t>(e - 1)];
  g.offsets[0] = 0;
}

int64_t tasks(const Frame& f, const ExpertStep& s, RowSet set) {
  const size_t skip = first_unit(s.epilogue);
  const Cut c =
      cut(f, s.products, skip, f.groups.active_count, s.experts, f.batch.rows(set) * s.chosen);
  return f.groups.active_count * c.blocks(s.products[0], s.products[0].w.rows / s.experts);
}

void run_task(const Frame& f, const ExpertStep& s, RowSet set, int64_t task, std::byte* scratch) {
  const kernels::Table& table = *f.plan.table;
  const int64_t tokens = f.batch.rows(set), rows = s.products[0].w.rows / s.experts;
  const size_t skip = first_unit(s.epilogue);
  const Cut c = cut(f, s.products, skip, f.groups.active_count, s.experts, tokens * s.chosen);
  const int64_t blocks = c.blocks(s.products[0], rows);
  const int64_t expert = f.groups.active[static_cast<size_t>(task / blocks)];
  const int64_t begin = task % blocks * c.rows, end = std::min(begin + c.rows, rows);
  const int64_t slot = f.groups.offsets[static_cast<size_t>(expert)];
  const int64_t count = f.groups.offsets[static_cast<size_t>(expert) + 1] - slot;
  const int64_t x_bytes = f.buffer(s.prepared).row_bytes / s.rows_per_token;
  for (const MatMulStep::Product& p : s.products) {
    // The form was chosen for all tokens of the step, when their rows were prepared.
    const auto form = f.plan.activation(p.w.format, p.w.cols, tokens);
    const int64_t y_stride = f.buffer(p.out).row_bytes / 4 / s.chosen;
    table.matmul(p.w.format, form,
                 {.w = p.w.data + expert * rows * p.w.row_bytes,
                  .w_row_bytes = p.w.row_bytes,
                  .cols = p.w.cols,
                  .row_begin = begin,
                  .row_end = end,
                  .x = f.row(s.prepared, 0) + (s.rows == kNoBuffer ? slot * x_bytes : 0),
                  .x_row_bytes = x_bytes,
                  .x_rows = s.rows == kNoBuffer ? nullptr : f.indices(s.rows, 0) + slot,
                  .tokens = count,
                  .y = f.floats(p.out, 0) + slot * y_stride,
                  .y_stride = y_stride,
                  .bias = p.bias == nullptr ? nullptr : p.bias + expert * rows},
                 scratch);
  }
  if (s.epilogue.kind == Epilogue::Kind::none) return;
  const int64_t y_stride = f.buffer(s.products[0].out).row_bytes / 4 / s.chosen;
  for (int64_t t = slot; t < slot + count; ++t) {
    float* first = f.floats(s.products[0].out, 0) + t * y_stride + begin;
    const float* second =
        skip == 2 ? f.floats(s.products[1].out, 0) + t * y_stride + begin : nullptr;
    finish(f, s.epilogue, first, second, end - begin);
  }
}

int64_t product_scratch_bytes(const Plan& plan) {
  int64_t bytes = 0;
  const auto add = [&](const Matrix& w) {
    for (const int64_t tokens : {int64_t{1}, plan.max_tokens})
      bytes = std::max(bytes, plan.table->matmul_scratch(w.format, w.cols, tokens));
  };
  for (const Step& step : plan.steps) {
    if (const auto* m = std::get_if<MatMulStep>(&step.what))
      for (const auto& p : m->products) add(p.w);
    if (const auto* h = std::get_if<HeadMatMulStep>(&step.what)) add(h->w);
    if (const auto* e = std::get_if<ExpertStep>(&step.what))
      for (const auto& p : e->products) add(p.w);
  }
  return bytes;
}

}  // namespace ashlar
