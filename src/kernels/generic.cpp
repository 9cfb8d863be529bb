// The generic kernels: plain loops, every format, any CPU. Also what the other tables are held
// against.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/activations.h"
#include "kernels/implementations.h"
#include "tensor/blocks.h"
#include "tensor/scalar.h"

namespace ashlar::kernels::generic {
namespace {

bool supported() { return true; }

std::span<const ProductForm> product_forms(Format) {
  static constexpr ProductForm kForms[] = {{.tokens = 1, .activation = Activation::f32, .rows = 1}};
  return kForms;
}

void prepare_q8(const float* x, std::byte* out, int64_t cols) {
  const Q8Layout at = q8_layout(cols);
  auto* q = reinterpret_cast<int8_t*>(out);
  auto* scale = reinterpret_cast<float*>(out + at.scale);
  auto* sum = reinterpret_cast<float*>(out + at.sum);
  auto* half_sum = reinterpret_cast<float*>(out + at.half_sum);
  for (int64_t b = 0; b < at.padded / 32; ++b) {
    const int64_t n = std::clamp<int64_t>(cols - 32 * b, 0, 32);
    float largest = 0;
    for (int64_t i = 0; i < n; ++i) largest = std::max(largest, std::fabs(x[32 * b + i]));
    if (largest < kQ8Smallest) largest = 0;
    const float inverse = largest > 0 ? 127.0f / largest : 0.0f;
    scale[b] = largest / 127.0f;
    int sums[2] = {0, 0};
    for (int64_t i = 0; i < 32; ++i) {
      const auto v =
          i < n ? static_cast<int>(std::lrint(std::clamp(x[32 * b + i] * inverse, -127.f, 127.f)))
                : 0;
      q[32 * b + i] = static_cast<int8_t>(v);
      sums[i / 16] += v;
    }
    const float times = kSumFactor * scale[b];
    sum[b] = times * static_cast<float>(sums[0] + sums[1]);
    half_sum[2 * b] = times * static_cast<float>(sums[0]);
    half_sum[2 * b + 1] = times * static_cast<float>(sums[1]);
  }
}

void prepare(Activation form, const float* x, std::byte* out, int64_t cols) {
  switch (form) {
    case Activation::f32:
      std::memcpy(out, x, static_cast<size_t>(cols) * 4);
      break;
    case Activation::bf16: {
      auto* y = reinterpret_cast<uint16_t*>(out);
      for (int64_t i = 0; i < cols; ++i) y[i] = f32_to_bf16(x[i]);
      if (cols % 2) y[cols] = 0;  // the other half of a pair
      break;
    }
    case Activation::q8:
      prepare_q8(x, out, cols);
      break;
    case Activation::tiles:  // of tables that have them
      break;
  }
}

int64_t matmul_scratch(Format, int64_t cols) { return round_up(cols * 4, 64); }

float dot_f32(const float* w, const float* x, int64_t n) {
  float sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    for (int j = 0; j < 8; ++j) sums[j] += w[i + j] * x[i + j];
  for (; i < n; ++i) sums[i % 8] += w[i] * x[i];
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

float dot_bf16(const float* w, const uint16_t* x, int64_t n) {
  float sums[8] = {};
  for (int64_t i = 0; i < n; ++i) sums[i % 8] += w[i] * bf16_to_f32(x[i]);
  return ((sums[0] + sums[4]) + (sums[1] + sums[5])) + ((sums[2] + sums[6]) + (sums[3] + sums[7]));
}

float dot_q8(const float* w, const std::byte* x, int64_t n) {
  const auto* q = reinterpret_cast<const int8_t*>(x);
  const auto* scale = reinterpret_cast<const float*>(x + q8_layout(n).scale);
  float total = 0;
  for (int64_t begin = 0; begin < n; begin += 32) {
    float block = 0;
    for (int64_t i = begin; i < std::min(begin + 32, n); ++i)
      block += w[i] * static_cast<float>(q[i]);
    total += scale[begin / 32] * block;
  }
  return total;
}

void matmul(Format format, Activation form, const MatMul& m, std::byte* scratch) {
  for (int64_t r = m.row_begin; r < m.row_end; ++r) {
    const std::byte* row = m.w + r * m.w_row_bytes;
    auto* w = reinterpret_cast<float*>(scratch);
    if (format == Format::f32) {
      std::memcpy(w, row, static_cast<size_t>(m.cols) * 4);
    } else {
      info(format).to_f32(row, w, m.cols);
    }
    for (int64_t t = 0; t < m.tokens; ++t) {
      const std::byte* x = m.x + (m.x_rows ? m.x_rows[t] : t) * m.x_row_bytes;
      float y = 0;
      switch (form) {
        case Activation::f32:
          y = dot_f32(w, reinterpret_cast<const float*>(x), m.cols);
          break;
        case Activation::bf16:
          y = dot_bf16(w, reinterpret_cast<const uint16_t*>(x), m.cols);
          break;
        case Activation::q8:
          y = dot_q8(w, x, m.cols);
          break;
        case Activation::tiles:
          break;
      }
      m.y[t * m.y_stride + r] = m.bias ? y + m.bias[r] : y;
    }
  }
}

void rms_norm(const float* x, const float* w, float* y, int64_t n, float eps) {
  double squares = 0;
  for (int64_t i = 0; i < n; ++i) squares += static_cast<double>(x[i]) * x[i];
  const auto factor = static_cast<float>(
      1.0 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(eps)));
  for (int64_t i = 0; i < n; ++i) y[i] = w ? x[i] * factor * w[i] : x[i] * factor;
}

void layer_norm(const float* x, const float* w, const float* b, float* y, int64_t n, float eps) {
  double sum = 0, squares = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i];
  const double mean = sum / static_cast<double>(n);
  for (int64_t i = 0; i < n; ++i) squares += (x[i] - mean) * (x[i] - mean);
  const double factor =
      1.0 / std::sqrt(squares / static_cast<double>(n) + static_cast<double>(eps));
  for (int64_t i = 0; i < n; ++i) {
    auto v = static_cast<float>((x[i] - mean) * factor);
    if (w) v *= w[i];
    if (b) v += b[i];
    y[i] = v;
  }
}

float sigmoid(float x) { return 1.0f / (1.0f + std::exp(-x)); }

float gelu_tanh(float x) {
  constexpr float kRootTwoOverPi = 0.7978845608028654f;
  return 0.5f * x * (1.0f + std::tanh(kRootTwoOverPi * (x + 0.044715f * x * x * x)));
}

void gated(Gate kind, const float* gate, const float* up, float* y, int64_t n, float alpha,
           float limit) {
  for (int64_t i = 0; i < n; ++i) {
    switch (kind) {
      case Gate::silu:
        y[i] = gate[i] * sigmoid(gate[i]) * up[i];
        break;
      case Gate::gelu_tanh:
        y[i] = gelu_tanh(gate[i]) * up[i];
        break;
      case Gate::clamped: {
        const float g = std::min(gate[i], limit);
        const float u = std::min(std::max(up[i], -limit), limit);
        y[i] = (u + 1.0f) * g * sigmoid(alpha * g);
        break;
      }
    }
  }
}

void unary(Unary kind, const float* x, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) {
    switch (kind) {
      case Unary::gelu_tanh:
        y[i] = gelu_tanh(x[i]);
        break;
      case Unary::silu:
        y[i] = x[i] * sigmoid(x[i]);
        break;
      case Unary::sigmoid:
        y[i] = sigmoid(x[i]);
        break;
      case Unary::relu:
        y[i] = x[i] > 0 ? x[i] : 0.0f;
        break;
      case Unary::gelu:
        y[i] = 0.5f * x[i] * (1.0f + std::erf(x[i] * 0.70710678f));
        break;
    }
  }
}

