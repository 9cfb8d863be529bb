// Steps that are products: projections, experts, attention, and their gradients.
#include <algorithm>

#include "ops/attention_grad.h"
#include "ops/experts.h"
#include "ops/inputs.h"
#include "ops/inputs_grad.h"
#include "ops/linear.h"
#include "ops/linear_grad.h"
#include "ops/types.h"
#include "train/steps.h"

namespace ashlar {
namespace {

enum Place : size_t { kIn = ProductSpace::kFree + 16, kOut, kOrder, kBegins };

/// Routers choose by differences that bfloat16 does not keep.
Numbers numbers_of(const TrainingStep& s, const TrainingFrame& f) {
  const auto of_router = [](const StepSlot& slot) {
    return std::any_of(slot.type.axes.begin(), slot.type.axes.end(),
                       [](const Axis& a) { return a.name == "experts"; });
  };
  const bool router = std::any_of(s.in.begin(), s.in.end(), of_router);
  return f.numbers == Numbers::bf16 && router ? Numbers::f32 : f.numbers;
}

void run_linear(const TrainingStep& s, TrainingFrame& f) {
  const int64_t k = s.in[1].inner(static_cast<size_t>(s.as<Linear>()->in_axes));
  f.products.multiply({.m = f.count(),
                       .n = s.out[0].width,
                       .k = k,
                       .a = rows_of(f.at(s.in[0]), k),
                       .b = transposed(s.in[1].at, k),
                       .c = f.at(s.out[0]),
                       .start = f.at(s.start),
                       .bias = s.in.size() == 3 ? s.in[2].at : nullptr},
                      numbers_of(s, f));
}

void run_linear_input_grad(const TrainingStep& s, TrainingFrame& f) {
  const int64_t n = s.out[0].width, k = s.in[0].width;
  f.products.multiply({.m = f.count(),
                       .n = n,
                       .k = k,
                       .a = rows_of(f.at(s.in[0]), k),
                       .b = rows_of(s.in[1].at, n),
                       .c = f.at(s.out[0]),
                       .start = f.at(s.start)},
                      numbers_of(s, f));
}

/// Whether the rows of a chunk go on with sums of earlier ones.
const float* start_of(const TrainingStep& s, const TrainingFrame& f) {
  if (s.chunked && f.first > 0) return s.out[0].at;
  return s.start.at;
}

void run_linear_weight_grad(const TrainingStep& s, TrainingFrame& f) {
  const int64_t n = s.in[0].width, m = s.in[1].width;
  f.products.multiply({.m = m,
                       .n = n,
                       .k = f.count(),
                       .a = transposed(f.at(s.in[1]), m),
                       .b = rows_of(f.at(s.in[0]), n),
                       .c = s.out[0].at,
                       .start = start_of(s, f)},
                      numbers_of(s, f));
}

/// The places [tokens, chosen] in the order of their experts: those of expert e are
/// order[begins[e]] .. order[begins[e + 1] - 1].
struct ByExpert {
  const int64_t *order = nullptr, *begins = nullptr;
};
ByExpert sorted(const int64_t* keys, int64_t n, int64_t count, std::string_view what,
                TrainingFrame& f) {
  auto ints = [&](size_t slot, int64_t size) {
    return reinterpret_cast<int64_t*>(f.products.shared().bytes(slot, size * 8));
  };
  int64_t *order = ints(kOrder, n), *begins = ints(kBegins, count + 2);
  std::fill_n(begins, count + 2, int64_t{0});
  for (int64_t i = 0; i < n; ++i) {
    ++begins[checked_row(keys[i], count, what) + 2];
  }
  for (int64_t e = 0; e <= count; ++e) begins[e + 1] += begins[e];
  for (int64_t i = 0; i < n; ++i) order[begins[keys[i] + 1]++] = i;
  return {order, begins};
}

/// Rows of x, of which there is one for `per_row` places, side by side.
const float* gather(const float* x, const int64_t* places, int64_t n, int64_t per_row,
                    int64_t width, float* out) {
  for (int64_t i = 0; i < n; ++i)
    std::copy_n(x + places[i] / per_row * width, width, out + i * width);
  return out;
}

/// expert_linear and its input gradient.
void run_experts(const TrainingStep& s, TrainingFrame& f) {
  const bool forward = s.as<ExpertLinear>() != nullptr;
  const StepSlot &x = s.in[0], &experts = s.in[1], &w = s.in[2];
  const int64_t count = w.type.axes[0].size, rows = w.type.axes[1].size, cols = w.type.axes[2].size;
  const int64_t from = forward ? cols : rows, to = forward ? rows : cols;
  const int64_t per_row = x.type.axes.size() == 2 ? experts.width : 1;
  const ByExpert by = sorted(experts.ids, f.count() * experts.width, count, "expert", f);
  f.products.each(count, [&](int64_t e, ProductSpace& space) {
    const int64_t n = by.begins[e + 1] - by.begins[e];
    if (n == 0) return;
    const int64_t* mine = by.order + by.begins[e];
    const float* matrix = w.at + e * from * to;
    float* y = space.floats(kOut, n * to);
    f.products.multiply(
        {.m = n,
         .n = to,
         .k = from,
         .a = rows_of(gather(x.at, mine, n, per_row, from, space.floats(kIn, n * from)), from),
         .b = forward ? transposed(matrix, from) : rows_of(matrix, to),
         .c = y,
         .bias = s.in.size() == 4 ? s.in[3].at + e * to : nullptr},
        f.numbers, space);
    for (int64_t i = 0; i < n; ++i) {
      float* row = s.out[0].at + mine[i] * to;
      const float* start = s.start.exists() ? s.start.at + mine[i] * to : nullptr;
      if (start == nullptr) {
        std::copy_n(y + i * to, to, row);
      } else {
        for (int64_t j = 0; j < to; ++j) row[j] = start[j] + y[i * to + j];
      }
    }
  });
}

void run_expert_weight_grad(const TrainingStep& s, TrainingFrame& f) {
  const StepSlot &x = s.in[0], &experts = s.in[1], &dy = s.in[2];
  const int64_t count = s.out[0].type.axes[0].size, rows = s.out[0].type.axes[1].size,
                cols = s.out[0].type.axes[2].size;
  const int64_t per_row = x.type.axes.size() == 2 ? experts.width : 1;
  const ByExpert by = sorted(experts.ids, f.count() * experts.width, count, "expert", f);
  f.products.each(count, [&](int64_t e, ProductSpace& space) {
    const int64_t n = by.begins[e + 1] - by.begins[e];
    const int64_t* mine = by.order + by.begins[e];
    float* to = s.out[0].at + e * rows * cols;
    const float* start = s.start.exists() ? s.start.at + e * rows * cols : nullptr;
    if (n == 0) {
      if (start == nullptr) std::fill_n(to, rows * cols, 0.0f);
      return;
    }
    const float* dys = gather(dy.at, mine, n, 1, rows, space.floats(kOut, n * rows));
    const float* xs = gather(x.at, mine, n, per_row, cols, space.floats(kIn, n * cols));
    f.products.multiply({.m = rows,
                         .n = cols,
                         .k = n,
                         .a = transposed(dys, rows),
                         .b = rows_of(xs, cols),
                         .c = to,
                         .start = start},
                        f.numbers, space);
  });
}

void run_embed(const TrainingStep& s, TrainingFrame& f) {
  const int64_t vocab = s.in[1].type.axes[0].size, d = s.out[0].width;
  for (int64_t t = f.first; t < f.last; ++t) {
    const int64_t id = checked_row(s.in[0].ids[t], vocab, "token id");
    std::copy_n(s.in[1].at + id * d, d, s.out[0].at + t * d);
  }
}

/// The rows of each id by itself, in the order of tokens.
void run_embed_grad(const TrainingStep& s, TrainingFrame& f) {
  const int64_t count = s.as<EmbedGrad>()->count, d = s.in[1].width;
  const ByExpert by = sorted(s.in[0].ids, f.count(), count, "token id", f);
  each_piece(f, count, d, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t id = first; id < last; ++id) {
      float* to = s.out[0].at + id * d;
      if (!s.start.exists()) std::fill_n(to, d, 0.0f);
      if (s.start.exists() && s.start.at != s.out[0].at) std::copy_n(s.start.at + id * d, d, to);
      for (int64_t i = by.begins[id]; i < by.begins[id + 1]; ++i) {
        const float* from = s.in[1].at + by.order[i] * d;
        for (int64_t j = 0; j < d; ++j) to[j] += from[j];
      }
    }
  });
}

