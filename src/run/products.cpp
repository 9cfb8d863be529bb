// Matrix products of plans: which rows a task computes, and what follows while they are in cache.
#include <algorithm>

#include "kernels/activations.h"
#include "plan/tasks.h"
#include "run/frame.h"

namespace ashlar {
namespace {

void finish(const Frame& f, const Epilogue& e, float* gate, const float* up, int64_t n) {
  const kernels::Table& table = *f.plan.table;
  if (e.kind == Epilogue::Kind::gated) table.gated(e.gate, gate, up, gate, n, e.alpha, e.limit);
  if (e.kind == Epilogue::Kind::unary) table.unary(e.unary, gate, gate, n);
}

/// A product, of a few tokens at a time where each is to be as if alone and panels do not see to
/// that.
void multiply(const Frame& f, Format format, kernels::Activation form, kernels::MatMul m,
              std::byte* scratch) {
  const kernels::Table& table = *f.plan.table;
  if (!f.batch.alone || m.panels != nullptr) return table.matmul(format, form, m, scratch);
  const int64_t all = m.tokens, most = std::min(all, kernels::tokens_alike(format, form));
  for (int64_t t = 0; t < all; t += most) {
    m.tokens = std::min(most, all - t);
    table.matmul(format, form, m, scratch);
    m.y += most * m.y_stride;
    if (m.x_rows != nullptr)
      m.x_rows += most;
    else
      m.x += most * m.x_row_bytes;
  }
}

}  // namespace

int64_t tasks(const Frame& f, const MatMulStep& s, RowSet set) {
  return count_tasks(s, f.batch.rows(set), f.threads);
}

void run_task(const Frame& f, const MatMulStep& s, RowSet set, int64_t task, std::byte* scratch) {
  const int64_t all = f.batch.rows(set);
  const ProductTasks cut = tasks_of(s, all, f.threads);
  const int64_t first = cut.token_begin(all, task % cut.token_blocks);
  const int64_t tokens = cut.token_begin(all, task % cut.token_blocks + 1) - first;
  int64_t block = task / cut.token_blocks;
  const size_t together = s.epilogue.products();
  size_t unit = 0;
  while (true) {
    const int64_t n = cut.row_blocks(s.products[unit].w.rows);
    if (block < n) break;
    block -= n;
    unit = unit == 0 ? together : unit + 1;
  }
  const int64_t begin = block * cut.rows, end = std::min(begin + cut.rows, s.products[unit].w.rows);
  const size_t unit_end = unit == 0 ? together : unit + 1;
  for (size_t i = unit; i < unit_end; ++i) {
    const MatMulStep::Product& p = s.products[i];
    const kernels::ProductForm& stated = f.batch.form_of(p.forms, all);
    const kernels::Activation form = stated.activation;
    const BufferId in = form == kernels::Activation::f32 ? s.in : s.prepared;
    multiply(f, p.w.format, form,
             {.w = p.w.data,
              .w_row_bytes = p.w.row_bytes,
              .panels = stated.packing == kernels::Packing::panels ? p.panels : nullptr,
              .cols = p.w.cols,
              .row_begin = begin,
              .row_end = end,
              .x = f.row(in, first),
              .x_row_bytes = f.buffer(in).row_bytes,
              .tokens = tokens,
              .y = f.floats(p.out, first),
              .y_stride = f.buffer(p.out).row_bytes / 4,
              .bias = p.bias},
             scratch);
  }
  if (unit != 0 || s.epilogue.kind == Epilogue::Kind::none) return;
  for (int64_t t = first; t < first + tokens; ++t) {
    float* gate = f.floats(s.products[0].out, t) + begin;
    const float* up = together == 2 ? f.floats(s.products[1].out, t) + begin : nullptr;
    finish(f, s.epilogue, gate, up, end - begin);
  }
}

int64_t tasks(const Frame& f, const HeadMatMulStep& s, RowSet set) {
  return count_tasks(s, f.batch.rows(set), f.threads);
}

void run_task(const Frame& f, const HeadMatMulStep& s, RowSet set, int64_t task,
              std::byte* scratch) {
  const int64_t all = f.batch.rows(set), rows = s.w.rows / s.heads;
  const ProductTasks cut = tasks_of(s, all, f.threads);
  const int64_t head = task / cut.token_blocks, block = task % cut.token_blocks;
  const int64_t first = cut.token_begin(all, block);
  const int64_t x_bytes = f.buffer(s.prepared).row_bytes;
  multiply(f, s.w.format, f.batch.form_of(s.forms, all).activation,
           {.w = s.w.data + head * rows * s.w.row_bytes,
            .w_row_bytes = s.w.row_bytes,
            .cols = s.w.cols,
            .row_begin = 0,
            .row_end = rows,
            .x = f.row(s.prepared, first) + head * (x_bytes / s.heads),
            .x_row_bytes = x_bytes,
            .tokens = cut.token_begin(all, block + 1) - first,
            .y = f.floats(s.out, first) + head * s.out_step,
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
  return count_tasks(s, f.batch.rows(set), f.groups.active_count, f.threads);
}

void run_task(const Frame& f, const ExpertStep& s, RowSet set, int64_t task, std::byte* scratch) {
  const int64_t tokens = f.batch.rows(set), rows = s.products[0].w.rows / s.experts;
  const ProductTasks cut = tasks_of(s, tokens, f.groups.active_count, f.threads);
  const int64_t blocks = cut.row_blocks(rows);
  const int64_t expert = f.groups.active[static_cast<size_t>(task / blocks)];
  const int64_t begin = task % blocks * cut.rows, end = std::min(begin + cut.rows, rows);
  const int64_t slot = f.groups.offsets[static_cast<size_t>(expert)];
  const int64_t count = f.groups.offsets[static_cast<size_t>(expert) + 1] - slot;
  const int64_t x_bytes = f.buffer(s.prepared).row_bytes / s.rows_per_token;
  for (const MatMulStep::Product& p : s.products) {
    // The form was chosen for all tokens of the step, when their rows were prepared.
    const auto form = f.batch.form_of(p.forms, tokens).activation;
    const int64_t y_stride = f.buffer(p.out).row_bytes / 4 / s.chosen;
    multiply(f, p.w.format, form,
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
    float* gate = f.floats(s.products[0].out, 0) + t * y_stride + begin;
    const float* up = s.epilogue.products() == 2
                          ? f.floats(s.products[1].out, 0) + t * y_stride + begin
                          : nullptr;
    finish(f, s.epilogue, gate, up, end - begin);
  }
}

int64_t product_scratch_bytes(const Plan& plan) {
  int64_t bytes = 0;
  const auto add = [&](const Matrix& w) {
    bytes = std::max(bytes, plan.table->matmul_scratch(w.format, w.cols));
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
