// Attention and its gradient: per sequence and key head, blocks of queries against the keys they
// see, as products. What lies between the products is computed in double: scores reach the size of
// their cap, where a float32 leaves an error of some 1e-5 in their exponentials, and later layers
// magnify it.
#include <algorithm>
#include <cmath>
#include <map>

#include "ops/attention.h"
#include "ops/attention_grad.h"
#include "train/executor.h"
#include "train/float_rows.h"

namespace ashlar {
namespace {

constexpr int64_t kQueries = 128;  // of one block

enum Slot : size_t {
  kKeys = ProductSpace::kFree,
  kValues,
  kTurnedKeys,
  kTurnedValues,
  kKeyGradients,
  kValueGradients,
  kBlockQueries,
  kBlockOut,
  kBlockResult,
  kScores,
  kSlopes,
  kTurnedScores,
  kTurnedBlock,
  kShares,
  kRow,
};

/// One sequence and one key head with the query heads that share it.
class Task {
 public:
  Task(const Attention& op, const Operands& in, bool sinks, const std::vector<int64_t>& rows,
       const TokenBatch& batch, int64_t kv, Products& products, ProductSpace& space)
      : op_(op),
        in_(in),
        sinks_(sinks ? in.back().values : nullptr),
        rows_(rows),
        batch_(batch),
        kv_(kv),
        kv_heads_(in[0].sizes[1]),
        group_(in[0].sizes[2]),
        d_(in[0].sizes[3]),
        dv_(in[2].sizes[2]),
        n_(static_cast<int64_t>(rows.size())),
        products_(products),
        space_(space) {}

  void forward(float* out) {
    gather_keys();
    const float* turned_v = turned(kTurnedValues, values_, dv_);
    for (int64_t g = 0; g < group_; ++g) {
      each_block([&](int64_t begin, int64_t end) {
        score(g, begin, end);
        const int64_t n = end - begin, width = end - first_;
        float* o = space_.floats(kBlockResult, n * dv_);
        multiply({.x = p_,
                  .w = turned_v + first_,
                  .y = o,
                  .m = n,
                  .n = dv_,
                  .k = width,
                  .w_stride = n_});
        for (int64_t i = 0; i < n; ++i)
          std::copy_n(o + i * dv_, dv_, query(out, begin + i, g, dv_));
      });
    }
  }

  /// `sinks`: [group], the gradients of this task's sinks.
  void backward(Out<float>& out, float* sinks) {
    gather_keys();
    const float* turned_k = turned(kTurnedKeys, keys_, d_);
    float* dk = zeros(kKeyGradients, n_ * d_);
    float* dv = zeros(kValueGradients, n_ * dv_);
    for (int64_t g = 0; g < group_; ++g) {
      double sink = 0;
      each_block([&](int64_t begin, int64_t end) {
        const int64_t n = end - begin, width = end - first_;
        score(g, begin, end);
        const float* dout = gather_block(kBlockOut, in_[3].values, g, begin, end, dv_);
        // ds in slopes_, which held the slopes of the scores by q k.
        float* dp = space_.floats(kTurnedScores, n * width);
        multiply({.x = dout, .w = values_ + first_ * dv_, .y = dp, .m = n, .n = width, .k = dv_});
        for (int64_t i = 0; i < n; ++i) {
          const float *p = p_ + i * width, *slope_of = dp + i * width;
          // dp - sum(p dp), counted from the dp of the likeliest key: where p is almost 1 there,
          // the difference keeps its digits though p does not.
          const double at_peak = slope_of[std::max_element(p, p + width) - p];
          const double share = space_.floats(kShares, kQueries)[i];
          double mean = 0;
          for (int64_t j = 0; j < width; ++j) mean += p[j] * (slope_of[j] - at_peak);
          sink -= (mean + at_peak * (1 - share)) * share;
          mean -= at_peak * share;
          float* ds = slopes_ + i * width;
          for (int64_t j = 0; j < width; ++j)
            ds[j] = static_cast<float>(ds[j] * (p[j] * (slope_of[j] - at_peak - mean)));
        }
        float* y = space_.floats(kBlockResult, std::max(n, width) * std::max(d_, dv_));
        multiply({.x = slopes_,
                  .w = turned_k + first_,
                  .y = y,
                  .m = n,
                  .n = d_,
                  .k = width,
                  .w_stride = n_});
        for (int64_t i = 0; i < n; ++i)
          std::copy_n(y + i * d_, d_, query(out[0].values.data(), begin + i, g, d_));
        add_product(p_, dout, n, width, dv_, y, dv + first_ * dv_);
        add_product(slopes_, space_.floats(kBlockQueries, n * d_), n, width, d_, y,
                    dk + first_ * d_);
      });
      if (sinks_ != nullptr) sinks[g] = static_cast<float>(sink);
    }
    for (int64_t j = 0; j < n_; ++j) {
      const int64_t row = rows_[static_cast<size_t>(j)] * kv_heads_ + kv_;
      std::copy_n(dk + j * d_, d_, out[1].values.data() + row * d_);
      std::copy_n(dv + j * dv_, dv_, out[2].values.data() + row * dv_);
    }
  }

