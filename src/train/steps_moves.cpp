// Steps on each number by itself, moves between shapes, and ops that run as their plain loops.
#include <algorithm>

#include "ops/elementwise.h"
#include "ops/elementwise_grad.h"
#include "ops/experts.h"
#include "ops/experts_grad.h"
#include "ops/inputs.h"
#include "ops/inputs_grad.h"
#include "train/steps.h"

namespace ashlar {
namespace {

/// y = g(a, b) of rows, where b may hold the last numbers of a only, the same throughout.
void combine(const TrainingStep& s, TrainingFrame& f,
             void (*g)(const float*, const float*, float*, int64_t)) {
  const float *a = f.at(s.in[0]), *b = f.at(s.in[1]);
  float* y = f.at(s.out[0]);
  const int64_t all = f.size_of(s.out[0]);
  if (s.in[0].type == s.in[1].type) {
    each_piece(f, all, 1, [&](int64_t first, int64_t last, int64_t) {
      g(a + first, b + first, y + first, last - first);
    });
    return;
  }
  const int64_t n = s.in[1].width;
  each_piece(f, all / n, n, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t r = first; r < last; ++r) g(a + r * n, b, y + r * n, n);
  });
}
void run_add(const TrainingStep& s, TrainingFrame& f) { combine(s, f, f.products.table().add); }
void run_multiply(const TrainingStep& s, TrainingFrame& f) {
  combine(s, f, f.products.table().multiply);
}
void run_scale(const TrainingStep& s, TrainingFrame& f) {
  const float* x = f.at(s.in[0]);
  float* y = f.at(s.out[0]);
  const auto factor = static_cast<float>(s.as<Scale>()->factor),
             shift = static_cast<float>(s.as<Scale>()->shift);
  each_piece(f, f.size_of(s.out[0]), 1, [&](int64_t first, int64_t last, int64_t) {
    f.products.table().scale(x + first, factor, y + first, last - first);
    for (int64_t i = first; shift != 0 && i < last; ++i) y[i] += shift;
  });
}

/// Groups of numbers of the last axis: `count` of them from x + g * from to y + g * to.
void copy_groups(TrainingFrame& f, int64_t groups, const float* x, int64_t from, float* y,
                 int64_t to, int64_t count) {
  each_piece(f, groups, count, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t g = first; g < last; ++g) std::copy_n(x + g * from, count, y + g * to);
  });
}
void run_slice(const TrainingStep& s, TrainingFrame& f) {
  const int64_t n = s.in[0].inner(1), to = s.as<Slice>()->size;
  copy_groups(f, f.size_of(s.in[0]) / n, f.at(s.in[0]) + s.as<Slice>()->begin, n, f.at(s.out[0]),
              to, to);
}
void run_pad(const TrainingStep& s, TrainingFrame& f) {
  const int64_t n = s.in[0].inner(1), to = s.as<Pad>()->size;
  float* y = f.at(s.out[0]);
  each_piece(f, f.size_of(s.out[0]), 1,
             [=](int64_t first, int64_t last, int64_t) { std::fill(y + first, y + last, 0.0f); });
  copy_groups(f, f.size_of(s.in[0]) / n, f.at(s.in[0]), n, y + s.as<Pad>()->begin, to, n);
}
void run_concat(const TrainingStep& s, TrainingFrame& f) {
  const int64_t a = s.in[0].inner(1), b = s.in[1].inner(1), groups = f.size_of(s.in[0]) / a;
  copy_groups(f, groups, f.at(s.in[0]), a, f.at(s.out[0]), a + b, a);
  copy_groups(f, groups, f.at(s.in[1]), b, f.at(s.out[0]) + a, a + b, b);
}
void run_repeat(const TrainingStep& s, TrainingFrame& f) {
  const int64_t n = s.in[0].width, count = s.as<Repeat>()->count;
  for (int64_t k = 0; k < count; ++k)
    copy_groups(f, f.count(), f.at(s.in[0]), n, f.at(s.out[0]) + k * n, count * n, n);
}
void run_rename(const TrainingStep& s, TrainingFrame& f) {
  if (f.at(s.in[0]) == f.at(s.out[0])) return;
  const int64_t n = s.out[0].width;
  copy_groups(f, s.out[0].per_token ? f.count() : 1, f.at(s.in[0]), n, f.at(s.out[0]), n, n);
}

void run_learned_position(const TrainingStep& s, TrainingFrame& f) {
  const int64_t d = s.out[0].width;
  each_piece(f, f.count(), d, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t t = first; t < last; ++t) {
      const int64_t at = f.batch.positions[static_cast<size_t>(f.first + t)];
      std::copy_n(s.in[0].at + at * d, d, f.at(s.out[0]) + t * d);
    }
  });
}