void run_attention(const TrainingStep& s, TrainingFrame& f) {
  const auto* forward = s.as<Attention>();
  if (!f.sequences.in_order) return run_plain_loops(s, f);
  const bool sinks = s.in.size() == (forward != nullptr ? 4u : 5u);
  const AttentionCall call{.op = forward != nullptr ? *forward : s.as<AttentionGrad>()->forward,
                           .kv_heads = s.in[0].type.axes[1].size,
                           .group = s.in[0].type.axes[2].size,
                           .d = s.in[0].type.axes[3].size,
                           .dv = s.in[2].type.axes[2].size,
                           .q = s.in[0].at,
                           .k = s.in[1].at,
                           .v = s.in[2].at,
                           .sinks = sinks ? s.in.back().at : nullptr,
                           .numbers = f.numbers};
  if (forward != nullptr) return attend(call, f.sequences, s.out[0].at, f.products);
  attend_backward(call, f.sequences,
                  {.of_out = s.in[3].at,
                   .q = s.out[0].at,
                   .k = s.out[1].at,
                   .v = s.out[2].at,
                   .sinks = sinks ? s.out[3].at : nullptr},
                  f.products);
}

}  // namespace

StepKind product_step(const Node& node) {
  const Op& op = node.op;
  if (op.as<Linear>()) return {.run = run_linear, .by_rows = true, .adds = true};
  if (op.as<LinearInputGrad>())
    return {.run = run_linear_input_grad, .by_rows = true, .adds = true};
  if (op.as<LinearWeightGrad>())
    return {.run = run_linear_weight_grad, .by_rows = true, .adds = true};
  if (op.as<ExpertLinear>() || op.as<ExpertLinearInputGrad>())
    return {.run = run_experts, .adds = true};
  if (op.as<ExpertLinearWeightGrad>()) return {.run = run_expert_weight_grad, .adds = true};
  if (op.as<Embed>()) return {.run = run_embed};
  if (op.as<EmbedGrad>()) return {.run = run_embed_grad, .adds = true};
  if (op.as<Attention>() || op.as<AttentionGrad>()) return {.run = run_attention};
  return {};
}

}  // namespace ashlar