 private:
  int64_t position(int64_t i) const {
    return batch_.positions[static_cast<size_t>(rows_[static_cast<size_t>(i)])];
  }
  /// The row of query i and head g in a value of `width` numbers per head.
  template <class T>
  T* query(T* values, int64_t i, int64_t g, int64_t width) const {
    return values + ((rows_[static_cast<size_t>(i)] * kv_heads_ + kv_) * group_ + g) * width;
  }
  void multiply(const RowProduct& p) const { products_.multiply(p, space_); }
  float* zeros(size_t slot, int64_t n) {
    float* values = space_.floats(slot, n);
    std::fill_n(values, n, 0.0f);
    return values;
  }
  const float* turned(size_t slot, const float* rows, int64_t width) {
    float* out = space_.floats(slot, n_ * width);
    transpose(rows, out, n_, width);
    return out;
  }
  float* gather_rows(size_t slot, const float* from, int64_t width) {
    float* out = space_.floats(slot, n_ * width);
    for (int64_t j = 0; j < n_; ++j)
      std::copy_n(from + (rows_[static_cast<size_t>(j)] * kv_heads_ + kv_) * width, width,
                  out + j * width);
    return out;
  }
  void gather_keys() {
    keys_ = gather_rows(kKeys, in_[1].values, d_);
    values_ = gather_rows(kValues, in_[2].values, dv_);
  }
  const float* gather_block(size_t slot, const float* from, int64_t g, int64_t begin, int64_t end,
                            int64_t width) {
    float* out = space_.floats(slot, (end - begin) * width);
    for (int64_t i = begin; i < end; ++i)
      std::copy_n(query(from, i, g, width), width, out + (i - begin) * width);
    return out;
  }
  template <class F>
  void each_block(const F& f) {
    for (int64_t begin = 0; begin < n_; begin += kQueries) {
      // Keys that the block's first query does not see, no later one does.
      first_ = 0;
      while (first_ < begin && !op_.sees(position(begin), position(first_))) ++first_;
      f(begin, std::min(n_, begin + kQueries));
    }
  }
  /// The probabilities of keys first_ .. end - 1 for a block of queries, with the sink's share in
  /// kShares and the slopes of the scores by q k in slopes_.
  void score(int64_t g, int64_t begin, int64_t end) {
    const int64_t n = end - begin, width = end - first_;
    p_ = space_.floats(kScores, n * width);
    slopes_ = space_.floats(kSlopes, n * width);
    float* shares = space_.floats(kShares, kQueries);
    multiply({.x = gather_block(kBlockQueries, in_[0].values, g, begin, end, d_),
              .w = keys_ + first_ * d_,
              .y = p_,
              .m = n,
              .n = width,
              .k = d_});
    if (products_.float32_sums() && op_.softcap == 0 && op_.log_length == 0 && op_.scale > 0)
      return score_in_float32(g, begin, end);
    const double scale = op_.scale, cap = op_.softcap;
    auto* row =
        reinterpret_cast<double*>(space_.bytes(kRow, width * static_cast<int64_t>(sizeof(double))));
    for (int64_t i = 0; i < n; ++i) {
      float *p = p_ + i * width, *slope = slopes_ + i * width;
      const int64_t at = position(begin + i);
      const double factor = op_.score_factor(at);
      double peak = sinks_ != nullptr ? sinks_[kv_ * group_ + g] : -1e30;
      for (int64_t j = 0; j < width; ++j) {
        if (!op_.sees(at, position(first_ + j))) {
          slope[j] = 0;
          continue;
        }
        double slope_of = scale * factor;
        row[j] = p[j] * scale;
        if (cap > 0) {
          const double t = std::tanh(row[j] / cap);
          slope_of *= 1 - t * t;
          row[j] = cap * t;
        }
        slope[j] = static_cast<float>(slope_of);
        row[j] *= factor;
        peak = std::max(peak, row[j]);
      }
      const double sink = sinks_ != nullptr ? std::exp(sinks_[kv_ * group_ + g] - peak) : 0;
      double sum = sink;
      for (int64_t j = 0; j < width; ++j) {
        row[j] = op_.sees(at, position(first_ + j)) ? std::exp(row[j] - peak) : 0;
        sum += row[j];
      }
      const double r = 1 / sum;
      for (int64_t j = 0; j < width; ++j) p[j] = static_cast<float>(row[j] * r);
      shares[i] = static_cast<float>(sink * r);
    }
  }
  /// The rest of score() where scores are scaled and nothing else: the keys that a query sees stand
  /// side by side, up to itself.
  void score_in_float32(int64_t g, int64_t begin, int64_t end) {
    const FloatRows& rows = float_rows(products_.table_name());
    const int64_t width = end - first_;
    const auto scale = static_cast<float>(op_.scale);
    const float* sink = sinks_ != nullptr ? sinks_ + kv_ * group_ + g : nullptr;
    float* shares = space_.floats(kShares, kQueries);
    int64_t low = 0;
    for (int64_t i = 0; i < end - begin; ++i) {
      const int64_t high = begin + i + 1 - first_;
      while (!op_.sees(position(begin + i), position(first_ + low))) ++low;
      float *p = p_ + i * width, *slope = slopes_ + i * width;
      std::fill_n(p, low, 0.0f);
      std::fill(p + high, p + width, 0.0f);
      std::fill_n(slope, width, 0.0f);
      std::fill(slope + low, slope + high, scale);
      shares[i] = rows.softmax(p + low, high - low, scale, sink);
    }
  }
  /// to [width, cols] += a^T b with a [n, width], b [n, cols].
  void add_product(const float* a, const float* b, int64_t n, int64_t width, int64_t cols, float* y,
                   float* to) {
    float* at = space_.floats(kTurnedScores, n * width);
    transpose(a, at, n, width);
    float* bt = space_.floats(kTurnedBlock, n * cols);
    transpose(b, bt, n, cols);
    multiply({.x = at, .w = bt, .y = y, .m = width, .n = cols, .k = n});
    for (int64_t i = 0; i < width * cols; ++i) to[i] += y[i];
  }