void add(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] + b[i];
}

void multiply(const float* a, const float* b, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = a[i] * b[i];
}

void scale(const float* x, float factor, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = factor * x[i];
}

void add_scaled(const float* x, float factor, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] += factor * x[i];
}

void softcap(const float* x, float cap, float* y, int64_t n) {
  for (int64_t i = 0; i < n; ++i) y[i] = cap * std::tanh(x[i] / cap);
}

void softmax(const float* x, float* y, int64_t n) {
  if (n <= 0) return;
  const float largest = *std::max_element(x, x + n);
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += y[i] = std::exp(x[i] - largest);
  const auto factor = static_cast<float>(1.0 / sum);
  for (int64_t i = 0; i < n; ++i) y[i] *= factor;
}

void rope(RopeLayout layout, float* x, const float* cos, const float* sin, int64_t pairs) {
  const int64_t step = layout == RopeLayout::half ? 1 : 2;
  const int64_t apart = layout == RopeLayout::half ? pairs : 1;
  for (int64_t j = 0; j < pairs; ++j) {
    float& a = x[step * j];
    float& b = x[step * j + apart];
    const float a0 = a, b0 = b;
    a = a0 * cos[j] - b0 * sin[j];
    b = b0 * cos[j] + a0 * sin[j];
  }
}

void store(Format state, const float* x, std::byte* out, int64_t n) {
  auto* half = reinterpret_cast<uint16_t*>(out);
  if (state == Format::f32) {
    std::memcpy(out, x, static_cast<size_t>(n) * 4);
  } else if (state == Format::q8_0) {
    quantise<BlockQ8_0, 32>(x, out, n);
  } else if (state == Format::f16) {
    for (int64_t i = 0; i < n; ++i) half[i] = f32_to_f16(x[i]);
  } else {
    for (int64_t i = 0; i < n; ++i) half[i] = f32_to_bf16(x[i]);
  }
}

