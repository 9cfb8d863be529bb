// Steps of the loss, row by row, and sums over tokens.
#include <algorithm>

#include "ops/inputs_grad.h"
#include "ops/linear_grad.h"
#include "ops/loss.h"
#include "ops/types.h"
#include "train/steps.h"
#include "transform/differentiate.h"

namespace ashlar {
namespace {

constexpr size_t kParts = ProductSpace::kFree + 20;

/// f(row of the chunk, its target's id or -1) for the tokens of the chunk.
template <class F>
void each_target(const TrainingStep& s, TrainingFrame& f, int64_t ahead, const F& g) {
  const int64_t vocab = s.in[0].width;
  each_piece(f, f.count(), vocab, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t t = first; t < last; ++t) {
      int64_t row = f.first + t;
      for (int64_t k = 0; k < ahead && row >= 0; ++k) row = f.next[static_cast<size_t>(row)];
      g(t, row < 0 ? -1 : checked_row(s.in[1].ids[row], vocab, "token id"));
    }
  });
}

void run_cross_entropy(const TrainingStep& s, TrainingFrame& f) {
  const int64_t vocab = s.in[0].width;
  const float* z = f.at(s.in[0]);
  float* loss = f.at(s.out[0]);
  each_target(s, f, s.as<CrossEntropy>()->ahead, [&](int64_t t, int64_t target) {
    loss[t] =
        target < 0 ? 0.0f : static_cast<float>(f.rows.cross_entropy(z + t * vocab, vocab, target));
  });
}

void run_cross_entropy_grad(const TrainingStep& s, TrainingFrame& f) {
  const int64_t vocab = s.in[0].width;
  const float *z = f.at(s.in[0]), *dl = f.at(s.in[2]);
  float* dz = f.at(s.out[0]);
  each_target(s, f, s.as<CrossEntropyGrad>()->forward.ahead, [&](int64_t t, int64_t target) {
    if (target < 0)
      std::fill_n(dz + t * vocab, vocab, 0.0f);
    else
      f.rows.cross_entropy_grad(z + t * vocab, vocab, target, dl[t], dz + t * vocab);
  });
}

void run_log_sum_exp(const TrainingStep& s, TrainingFrame& f) {
  const int64_t n = s.in[0].width;
  const float* z = f.at(s.in[0]);
  float* y = f.at(s.out[0]);
  each_piece(f, f.count(), n, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t t = first; t < last; ++t)
      y[t] = static_cast<float>(f.rows.cross_entropy(z + t * n, n, -1));
  });
}

void run_log_sum_exp_grad(const TrainingStep& s, TrainingFrame& f) {
  const int64_t n = s.in[0].width;
  const float *z = f.at(s.in[0]), *dy = f.at(s.in[1]);
  float* dz = f.at(s.out[0]);
  each_piece(f, f.count(), n, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t t = first; t < last; ++t)
      f.rows.cross_entropy_grad(z + t * n, n, -1, dy[t], dz + t * n);
  });
}

/// Where a backward pass begins its gradients have the weight of the batch.
void run_constant(const TrainingStep& s, TrainingFrame& f) {
  const auto* op = s.as<Constant>();
  const bool seed = s.node->scope == kBackwardScope && s.node->label == "loss";
  const auto value = static_cast<float>(seed ? op->value * f.weight : op->value);
  if (!s.start.exists()) {
    std::fill_n(s.out[0].at, s.out[0].width, value);
  } else if (value != 0 || s.start.at != s.out[0].at) {
    for (int64_t i = 0; i < s.out[0].width; ++i) s.out[0].at[i] = s.start.at[i] + value;
  }
}

void run_token_sum(const TrainingStep& s, TrainingFrame& f) {
  const int64_t n = s.out[0].width, rows = f.size_of(s.in[0]) / n, pieces = pieces_of(rows, n);
  const float* x = f.at(s.in[0]);
  float* parts = f.products.shared().floats(kParts, pieces * n);
  each_piece(f, rows, n, [&](int64_t first, int64_t last, int64_t piece) {
    float* part = parts + piece * n;
    std::fill_n(part, n, 0.0f);
    for (int64_t r = first; r < last; ++r) {
      for (int64_t i = 0; i < n; ++i) part[i] += x[r * n + i];
    }
  });
  add_parts(parts, pieces, n, s.out[0].at);
}

}  // namespace

StepKind loss_step(const Node& node) {
  const Op& op = node.op;
  if (op.as<CrossEntropy>()) return {.run = run_cross_entropy, .by_rows = true};
  if (op.as<CrossEntropyGrad>())
    return {.run = run_cross_entropy_grad, .by_rows = true, .in_place = true};
  if (op.as<LogSumExp>()) return {.run = run_log_sum_exp, .by_rows = true};
  if (op.as<LogSumExpGrad>())
    return {.run = run_log_sum_exp_grad, .by_rows = true, .in_place = true};
  if (op.as<Constant>()) return {.run = run_constant, .adds = true};
  if (op.as<TokenSum>()) return {.run = run_token_sum};
  return {};
}

}  // namespace ashlar