  const Attention& op_;
  const Operands& in_;
  const float* sinks_;
  const std::vector<int64_t>& rows_;
  const TokenBatch& batch_;
  int64_t kv_, kv_heads_, group_, d_, dv_, n_;
  Products& products_;
  ProductSpace& space_;
  int64_t first_ = 0;  // key that the block's scores begin with
  float *p_ = nullptr, *slopes_ = nullptr;
  const float *keys_ = nullptr, *values_ = nullptr;
};

}  // namespace

bool run_attention(const Op& op, const Operands& in, const TokenBatch& batch, Products& products,
                   Out<float>& out) {
  const auto* forward = op.as<Attention>();
  const auto* backward = op.as<AttentionGrad>();
  if (forward == nullptr && backward == nullptr) return false;
  std::map<int32_t, std::vector<int64_t>> rows_of;
  for (size_t t = 0; t < batch.sequences.size(); ++t)
    rows_of[batch.sequences[t]].push_back(static_cast<int64_t>(t));
  std::vector<const std::vector<int64_t>*> sequences;
  for (const auto& [sequence, rows] : rows_of) sequences.push_back(&rows);
  const auto count = static_cast<int64_t>(sequences.size());
  const int64_t kv_heads = in[0].sizes[1], group = in[0].sizes[2];
  const bool sinks = backward != nullptr && in.size() == 5;
  std::vector<float> parts(sinks ? static_cast<size_t>(count * kv_heads * group) : 0);
  products.each(count * kv_heads, [&](int64_t task, ProductSpace& space) {
    const auto& rows = *sequences[static_cast<size_t>(task / kv_heads)];
    const int64_t kv = task % kv_heads;
    if (forward != nullptr)
      Task(*forward, in, in.size() == 4, rows, batch, kv, products, space)
          .forward(out[0].values.data());
    else
      Task(backward->forward, in, sinks, rows, batch, kv, products, space)
          .backward(out, sinks ? parts.data() + task * group : nullptr);
  });
  // The sinks of a head gather over the sequences, in their order.
  for (size_t i = 0; i < parts.size(); ++i)
    out[3].values[i % static_cast<size_t>(kv_heads * group)] += parts[i];
  return true;
}

}  // namespace ashlar
