// Ops that compute row by row, on all threads. Results that all rows add to (gains of norms) have
// one sum per task of a fixed number of rows, added up in order: the same at any number of threads.
#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "ops/elementwise.h"
#include "ops/elementwise_grad.h"
#include "ops/loss.h"
#include "ops/norm.h"
#include "ops/norm_grad.h"
#include "ops/rope.h"
#include "train/executor.h"
#include "train/float_rows.h"

namespace ashlar {
namespace {

constexpr int64_t kNumbersPerTask = int64_t{1} << 14;

/// f(first, last, task) over pieces of rows of this width.
template <class F>
void each_piece(Products& products, int64_t rows, int64_t width, const F& f) {
  const int64_t per_task = std::max<int64_t>(1, kNumbersPerTask / std::max<int64_t>(1, width));
  products.each((rows + per_task - 1) / per_task, [&](int64_t task, ProductSpace&) {
    f(task * per_task, std::min(rows, (task + 1) * per_task), task);
  });
}
int64_t pieces_of(int64_t rows, int64_t width) {
  const int64_t per_task = std::max<int64_t>(1, kNumbersPerTask / std::max<int64_t>(1, width));
  return (rows + per_task - 1) / per_task;
}

/// Adds up the parts of `pieces` tasks, n numbers each, in their order.
void add_parts(const std::vector<float>& parts, int64_t pieces, int64_t n, float* to) {
  std::fill_n(to, n, 0.0f);
  for (int64_t p = 0; p < pieces; ++p) {
    for (int64_t i = 0; i < n; ++i) to[i] += parts[static_cast<size_t>(p * n + i)];
  }
}

bool run_norm(const Op& op, const Operands& in, Products& products, const FloatRows& rows,
              Out<float>& out) {
  const auto* rms = op.as<RmsNorm>();
  const auto* layer = op.as<LayerNorm>();
  if (rms == nullptr && layer == nullptr) return false;
  const int64_t n = in[0].inner(rms != nullptr ? static_cast<size_t>(rms->axes) : 1),
                groups = in[0].inner(in[0].sizes.size()) / n;
  const float* w = in.size() > 1 ? in[1].values : nullptr;
  const std::vector<float> none(layer != nullptr && in.size() < 3 ? static_cast<size_t>(n) : 0);
  const float* bias = in.size() > 2 ? in[2].values : none.data();
  each_piece(products, groups, n, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t g = first; g < last; ++g) {
      const float* x = in[0].values + g * n;
      float* y = out[0].values.data() + g * n;
      if (rms != nullptr)
        rows.rms_norm(x, w, y, n, rms->eps);
      else
        rows.layer_norm(x, w, bias, y, n, layer->eps);
    }
  });
  return true;
}

bool run_norm_grad(const Op& op, const Operands& in, Products& products, const FloatRows& rows,
                   Out<float>& out) {
  const auto* rms = op.as<RmsNormGrad>();
  const auto* layer = op.as<LayerNormGrad>();
  if (rms == nullptr && layer == nullptr) return false;
  const int64_t n = in[0].inner(rms != nullptr ? static_cast<size_t>(rms->axes) : 1),
                groups = in[0].inner(in[0].sizes.size()) / n, pieces = pieces_of(groups, n);
  const float* w = in.size() == 3 ? in[2].values : nullptr;
  std::vector<float> dw(w != nullptr ? static_cast<size_t>(pieces * n) : 0),
      db(layer != nullptr ? dw.size() : 0);
  each_piece(products, groups, n, [&](int64_t first, int64_t last, int64_t task) {
    for (int64_t g = first; g < last; ++g) {
      const float *x = in[0].values + g * n, *dy = in[1].values + g * n;
      float* dx = out[0].values.data() + g * n;
      float* part = w != nullptr ? dw.data() + task * n : nullptr;
      if (rms != nullptr)
        rows.rms_norm_grad(x, dy, w, dx, part, n, rms->eps);
      else
        rows.layer_norm_grad(x, dy, w, dx, part, db.data() + task * n, n, layer->eps);
    }
  });
  if (w != nullptr) add_parts(dw, pieces, n, out[1].values.data());
  if (layer != nullptr) add_parts(db, pieces, n, out[2].values.data());
  return true;
}