float state_value(Format state, const std::byte* row, int64_t i) {
  if (state == Format::f32) return reinterpret_cast<const float*>(row)[i];
  if (state == Format::q8_0) {
    const std::byte* block = row + i / 32 * 34;
    uint16_t scale;
    std::memcpy(&scale, block, 2);
    return f16_to_f32(scale) * static_cast<float>(static_cast<int8_t>(block[2 + i % 32]));
  }
  const uint16_t bits = reinterpret_cast<const uint16_t*>(row)[i];
  return state == Format::f16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

/// Keys [heads, tokens, k_dim], then values alike: a head's rows stand together.
StatePage head_after_head(const StateShape& s) {
  StatePage p;
  p.k_row_bytes = row_bytes(s.format, s.k_dim);
  p.k_head_bytes = p.k_row_bytes * s.tokens;
  p.v_row_bytes = s.latent ? p.k_row_bytes : row_bytes(s.format, s.v_dim);
  p.v_head_bytes = p.v_row_bytes * s.tokens;
  p.v_at = s.latent ? 0 : p.k_head_bytes * s.heads;
  p.bytes = p.k_head_bytes * s.heads + (s.latent ? 0 : p.v_head_bytes * s.heads);
  return p;
}

int64_t attention_scratch(const Attention& a) { return round_up((a.first + a.tokens) * 4, 64); }

void attention(const Attention& a, std::byte* scratch) {
  auto* scores = reinterpret_cast<float*>(scratch);
  for (int64_t t = 0; t < a.tokens; ++t) {
    const auto [begin, end] = keys_of(a, a.first + t);
    for (int64_t h = 0; h < a.heads; ++h) {
      const float* q = a.q + t * a.q_token_stride + h * a.q_head_stride;
      float* out = a.partials ? a.partials + (t * a.heads + h) * partial_floats(a.v_dim)
                              : a.out + t * a.out_token_stride + h * a.out_head_stride;
      const bool sinks = a.sinks != nullptr && a.partials == nullptr;
      float largest = sinks ? a.sinks[h] : -INFINITY;
      for (int64_t j = begin; j < end; ++j) {
        const std::byte* k = a.k_pages[j / a.page_tokens] + j % a.page_tokens * a.k_row_bytes;
        float s = 0;
        for (int64_t i = 0; i < a.k_dim; ++i) s += q[i] * state_value(a.state, k, i);
        s *= a.scale;
        if (a.softcap > 0) s = a.softcap * std::tanh(s / a.softcap);
        if (a.score_factor) s *= a.score_factor[t];
        scores[j - begin] = s;
        largest = std::max(largest, s);
      }
      float sum = sinks ? std::exp(a.sinks[h] - largest) : 0.0f;
      for (int64_t i = 0; i < a.v_dim; ++i) out[i] = 0;
      for (int64_t j = begin; j < end; ++j) {
        const std::byte* v = a.v_pages[j / a.page_tokens] + j % a.page_tokens * a.v_row_bytes;
        const float p = std::exp(scores[j - begin] - largest);
        sum += p;
        for (int64_t i = 0; i < a.v_dim; ++i) out[i] += p * state_value(a.state, v, i);
      }
      if (a.partials != nullptr) {
        out[a.v_dim] = largest;
        out[a.v_dim + 1] = sum;
        continue;
      }
      for (int64_t i = 0; i < a.v_dim; ++i) out[i] /= sum;
    }
  }
}

void merge_attention(const AttentionMerge& m) {
  const int64_t rows = m.tokens * m.heads, step = partial_floats(m.v_dim);
  for (int64_t r = 0; r < rows; ++r) {
    const int64_t h = r % m.heads;
    const auto part = [&](int64_t p) { return m.partials + (p * rows + r) * step; };
    float top = m.sinks ? m.sinks[h] : -INFINITY;
    for (int64_t p = 0; p < m.parts; ++p) top = std::max(top, part(p)[m.v_dim]);
    float sum = m.sinks ? std::exp(m.sinks[h] - top) : 0.0f;
    for (int64_t p = 0; p < m.parts; ++p)
      sum += part(p)[m.v_dim + 1] * std::exp(part(p)[m.v_dim] - top);
    float* out = m.out + r / m.heads * m.out_token_stride + h * m.out_head_stride;
    for (int64_t i = 0; i < m.v_dim; ++i) out[i] = 0;
    for (int64_t p = 0; p < m.parts; ++p) {
      const float share = std::exp(part(p)[m.v_dim] - top) / sum;
      for (int64_t i = 0; i < m.v_dim; ++i) out[i] += share * part(p)[i];
    }
  }
}

}  // namespace

constinit const Table kTable = {
    .name = "generic",
    .supported = supported,
    .product_forms = product_forms,
    .activation_bytes = prepared_bytes,
    .prepare = prepare,
    .matmul_scratch = matmul_scratch,
    .matmul = matmul,
    .rms_norm = rms_norm,
    .layer_norm = layer_norm,
    .gated = gated,
    .unary = unary,
    .add = add,
    .multiply = multiply,
    .scale = scale,
    .add_scaled = add_scaled,
    .softcap = softcap,
    .softmax = softmax,
    .rope = rope,
    .store = store,
    .state_page = head_after_head,
    .attention_scratch = attention_scratch,
    .attention = attention,
    .merge_attention = merge_attention,
};

}  // namespace ashlar::kernels::generic