/// Sums over the chosen experts of a token: weighted_sum (weights, x) and expert_sum (x).
void run_chosen_sum(const TrainingStep& s, TrainingFrame& f) {
  const bool weighted = s.as<WeightedSum>() != nullptr;
  const StepSlot& x = s.in[weighted ? 1 : 0];
  const int64_t d = s.out[0].width, k = x.width / d;
  const float *w = weighted ? f.at(s.in[0]) : nullptr, *from = f.at(x);
  float* to = f.at(s.out[0]);
  each_piece(f, f.count(), x.width, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t t = first; t < last; ++t) {
      for (int64_t i = 0; i < k; ++i) {
        const float factor = w != nullptr ? w[t * k + i] : 1;
        const float* row = from + (t * k + i) * d;
        float* sum = to + t * d;
        if (i == 0) {
          for (int64_t j = 0; j < d; ++j) sum[j] = factor * row[j];
        } else {
          for (int64_t j = 0; j < d; ++j) sum[j] += factor * row[j];
        }
      }
    }
  });
}
void run_weighted_copies(const TrainingStep& s, TrainingFrame& f) {
  const int64_t d = s.in[1].width, k = s.in[0].width;
  const float *w = f.at(s.in[0]), *x = f.at(s.in[1]);
  float* y = f.at(s.out[0]);
  each_piece(f, f.count() * k, d, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t i = first; i < last; ++i) {
      for (int64_t j = 0; j < d; ++j) y[i * d + j] = w[i] * x[i / k * d + j];
    }
  });
}
void run_chosen_dot(const TrainingStep& s, TrainingFrame& f) {
  const int64_t d = s.in[1].width, k = s.out[0].width;
  const float *x = f.at(s.in[0]), *y = f.at(s.in[1]);
  float* w = f.at(s.out[0]);
  each_piece(f, f.count() * k, d, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t i = first; i < last; ++i)
      w[i] = static_cast<float>(f.rows.dot(x + i * d, y + i / k * d, d));
  });
}

}  // namespace

void run_plain_loops(const TrainingStep& s, TrainingFrame& f) {
  // Arrays are kept from step to step, with their memory.
  const size_t all = s.in.size() + s.out.size();
  if (f.arrays.size() < all) f.arrays.resize(all);
  const auto size = [&](Array<float>& a, const StepSlot& slot) {
    a.sizes.clear();
    for (const Axis& axis : slot.type.axes)
      a.sizes.push_back(axis.size == kTokensSize ? f.batch.size() : axis.size);
    const auto n = static_cast<size_t>(a.elements());
    a.values.resize(slot.at != nullptr ? n : 0);
    a.indices.resize(slot.ids != nullptr ? n : 0);
  };
  In<float> in{f.batch, {}};
  for (size_t i = 0; i < s.in.size(); ++i) {
    Array<float>& a = f.arrays[i];
    size(a, s.in[i]);
    std::copy_n(s.in[i].at, a.values.size(), a.values.begin());
    std::copy_n(s.in[i].ids, a.indices.size(), a.indices.begin());
    in.arrays.push_back(&a);
  }
  Out<float> out(s.out.size());
  for (size_t i = 0; i < s.out.size(); ++i) {
    out[i] = std::move(f.arrays[s.in.size() + i]);
    size(out[i], s.out[i]);
    std::fill(out[i].values.begin(), out[i].values.end(), 0.0f);
    std::fill(out[i].indices.begin(), out[i].indices.end(), int64_t{0});
  }
  s.node->op.meaning(in, out);
  for (size_t i = 0; i < s.out.size(); ++i) {
    std::copy(out[i].values.begin(), out[i].values.end(), s.out[i].at);
    std::copy(out[i].indices.begin(), out[i].indices.end(), s.out[i].ids);
    f.arrays[s.in.size() + i] = std::move(out[i]);
  }
}

StepKind move_step(const Node& node) {
  const Op& op = node.op;
  if (op.as<Add>()) return {.run = run_add, .by_rows = true, .in_place = true};
  if (op.as<Multiply>()) return {.run = run_multiply, .by_rows = true, .in_place = true};
  if (op.as<Scale>()) return {.run = run_scale, .by_rows = true, .in_place = true};
  if (op.as<Slice>()) return {.run = run_slice, .by_rows = true};
  if (op.as<Pad>()) return {.run = run_pad, .by_rows = true};
  if (op.as<Concat>()) return {.run = run_concat, .by_rows = true};
  if (op.as<Repeat>()) return {.run = run_repeat, .by_rows = true};
  if (op.as<Rename>()) return {.run = run_rename, .by_rows = true, .in_place = true};
  if (op.as<LearnedPosition>()) return {.run = run_learned_position, .by_rows = true};
  if (op.as<WeightedSum>() || op.as<ExpertSum>()) return {.run = run_chosen_sum, .by_rows = true};
  if (op.as<WeightedCopies>()) return {.run = run_weighted_copies, .by_rows = true};
  if (op.as<ChosenDot>()) return {.run = run_chosen_dot, .by_rows = true};
  return {};
}

StepKind step_kind(const Node& node, bool exact) {
  for (const auto& of : {product_step, move_step, row_step, loss_step}) {
    const StepKind kind = of(node);
    if (kind.run == nullptr) continue;
    // What computes in float32 what the plain loops compute in double.
    const bool rounds = of == row_step || (of == loss_step && node.op.as<Constant>() == nullptr) ||
                        node.op.as<WeightedSum>() || node.op.as<ExpertSum>() ||
                        node.op.as<ChosenDot>() || node.op.as<Scale>() || node.op.as<EmbedGrad>();
    return exact && rounds ? StepKind{} : kind;
  }
  return {};
}

}  // namespace ashlar
