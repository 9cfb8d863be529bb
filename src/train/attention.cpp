// Scores of a block, their probabilities, and the way back.
#include "train/attention.h"

#include <algorithm>
#include <cmath>

namespace ashlar {
namespace {

constexpr int64_t kQueries = 64;  // of one block

enum Slot : size_t {
  kTransposedKeys = ProductSpace::kFree,
  kKeys,
  kValues,
  kScores,
  kSlopes,
  kProbabilityGradients,
  kShares,
  kRow,
  kSinkParts,
};

/// One sequence and one key head with the query heads that share it.
class Task {
 public:
  Task(const AttentionCall& call, const SequenceRows& rows, int64_t task, Products& products,
       ProductSpace& space)
      : call_(call),
        op_(call.op),
        positions_(rows.positions),
        run_(rows.runs[static_cast<size_t>(task / call.kv_heads)]),
        kv_(task % call.kv_heads),
        n_(run_.count),
        products_(products),
        rows_(float_rows(products.table_name())),
        space_(space) {
    // Scores in double where a float32 leaves an error in their exponentials that later layers
    // magnify: at the size of a cap, and where a result is to be exact.
    in_double_ =
        call.numbers == Numbers::f64 || op_.softcap != 0 || op_.log_length != 0 || op_.scale <= 0;
    keys_ = products_.pack(transposed(keys(call_.k, call_.d), key_row(call_.d)), call_.d, n_,
                           call_.numbers, space_, kTransposedKeys);
  }

  void forward(float* out) {
    const Packed values = products_.pack(rows_of(keys(call_.v, call_.dv), key_row(call_.dv)), n_,
                                         call_.dv, call_.numbers, space_, kValues);
    each_block([&](int64_t g, int64_t begin, int64_t end) {
      score(g, begin, end);
      multiply({.m = end - begin,
                .n = call_.dv,
                .k = width_,
                .a = rows_of(p_, stride_),
                .c = query(out, begin, g, call_.dv),
                .c_row = query_row(call_.dv)},
               values, first_);
    });
  }

  /// `sinks`: [group], the gradients of this task's sinks.
  void backward(const AttentionGradients& to, float* sinks) {
    const int64_t d = call_.d, dv = call_.dv;
    const Packed plain_keys =
        products_.pack(rows_of(keys(call_.k, d), key_row(d)), n_, d, call_.numbers, space_, kKeys);
    const Packed values = products_.pack(transposed(keys(call_.v, dv), key_row(dv)), dv, n_,
                                         call_.numbers, space_, kValues);
    for (int64_t j = 0; j < n_; ++j) {
      std::fill_n(keys(to.k, d) + j * key_row(d), d, 0.0f);
      std::fill_n(keys(to.v, dv) + j * key_row(dv), dv, 0.0f);
    }
    if (sinks != nullptr) std::fill_n(sinks, call_.group, 0.0f);
    each_block([&](int64_t g, int64_t begin, int64_t end) {
      const int64_t n = end - begin;
      score(g, begin, end);
      const float* dout = query(to.of_out, begin, g, dv);
      float* dp = space_.floats(kProbabilityGradients, kQueries * stride_);
      multiply_columns({.m = n,
                        .n = width_,
                        .k = dv,
                        .a = rows_of(dout, query_row(dv)),
                        .c = dp,
                        .c_row = stride_},
                       values);
      double sink = 0;
      for (int64_t i = 0; i < n; ++i) {
        float* ds = dp + i * stride_;
        if (in_double_)
          sink += slope_in_double(i, ds);
        else
          sink += rows_.softmax_grad(p_ + i * stride_, ds, width_, static_cast<float>(op_.scale),
                                     space_.floats(kShares, kQueries)[i]);
      }
      if (sinks != nullptr) sinks[g] += static_cast<float>(sink);
      multiply({.m = n,
                .n = d,
                .k = width_,
                .a = rows_of(dp, stride_),
                .c = query(to.q, begin, g, d),
                .c_row = query_row(d)},
               plain_keys, first_);
      add_product(p_, rows_of(dout, query_row(dv)), n, dv, keys(to.v, dv) + first_ * key_row(dv));
      add_product(dp, rows_of(query(call_.q, begin, g, d), query_row(d)), n, d,
                  keys(to.k, d) + first_ * key_row(d));
    });
  }

