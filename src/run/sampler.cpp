// Penalties, cuts and the draw. The chances come from an exponential of our own and are added up in
// one order, so that neither a machine's math library nor its vectors decide a token.
#include "run/sampler.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <functional>
#include <limits>
#include <numbers>

#include "base/error.h"
#include "kernels/likelihood.h"

namespace ashlar {
namespace {

constexpr auto kBlock = kernels::kLikelihoodBlock;
constexpr int64_t kFew = 512;  // numbers that are sooner sorted than told apart by another pass
constexpr float kInfinity = std::numeric_limits<float>::infinity();

/// Floats in order as whole numbers: the next one is the next float.
int64_t key_of(float x) {
  const auto bits = std::bit_cast<int32_t>(x);
  return bits >= 0 ? int64_t{bits} : int64_t{INT32_MIN} - bits;
}
float value_of(int64_t key) {
  return std::bit_cast<float>(static_cast<int32_t>(key >= 0 ? key : INT32_MIN - key));
}

/// The logarithm, straight between powers of two: the same on every machine.
double log2_of(double x) { return static_cast<double>(key_of(static_cast<float>(x))) * 0x1p-23; }

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

}  // namespace

/// Numbers from a value on: what they add up to, and how many they are.
struct Sampler::Edge {
  float value;
  double amount;
  int64_t numbers;
};

/// Where values lie when they are looked for, and a measure of the amount from a value on that is
/// about straight there: numbers from a logit on become exponentially more as it falls.
struct Sampler::OfLogits {
  static double place_of(float x) { return x; }
  static float value_at(double place) { return static_cast<float>(place); }
  static double measure(double amount) { return log2_of(std::max(amount, 0.5)); }
};
/// What chances up to a value add up to grows with a power of it.
struct Sampler::OfChances {
  double total;
  static double place_of(float x) { return static_cast<double>(key_of(x)); }
  static float value_at(double place) { return value_of(static_cast<int64_t>(place)); }
  double measure(double amount) const {
    return -log2_of(std::max(total - amount, total * 0x1p-12));
  }
};

bool Sampler::Undecided::operator<(const Undecided& o) const {
  return value > o.value || (value == o.value && index < o.index);
}

Sampler::Sampler(SamplingOptions options) : options_(std::move(options)), random_(options_.seed) {
  check(options_);
}

/// Bias and penalties, on a copy if there are any.
std::span<const float> Sampler::adjusted(std::span<const float> logits,
                                         std::span<const int32_t> history, int64_t generated) {
  const SamplingOptions& o = options_;
  const bool repeated = o.repetition_penalty != 1;
  const bool counted = o.presence_penalty != 0 || o.frequency_penalty != 0;
  if (o.logit_bias.empty() && !repeated && !counted) return logits;
  const auto vocab = static_cast<int64_t>(logits.size());
  work_.assign(logits.begin(), logits.end());
  for (const auto& [id, bias] : o.logit_bias) {
    if (id >= vocab)
      fail(ErrorKind::invalid, "sampling: logit_bias: token id {}: expected 0 to {}", id,
           vocab - 1);
    work_[static_cast<size_t>(id)] += bias;
  }
  counts_.resize(logits.size(), 0);
  // Calls f(id, count) for each distinct token of the last n of the history.
  const auto for_each_distinct = [&](int64_t n, auto f) {
    const auto most = static_cast<int64_t>(history.size());
    const auto ids = history.last(static_cast<size_t>(std::clamp<int64_t>(n, 0, most)));
    for (const int32_t id : ids)
      if (id >= 0 && id < vocab) ++counts_[static_cast<size_t>(id)];
    for (const int32_t id : ids) {
      if (id < 0 || id >= vocab) continue;
      int32_t& count = counts_[static_cast<size_t>(id)];
      if (count > 0) f(work_[static_cast<size_t>(id)], static_cast<float>(count));
      count = 0;
    }
  };
  const int64_t window = o.penalty_window > 0 ? o.penalty_window : INT64_MAX;
  if (repeated) {
    for_each_distinct(window, [&](float& x, float) {
      x = x > 0 ? x / o.repetition_penalty : x * o.repetition_penalty;
    });
  }
  if (counted) {
    for_each_distinct(std::min(window, generated), [&](float& x, float count) {
      x -= o.presence_penalty + count * o.frequency_penalty;
    });
  }
  return work_;
}

int32_t Sampler::next(std::span<const float> logits, std::span<const int32_t> history,
                      int64_t generated) {
  const SamplingOptions& o = options_;
  if (logits.empty()) fail(ErrorKind::invalid, "sampling: there are no logits");
  const kernels::LikelihoodLoops& loops = kernels::likelihood_loops();
  const auto blocks = [](size_t n) { return (n + kBlock - 1) / kBlock; };
  std::span<const float> x = adjusted(logits, history, generated);

  // NaN loses every comparison, so it is never the most likely one.
  maxima_.resize(blocks(x.size()));
  loops.maxima(x.data(), static_cast<int64_t>(x.size()), maxima_.data());
  const float most = *std::max_element(maxima_.begin(), maxima_.end());
  size_t top = 0;
  if (most > -kInfinity) {
    top = static_cast<size_t>(std::find(maxima_.begin(), maxima_.end(), most) - maxima_.begin()) *
          kBlock;
    while (x[top] != most) ++top;
  }
  if (o.temperature == 0 || !std::isfinite(most)) return static_cast<int32_t>(top);

  ids_.clear();
  if (o.top_k > 0 && static_cast<size_t>(o.top_k) < x.size()) x = most_likely(x, most);
  // Whatever is less than one part in 2^41 of the most likely token is never drawn.
  const auto scale = static_cast<float>(
      std::min<double>(std::numbers::log2e / static_cast<double>(o.temperature), FLT_MAX));
  chances_.resize(x.size());
  sums_.resize(blocks(x.size()));
  between_.resize(sums_.size());
  loops.likelihoods(x.data(), static_cast<int64_t>(x.size()), most, scale,
                    o.top_p < 1 ? 0 : o.min_p, chances_.data(), sums_.data());
  double total = 0;
  for (const double s : sums_) total += s;
  sure_ = FLT_MIN;
  undecided_.clear();
  if (o.top_p < 1) total = cut(total);
  const double uniform = static_cast<double>(random_() >> 11) * 0x1p-53;
  const std::optional<size_t> drawn = draw(uniform * total);
  if (!drawn) return static_cast<int32_t>(top);
  return ids_.empty() ? static_cast<int32_t>(*drawn) : ids_[*drawn];
}

/// Moves two edges, `low` with at least the wanted amount and `high` with less, towards each other
/// until few numbers or one value lie between them; `edge_at` gives the edge of a value. By false
/// position, where an end that stays weighs half (the Illinois rule; Dowell and Jarratt 1971).
template <class Scale, class EdgeAt>
void Sampler::narrow(Edge& low, Edge& high, double wanted, float first, Scale scale,
                     EdgeAt edge_at) {
  const float top = high.value;
  double low_weight = 1, high_weight = 1;
  for (int step = 0; low.numbers - high.numbers > kFew; ++step) {
    const int64_t from = key_of(low.value), to = key_of(high.value);
    if (to - from <= 1) return;
    float middle = value_of((from + to) / 2);
    if (step == 0) {
      middle = first;
    } else if (step % 8 == 7) {
      // as it is, so that it ends
    } else if (std::isfinite(low.value)) {
      const auto distance = [&](const Edge& e) {
        return std::abs(scale.measure(wanted) - scale.measure(e.amount));
      };
      const double above = high_weight * distance(high), below = low_weight * distance(low);
      const double share = std::clamp(above / (above + below + 1e-9), 1.0 / 64, 63.0 / 64);
      const double place = scale.place_of(high.value);
      middle = scale.value_at(place - share * (place - scale.place_of(low.value)));
    } else {
      middle = std::max(2 * high.value - top, -FLT_MAX);  // twice as far down
    }
    const Edge edge = edge_at(value_of(std::clamp(key_of(middle), from + 1, to - 1)));
    const bool enough = edge.amount >= wanted;
    (enough ? high_weight : low_weight) *= 0.5;
    (enough ? low_weight : high_weight) = 1;
    (enough ? low : high) = edge;
  }
}

/// top_k: the logits that remain, and their ids where that is not all with some struck out.
std::span<const float> Sampler::most_likely(std::span<const float> logits, float most) {
  const kernels::LikelihoodLoops& loops = kernels::likelihood_loops();
  const auto n = static_cast<int64_t>(logits.size());
  const int64_t k = options_.top_k;
  const auto edge_at = [&](float value) {
    const int64_t count = loops.count(logits.data(), n, value);
    return Edge{value, static_cast<double>(count), count};
  };
  float least = -kInfinity;
  if (k <= static_cast<int64_t>(maxima_.size())) {
    // So many blocks have a number of this size, so at least so many numbers are no smaller.
    chances_.assign(maxima_.begin(), maxima_.end());
    std::nth_element(chances_.begin(), chances_.begin() + (k - 1), chances_.end(),
                     std::greater<>());
    least = chances_[static_cast<size_t>(k - 1)];
  }
  Edge low = edge_at(least);
  if (low.numbers < k) return logits;  // the others are NaNs
  Edge high{value_of(key_of(most) + 1), 0, 0};
  narrow(low, high, static_cast<double>(k), most - 16, OfLogits(), edge_at);

  // Larger ones are in; of those between, the largest, and of equals the first.
  const bool equal = key_of(high.value) - key_of(low.value) <= 1;
  const auto missing = static_cast<size_t>(k - high.numbers);
  const bool few = k <= n / 32;
  undecided_.clear();
  if (few) {
    between_.resize(maxima_.size());
    for (size_t b = 0; b < maxima_.size(); ++b) between_[b] = maxima_[b] >= low.value ? 1 : 0;
  } else {
    sums_.resize(maxima_.size());
    between_.resize(maxima_.size());
    loops.split(logits.data(), n, low.value, high.value, sums_.data(), between_.data());
  }
  for (size_t b = 0; b < maxima_.size(); ++b) {
    if (between_[b] == 0) continue;
    const int64_t begin = static_cast<int64_t>(b) * kBlock, end = std::min(n, begin + kBlock);
    for (int64_t i = begin; i < end; ++i) {
      const float x = logits[static_cast<size_t>(i)];
      if (!(x >= low.value)) continue;
      if (x >= high.value) {
        if (few) ids_.push_back(static_cast<int32_t>(i));
      } else if (!equal || undecided_.size() < missing) {
        undecided_.push_back({x, static_cast<int32_t>(i)});
      }
    }
  }
  if (missing < undecided_.size()) {
    std::nth_element(undecided_.begin(), undecided_.begin() + static_cast<ptrdiff_t>(missing),
                     undecided_.end());
    undecided_.resize(missing);
  }
  if (!few) {
    work_.resize(logits.size());
    loops.keep(logits.data(), n, high.value, work_.data());
    for (const Undecided& u : undecided_) work_[static_cast<size_t>(u.index)] = u.value;
    return work_;
  }
  for (const Undecided& u : undecided_) ids_.push_back(u.index);
  std::sort(ids_.begin(), ids_.end());
  few_.resize(ids_.size());
  for (size_t i = 0; i < ids_.size(); ++i) few_[i] = logits[static_cast<size_t>(ids_[i])];
  return few_;
}

/// top_p and min_p: gives what the kept chances add up to.
double Sampler::cut(double total) {
  const kernels::LikelihoodLoops& loops = kernels::likelihood_loops();
  const auto n = static_cast<int64_t>(chances_.size());
  const double wanted = static_cast<double>(options_.top_p) * total;
  const auto edge_at = [&](float value) {
    Edge e{value, 0, 0};
    e.numbers = loops.mass(chances_.data(), n, value, &e.amount);
    return e;
  };
  constexpr float kLeast = 0x1p-42f, kOften = 0x1p-10f;
  Edge low{kLeast, total, n}, high{value_of(key_of(1) + 1), 0, 0};
  narrow(low, high, wanted, kOften, OfChances{total}, edge_at);
  if (options_.min_p >= high.value) low.value = high.value = options_.min_p;
  sure_ = high.value;
  loops.split(chances_.data(), n, low.value, high.value, sums_.data(), between_.data());
  double mass = 0;
  for (const double s : sums_) mass += s;

  const bool equal = key_of(high.value) - key_of(low.value) <= 1;
  undecided_.clear();
  for (size_t b = 0; b < between_.size(); ++b) {
    if (between_[b] == 0) continue;
    const int64_t begin = static_cast<int64_t>(b) * kBlock, end = std::min(n, begin + kBlock);
    for (int64_t i = begin; i < end; ++i) {
      const float e = chances_[static_cast<size_t>(i)];
      if (e >= low.value && e < high.value) undecided_.push_back({e, static_cast<int32_t>(i)});
    }
    // Of equals the first are kept, as many as are wanted: no need to look for more.
    if (equal &&
        mass + static_cast<double>(low.value) * static_cast<double>(undecided_.size()) >= wanted)
      break;
  }
  if (!equal) std::sort(undecided_.begin(), undecided_.end());
  size_t kept = 0;
  while (kept < undecided_.size() && undecided_[kept].value >= options_.min_p &&
         (mass == 0 || mass < wanted))
    mass += undecided_[kept++].value;
  undecided_.resize(kept);
  return mass;
}

/// The candidate at that place of the kept ones in a row, each as wide as its chance; none where
/// rounding has left a place behind the last.
std::optional<size_t> Sampler::draw(double at) const {
  for (size_t b = 0; b < sums_.size(); ++b) {
    if (at >= sums_[b]) {
      at -= sums_[b];
      continue;
    }
    std::optional<size_t> last;
    const size_t end = std::min(chances_.size(), (b + 1) * kBlock);
    for (size_t i = b * kBlock; i < end; ++i) {
      if (chances_[i] < sure_) continue;
      last = i;
      if (at < chances_[i]) break;
      at -= chances_[i];
    }
    return last;
  }
  for (const Undecided& u : undecided_) {
    if (at < u.value) return static_cast<size_t>(u.index);
    at -= u.value;
  }
  return std::nullopt;
}

}  // namespace ashlar
