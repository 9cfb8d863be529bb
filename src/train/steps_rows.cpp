// Steps that compute row by row in float32: norms, activations, rotations and their gradients.
// Results that all rows add to (gains of norms) have one sum per piece of a fixed number of rows,
// added up in order: the same at any number of threads.
#include <algorithm>
#include <cmath>

#include "ops/elementwise.h"
#include "ops/elementwise_grad.h"
#include "ops/experts.h"
#include "ops/norm.h"
#include "ops/norm_grad.h"
#include "ops/rope.h"
#include "train/steps.h"

namespace ashlar {
namespace {

enum Place : size_t { kParts = ProductSpace::kFree + 20, kMoreParts, kAngles };

void run_rms_norm(const TrainingStep& s, TrainingFrame& f) {
  const auto* op = s.as<RmsNorm>();
  const int64_t n = s.in[0].inner(static_cast<size_t>(op->axes)), count = f.size_of(s.in[0]) / n;
  const float *x = f.at(s.in[0]), *w = s.in.size() > 1 ? s.in[1].at : nullptr;
  float* y = f.at(s.out[0]);
  each_piece(f, count, n, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t i = first; i < last; ++i) f.rows.rms_norm(x + i * n, w, y + i * n, n, op->eps);
  });
}

void run_layer_norm(const TrainingStep& s, TrainingFrame& f) {
  const auto* op = s.as<LayerNorm>();
  const int64_t n = s.in[0].inner(1), count = f.size_of(s.in[0]) / n;
  const float *x = f.at(s.in[0]), *bias = s.in.size() > 2 ? s.in[2].at : nullptr;
  float* y = f.at(s.out[0]);
  each_piece(f, count, n, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t i = first; i < last; ++i)
      f.rows.layer_norm(x + i * n, s.in[1].at, bias, y + i * n, n, op->eps);
  });
}

void run_norm_grad(const TrainingStep& s, TrainingFrame& f) {
  const auto* rms = s.as<RmsNormGrad>();
  const auto* layer = s.as<LayerNormGrad>();
  const int64_t n = s.in[0].inner(rms != nullptr ? static_cast<size_t>(rms->forward.axes) : 1),
                count = f.size_of(s.in[0]) / n, pieces = pieces_of(count, n);
  const float *x = f.at(s.in[0]), *dy = f.at(s.in[1]), *w = s.in.size() == 3 ? s.in[2].at : nullptr;
  float* dx = f.at(s.out[0]);
  float* dw = w != nullptr ? f.products.shared().floats(kParts, pieces * n) : nullptr;
  float* db = layer != nullptr ? f.products.shared().floats(kMoreParts, pieces * n) : nullptr;
  each_piece(f, count, n, [&](int64_t first, int64_t last, int64_t piece) {
    float* part = dw != nullptr ? dw + piece * n : nullptr;
    if (part != nullptr) std::fill_n(part, n, 0.0f);
    if (db != nullptr) std::fill_n(db + piece * n, n, 0.0f);
    for (int64_t i = first; i < last; ++i) {
      const int64_t at = i * n;
      if (rms != nullptr)
        f.rows.rms_norm_grad(x + at, dy + at, w, dx + at, part, n, rms->forward.eps);
      else
        f.rows.layer_norm_grad(x + at, dy + at, w, dx + at, part, db + piece * n, n, layer->eps);
    }
  });
  if (dw != nullptr) add_parts(dw, pieces, n, s.out[1].at);
  if (db != nullptr) add_parts(db, pieces, n, s.out[2].at);
}

/// f(begin, end) over all numbers of a slot.
template <class F>
void each_number(TrainingFrame& f, const StepSlot& s, const F& g) {
  each_piece(f, f.size_of(s), 1,
             [&](int64_t first, int64_t last, int64_t) { g(first, last - first); });
}

void run_activate(const TrainingStep& s, TrainingFrame& f) {
  const bool silu = s.as<Activate>()->kind == ActivationKind::silu;
  const float* x = f.at(s.in[0]);
  float* y = f.at(s.out[0]);
  each_number(f, s.out[0], [&](int64_t i, int64_t n) {
    (silu ? f.rows.silu : f.rows.gelu_tanh)(x + i, y + i, n);
  });
}

void run_activate_grad(const TrainingStep& s, TrainingFrame& f) {
  const bool silu = s.as<ActivateGrad>()->forward.kind == ActivationKind::silu;
  const float *x = f.at(s.in[0]), *dy = f.at(s.in[1]);
  float* dx = f.at(s.out[0]);
  each_number(f, s.out[0], [&](int64_t i, int64_t n) {
    (silu ? f.rows.silu_grad : f.rows.gelu_tanh_grad)(x + i, dy + i, dx + i, n);
  });
}