 private:
  int64_t position(int64_t i) const { return positions_[static_cast<size_t>(run_.begin + i)]; }
  int64_t query_row(int64_t width) const { return call_.kv_heads * call_.group * width; }
  int64_t key_row(int64_t width) const { return call_.kv_heads * width; }
  /// The row of query i and head g in a value of `width` numbers per head.
  template <class T>
  T* query(T* values, int64_t i, int64_t g, int64_t width) const {
    return values + (run_.begin + i) * query_row(width) + (kv_ * call_.group + g) * width;
  }
  template <class T>
  T* keys(T* values, int64_t width) const {
    return values + run_.begin * key_row(width) + kv_ * width;
  }
  void multiply(const Product& p, const Packed& b, int64_t begin) const {
    products_.multiply(p, b, begin, call_.numbers, space_);
  }
  /// With columns first_ .. of b.
  void multiply_columns(const Product& p, const Packed& b) const {
    products_.multiply(p, products_.columns_from(b, first_, call_.numbers), 0, call_.numbers,
                       space_);
  }
  template <class F>
  void each_block(const F& f) {
    for (int64_t begin = 0; begin < n_; begin += kQueries) {
      const int64_t end = std::min(n_, begin + kQueries);
      // Keys that the block's first query does not see, no later one does. Whole panels.
      first_ = 0;
      while (first_ < begin && !op_.sees(position(begin), position(first_))) ++first_;
      first_ = first_ / products_.grain() * products_.grain();
      width_ = end - first_;
      stride_ = (width_ + 15) / 16 * 16 + 16;
      for (int64_t g = 0; g < call_.group; ++g) f(g, begin, end);
    }
  }
  /// The probabilities of keys first_ .. end - 1 for a block of queries, with the sink's share in
  /// kShares and, in double, the slopes of the scores by q k in slopes_.
  void score(int64_t g, int64_t begin, int64_t end) {
    p_ = space_.floats(kScores, kQueries * stride_);
    multiply_columns({.m = end - begin,
                      .n = width_,
                      .k = call_.d,
                      .a = rows_of(query(call_.q, begin, g, call_.d), query_row(call_.d)),
                      .c = p_,
                      .c_row = stride_},
                     keys_);
    const float* sink = call_.sinks != nullptr ? call_.sinks + kv_ * call_.group + g : nullptr;
    float* shares = space_.floats(kShares, kQueries);
    if (in_double_) return score_in_double(sink, shares, begin, end);
    // The keys that a query sees stand side by side, up to itself.
    int64_t low = 0;
    for (int64_t i = 0; i < end - begin; ++i) {
      const int64_t high = begin + i + 1 - first_;
      while (!op_.sees(position(begin + i), position(first_ + low))) ++low;
      float* p = p_ + i * stride_;
      std::fill_n(p, low, 0.0f);
      std::fill(p + high, p + width_, 0.0f);
      shares[i] = rows_.softmax(p + low, high - low, static_cast<float>(op_.scale), sink);
    }
  }
  void score_in_double(const float* of_sink, float* shares, int64_t begin, int64_t end) {
    slopes_ = space_.floats(kSlopes, kQueries * stride_);
    const double scale = op_.scale, cap = op_.softcap;
    auto* row = reinterpret_cast<double*>(
        space_.bytes(kRow, width_ * static_cast<int64_t>(sizeof(double))));
    for (int64_t i = 0; i < end - begin; ++i) {
      float *p = p_ + i * stride_, *slope = slopes_ + i * stride_;
      const int64_t at = position(begin + i);
      const double factor = op_.score_factor(at);
      double peak = of_sink != nullptr ? *of_sink : -1e30;
      for (int64_t j = 0; j < width_; ++j) {
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
      const double sink = of_sink != nullptr ? std::exp(*of_sink - peak) : 0;
      double sum = sink;
      for (int64_t j = 0; j < width_; ++j) {
        row[j] = op_.sees(at, position(first_ + j)) ? std::exp(row[j] - peak) : 0;
        sum += row[j];
      }
      const double r = 1 / sum;
      for (int64_t j = 0; j < width_; ++j) p[j] = static_cast<float>(row[j] * r);
      shares[i] = static_cast<float>(sink * r);
    }
  }
  /// ds of query i, in place of dp; what it adds to the sink's gradient is returned.
  double slope_in_double(int64_t i, float* dp) {
    const float *p = p_ + i * stride_, *slope = slopes_ + i * stride_;
    // dp - sum(p dp), counted from the dp of the likeliest key: where p is almost 1 there, the
    // difference keeps its digits though p does not.
    const double at_peak = dp[std::max_element(p, p + width_) - p];
    const double share = space_.floats(kShares, kQueries)[i];
    double mean = 0;
    for (int64_t j = 0; j < width_; ++j) mean += p[j] * (dp[j] - at_peak);
    const double sink = -(mean + at_peak * (1 - share)) * share;
    mean -= at_peak * share;
    for (int64_t j = 0; j < width_; ++j)
      dp[j] = static_cast<float>(slope[j] * (p[j] * (dp[j] - at_peak - mean)));
    return sink;
  }
  /// to [width, cols] of this head += a^T b with a [n, width], b [n, cols].
  void add_product(const float* a, const Strided& b, int64_t n, int64_t cols, float* to) {
    products_.multiply({.m = width_,
                        .n = cols,
                        .k = n,
                        .a = transposed(a, stride_),
                        .b = b,
                        .c = to,
                        .c_row = key_row(cols),
                        .start = to},
                       call_.numbers, space_);
  }

  const AttentionCall& call_;
  const Attention& op_;
  const std::vector<int32_t>& positions_;
  const SequenceRows::Run run_;
  int64_t kv_, n_;
  Products& products_;
  const FloatRows& rows_;
  ProductSpace& space_;
  bool in_double_ = false;
  Packed keys_;
  int64_t first_ = 0, width_ = 0, stride_ = 0;  // keys of the block, numbers from row to row
  float *p_ = nullptr, *slopes_ = nullptr;
};

}  // namespace

SequenceRows::SequenceRows(const TokenBatch& batch)
    : in_order(std::is_sorted(batch.sequences.begin(), batch.sequences.end())),
      positions(batch.positions) {
  for (size_t i = 0; i < batch.sequences.size(); ++i) {
    if (i == 0 || batch.sequences[i] != batch.sequences[i - 1])
      runs.push_back({static_cast<int64_t>(i), 0});
    ++runs.back().count;
  }
}

void attend(const AttentionCall& call, const SequenceRows& rows, float* out, Products& products) {
  products.each(static_cast<int64_t>(rows.runs.size()) * call.kv_heads,
                [&](int64_t task, ProductSpace& space) {
                  Task(call, rows, task, products, space).forward(out);
                });
}

void attend_backward(const AttentionCall& call, const SequenceRows& rows,
                     const AttentionGradients& gradients, Products& products) {
  const int64_t runs = static_cast<int64_t>(rows.runs.size()), heads = call.kv_heads * call.group;
  float* parts = nullptr;
  if (gradients.sinks != nullptr) parts = products.shared().floats(kSinkParts, runs * heads);
  products.each(runs * call.kv_heads, [&](int64_t task, ProductSpace& space) {
    Task(call, rows, task, products, space)
        .backward(gradients, parts != nullptr ? parts + task * call.group : nullptr);
  });
  // The sinks of a head gather over the sequences, in their order.
  for (int64_t h = 0; gradients.sinks != nullptr && h < heads; ++h) {
    gradients.sinks[h] = 0;
    for (int64_t r = 0; r < runs; ++r) gradients.sinks[h] += parts[r * heads + h];
  }
}

}  // namespace ashlar