bool run_activation(const Op& op, const Operands& in, Products& products, const FloatRows& rows,
                    Out<float>& out) {
  const auto* forward = op.as<Activate>();
  const auto* grad = op.as<ActivateGrad>();
  if (forward == nullptr && grad == nullptr) return false;
  const ActivationKind kind = forward != nullptr ? forward->kind : grad->kind;
  const bool silu = kind == ActivationKind::silu;
  if (!silu && kind != ActivationKind::gelu_tanh) return false;
  each_piece(products, in[0].inner(in[0].sizes.size()), 1, [&](int64_t a, int64_t b, int64_t) {
    const float* x = in[0].values + a;
    float* y = out[0].values.data() + a;
    if (forward != nullptr)
      (silu ? rows.silu : rows.gelu_tanh)(x, y, b - a);
    else
      (silu ? rows.silu_grad : rows.gelu_tanh_grad)(x, in[1].values + a, y, b - a);
  });
  return true;
}

bool run_rope(const Op& op, const Operands& in, const TokenBatch& batch, Products& products,
              const FloatRows& rows, Out<float>& out) {
  const auto* rope = op.as<Rope>();
  if (rope == nullptr || rope->layout != RotationLayout::half || batch.size() == 0) return false;
  // One table for all sequences: LongRoPE may need two.
  if (rope->scaling == RotationScaling::longrope) return false;
  const int64_t n = in[0].inner(1), pairs = rope->dim / 2,
                per_token = in[0].inner(in[0].sizes.size()) / batch.size();
  const std::vector<double> frequency = rope->frequencies(0);
  // Of every position that occurs, once.
  const int32_t last = *std::max_element(batch.positions.begin(), batch.positions.end());
  const auto count = static_cast<size_t>((static_cast<int64_t>(last) + 1) * pairs);
  std::vector<float> cos(count), sin(count);
  each_piece(products, last + 1, pairs * 32, [&](int64_t first, int64_t end, int64_t) {
    for (int64_t p = first; p < end; ++p) {
      for (int64_t j = 0; j < pairs; ++j) {
        const double angle = static_cast<double>(p) * frequency[static_cast<size_t>(j)];
        cos[static_cast<size_t>(p * pairs + j)] =
            static_cast<float>(rope->attention_factor * std::cos(angle));
        sin[static_cast<size_t>(p * pairs + j)] =
            static_cast<float>(rope->attention_factor * std::sin(rope->inverse ? -angle : angle));
      }
    }
  });
  each_piece(products, batch.size(), per_token, [&](int64_t first, int64_t end, int64_t) {
    for (int64_t t = first; t < end; ++t) {
      const int64_t at = batch.positions[static_cast<size_t>(t)] * pairs;
      for (int64_t h = 0; h < per_token / n; ++h) {
        const float* x = in[0].values + t * per_token + h * n;
        float* y = out[0].values.data() + t * per_token + h * n;
        rows.rotate(x, cos.data() + at, sin.data() + at, y, pairs);
        std::copy(x + 2 * pairs, x + n, y + 2 * pairs);
      }
    }
  });
  return true;
}

bool run_loss(const Op& op, const Operands& in, const TokenBatch& batch, Products& products,
              const FloatRows& rows, Out<float>& out) {
  const bool forward = op.as<CrossEntropy>() != nullptr;
  if (!forward && op.as<CrossEntropyGrad>() == nullptr) return false;
  const int64_t vocab = in[0].sizes[1];
  const std::vector<int64_t> next = next_rows(batch);
  each_piece(products, batch.size(), vocab, [&](int64_t first, int64_t last, int64_t) {
    for (int64_t t = first; t < last; ++t) {
      const int64_t row = next[static_cast<size_t>(t)];
      float* to = out[0].values.data() + (forward ? t : t * vocab);
      if (row < 0) {
        std::fill_n(to, forward ? 1 : vocab, 0.0f);
        continue;
      }
      const int64_t target = in[1].indices[row];
      if (target < 0 || target >= vocab)
        fail(ErrorKind::invalid, "token id {}: expected 0 to {}", target, vocab - 1);
      const float* z = in[0].values + t * vocab;
      if (forward)
        *to = static_cast<float>(rows.cross_entropy(z, vocab, target));
      else
        rows.cross_entropy_grad(z, vocab, target, in[2].values[t], to);
    }
  });
  return true;
}

}  // namespace

bool run_float_rows(const Op& op, const Operands& in, const TokenBatch& batch, Products& products,
                    Out<float>& out) {
  const FloatRows& rows = float_rows(products.table_name());
  return run_norm(op, in, products, rows, out) || run_norm_grad(op, in, products, rows, out) ||
         run_activation(op, in, products, rows, out) ||
         run_rope(op, in, batch, products, rows, out) ||
         run_loss(op, in, batch, products, rows, out);
}

}  // namespace ashlar