void run_gated(const TrainingStep& s, TrainingFrame& f) {
  const bool silu = s.as<Gated>()->kind == GateKind::silu;
  const float *gate = f.at(s.in[0]), *up = f.at(s.in[1]);
  float* y = f.at(s.out[0]);
  each_number(f, s.out[0], [&](int64_t i, int64_t n) {
    (silu ? f.rows.silu_gated : f.rows.gelu_tanh_gated)(gate + i, up + i, y + i, n);
  });
}

void run_gated_grad(const TrainingStep& s, TrainingFrame& f) {
  const bool silu = s.as<GatedGrad>()->forward.kind == GateKind::silu;
  const float *gate = f.at(s.in[0]), *up = f.at(s.in[1]), *dy = f.at(s.in[2]);
  float *dgate = f.at(s.out[0]), *dup = f.at(s.out[1]);
  each_number(f, s.out[0], [&](int64_t i, int64_t n) {
    (silu ? f.rows.silu_gated_grad : f.rows.gelu_tanh_gated_grad)(gate + i, up + i, dy + i,
                                                                  dgate + i, dup + i, n);
  });
}

void run_rope(const TrainingStep& s, TrainingFrame& f) {
  const auto* op = s.as<Rope>();
  const int64_t n = s.in[0].inner(1), pairs = op->dim / 2, per_token = s.in[0].width;
  // Of every position that occurs, once.
  int32_t last_position = 0;
  for (const int32_t p : f.batch.positions) last_position = std::max(last_position, p);
  const int64_t count = (last_position + int64_t{1}) * pairs;
  float *cos = f.products.shared().floats(kAngles, 2 * count), *sin = cos + count;
  const std::vector<double> frequency = op->frequencies(0);
  each_piece(f, last_position + 1, pairs * 32, [&](int64_t first, int64_t end, int64_t) {
    for (int64_t p = first; p < end; ++p) {
      for (int64_t j = 0; j < pairs; ++j) {
        const double angle = static_cast<double>(p) * frequency[static_cast<size_t>(j)];
        cos[p * pairs + j] = static_cast<float>(op->attention_factor * std::cos(angle));
        sin[p * pairs + j] =
            static_cast<float>(op->attention_factor * std::sin(op->inverse ? -angle : angle));
      }
    }
  });
  each_piece(f, f.count(), per_token, [&](int64_t first, int64_t end, int64_t) {
    for (int64_t t = first; t < end; ++t) {
      const int64_t at = f.batch.positions[static_cast<size_t>(f.first + t)] * pairs;
      for (int64_t h = 0; h < per_token; h += n) {
        const float* x = f.at(s.in[0]) + t * per_token + h;
        float* y = f.at(s.out[0]) + t * per_token + h;
        f.rows.rotate(x, cos + at, sin + at, y, pairs);
        if (x != y) std::copy(x + 2 * pairs, x + n, y + 2 * pairs);
      }
    }
  });
}

}  // namespace

StepKind row_step(const Node& node) {
  const Op& op = node.op;
  const auto fast = [](ActivationKind kind) {
    return kind == ActivationKind::silu || kind == ActivationKind::gelu_tanh;
  };
  if (op.as<RmsNorm>()) return {.run = run_rms_norm, .by_rows = true};
  if (op.as<LayerNorm>()) return {.run = run_layer_norm, .by_rows = true};
  if (op.as<RmsNormGrad>() || op.as<LayerNormGrad>())
    return {.run = run_norm_grad, .in_place = true};
  if (const auto* a = op.as<Activate>(); a != nullptr && fast(a->kind))
    return {.run = run_activate, .by_rows = true, .in_place = true};
  if (const auto* a = op.as<ActivateGrad>(); a != nullptr && fast(a->forward.kind))
    return {.run = run_activate_grad, .by_rows = true, .in_place = true};
  if (const auto* g = op.as<Gated>(); g != nullptr && g->kind != GateKind::clamped)
    return {.run = run_gated, .by_rows = true, .in_place = true};
  if (const auto* g = op.as<GatedGrad>(); g != nullptr && g->forward.kind != GateKind::clamped)
    return {.run = run_gated_grad, .by_rows = true, .in_place = true};
  // One table for all sequences: LongRoPE may need two.
  if (const auto* r = op.as<Rope>();
      r != nullptr && r->layout == RotationLayout::half && r->scaling != RotationScaling::longrope)
    return {.run = run_rope, .by_rows = true, .in_place = true};
  return {};
}

}  // namespace ashlar
