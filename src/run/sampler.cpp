// Penalties, cuts and the draw. Weights are whole numbers made by an exponential of our own, so
// that neither a machine's math library nor its order of additions decides a token.
#include "run/sampler.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/error.h"

namespace ashlar {
namespace {

constexpr int kWeightBits = 40;  // the most likely token weighs 2^40: 2^18 tokens add up to 2^58
constexpr double kLn2 = 0.69314718055994530942;

/// 2^40 e^x for x <= 0, rounded: x = k ln 2 + r, the series of e^r to r^13 / 13!.
uint64_t weight_of(double x) {
  const double k = std::floor(x / kLn2 + 0.5);
  if (k < -kWeightBits - 1) return 0;
  const double r = x - k * kLn2;
  double e = 1;
  for (int i = 13; i >= 1; --i) e = 1 + e * r / i;
  return static_cast<uint64_t>(std::ldexp(e, kWeightBits + static_cast<int>(k)) + 0.5);
}

void check(const SamplingOptions& o) {
  const auto expect = [](bool good, std::string_view name, std::string_view expected,
                         double found) {
    if (!good)
      fail(ErrorKind::invalid, "sampling: {}: expected {}, found {}", name, expected, found);
  };
  expect(o.temperature >= 0 && std::isfinite(o.temperature), "temperature", "0 or more",
         o.temperature);
  expect(o.top_k >= 0, "top_k", "0 (all) or more", o.top_k);
  expect(o.top_p > 0 && o.top_p <= 1, "top_p", "more than 0, at most 1", o.top_p);
  expect(o.min_p >= 0 && o.min_p <= 1, "min_p", "0 to 1", o.min_p);
  expect(o.repetition_penalty > 0 && std::isfinite(o.repetition_penalty), "repetition_penalty",
         "more than 0", o.repetition_penalty);
  expect(std::isfinite(o.presence_penalty), "presence_penalty", "a number", o.presence_penalty);
  expect(std::isfinite(o.frequency_penalty), "frequency_penalty", "a number", o.frequency_penalty);
  expect(o.penalty_window >= 0, "penalty_window", "0 (all) or more",
         static_cast<double>(o.penalty_window));
  for (const auto& [id, bias] : o.logit_bias) {
    expect(id >= 0, "logit_bias", "token ids from 0", id);
    expect(!std::isnan(bias), "logit_bias", "a number", bias);
  }
}

/// Calls f(id, count) for each distinct id of `ids`, which it copies into `scratch` and sorts.
template <class F>
void for_each_distinct(std::span<const int32_t> ids, std::vector<int32_t>& scratch, F f) {
  scratch.assign(ids.begin(), ids.end());
  std::sort(scratch.begin(), scratch.end());
  for (size_t i = 0; i < scratch.size();) {
    size_t end = i;
    while (end < scratch.size() && scratch[end] == scratch[i]) ++end;
    f(scratch[i], end - i);
    i = end;
  }
}

}  // namespace

Sampler::Sampler(SamplingOptions options) : options_(std::move(options)), random_(options_.seed) {
  check(options_);
}

int32_t Sampler::next(std::span<const float> logits, std::span<const int32_t> history,
                      int64_t generated) {
  const SamplingOptions& o = options_;
  work_.assign(logits.begin(), logits.end());
  const auto vocab = static_cast<int64_t>(work_.size());
  if (vocab == 0) fail(ErrorKind::invalid, "sampling: there are no logits");
  const auto logit = [&](int32_t id) -> float* {
    return id >= 0 && id < vocab ? &work_[static_cast<size_t>(id)] : nullptr;
  };
  for (const auto& [id, bias] : o.logit_bias) {
    if (id >= vocab)
      fail(ErrorKind::invalid, "sampling: logit_bias: token id {}: expected 0 to {}", id,
           vocab - 1);
    *logit(id) += bias;
  }
  const auto last = [](std::span<const int32_t> s, int64_t n) {
    const auto most = static_cast<int64_t>(s.size());
    return s.last(static_cast<size_t>(std::clamp<int64_t>(n, 0, most)));
  };
  if (o.penalty_window > 0) history = last(history, o.penalty_window);
  if (o.repetition_penalty != 1) {
    for_each_distinct(history, order_, [&](int32_t id, size_t) {
      if (float* x = logit(id)) *x = *x > 0 ? *x / o.repetition_penalty : *x * o.repetition_penalty;
    });
  }
  if (o.presence_penalty != 0 || o.frequency_penalty != 0) {
    for_each_distinct(last(history, generated), order_, [&](int32_t id, size_t count) {
      if (float* x = logit(id))
        *x -= o.presence_penalty + static_cast<float>(count) * o.frequency_penalty;
    });
  }

  // NaN loses every comparison, so it is never the most likely one.
  int32_t top = 0;
  float most = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < vocab; ++i) {
    if (work_[static_cast<size_t>(i)] > most) {
      most = work_[static_cast<size_t>(i)];
      top = static_cast<int32_t>(i);
    }
  }
  if (o.temperature == 0 || !std::isfinite(most)) return top;

  // Whatever weighs less than one part in 2^41 of the most likely token can never be drawn.
  const double temperature = o.temperature;
  const auto weight = [&](int32_t id) {
    return weight_of((static_cast<double>(work_[static_cast<size_t>(id)]) - most) / temperature);
  };
  const auto floor = static_cast<float>(most - temperature * kLn2 * (kWeightBits + 1));
  order_.clear();
  for (int64_t i = 0; i < vocab; ++i)
    if (work_[static_cast<size_t>(i)] >= floor) order_.push_back(static_cast<int32_t>(i));
  const auto likelier = [&](int32_t a, int32_t b) {
    const float x = work_[static_cast<size_t>(a)], y = work_[static_cast<size_t>(b)];
    return x > y || (x == y && a < b);
  };
  if (o.top_k > 0 && static_cast<size_t>(o.top_k) < order_.size()) {
    std::nth_element(order_.begin(), order_.begin() + o.top_k, order_.end(), likelier);
    order_.resize(static_cast<size_t>(o.top_k));
  }
  std::sort(order_.begin(), order_.end(), likelier);
  uint64_t total = 0;
  for (const int32_t id : order_) total += weight(id);
  if (o.top_p < 1) {
    const double enough = static_cast<double>(o.top_p) * static_cast<double>(total);
    uint64_t mass = 0;
    size_t kept = 0;
    while (kept < order_.size() && (kept == 0 || static_cast<double>(mass) < enough))
      mass += weight(order_[kept++]);
    order_.resize(kept);
    total = mass;
  }
  if (o.min_p > 0) {
    const double least = std::ldexp(static_cast<double>(o.min_p), kWeightBits);
    while (order_.size() > 1 && static_cast<double>(weight(order_.back())) < least) {
      total -= weight(order_.back());
      order_.pop_back();
    }
  }
  // The top 64 bits of random * total: uniform below total, but for 2^-6 of the smallest weight.
  auto at = static_cast<uint64_t>((static_cast<unsigned __int128>(random_()) * total) >> 64);
  for (const int32_t id : order_) {
    const uint64_t w = weight(id);
    if (at < w) return id;
    at -= w;
  }
  return order_.front();
}

}  // namespace ashlar
