// Rotary frequencies and the rotation in plain loops.
#include "ops/rope.h"

#include <algorithm>
#include <map>
#include <numbers>

#include "graph/op_model.h"
#include "ops/types.h"

namespace ashlar {

std::vector<double> Rope::frequencies(int64_t context) const {
  const double d = static_cast<double>(dim);
  std::vector<double> rates(static_cast<size_t>(dim / 2));
  for (size_t j = 0; j < rates.size(); ++j)
    rates[j] = std::pow(theta, -2.0 * static_cast<double>(j) / d);
  const double original = static_cast<double>(original_context);
  switch (scaling) {
    case RotationScaling::none:
      break;
    case RotationScaling::linear:
      for (double& f : rates) f /= factor;
      break;
    case RotationScaling::llama3:
      // Llama 3.1 reference code: long waves are divided, short ones kept, those between
      // interpolated.
      for (double& f : rates) {
        const double wavelength = 2 * std::numbers::pi / f;
        if (wavelength < original / high_frequency_factor) continue;
        if (wavelength > original / low_frequency_factor) {
          f /= factor;
        } else {
          const double s = (original / wavelength - low_frequency_factor) /
                           (high_frequency_factor - low_frequency_factor);
          f = (1 - s) * f / factor + s * f;
        }
      }
      break;
    case RotationScaling::divisors:
      for (size_t j = 0; j < rates.size(); ++j) rates[j] /= divisors[j];
      break;
    case RotationScaling::longrope: {
      const std::vector<double>& table = context > original_context ? long_divisors : divisors;
      for (size_t j = 0; j < rates.size(); ++j) rates[j] /= table[j];
      break;
    }
    case RotationScaling::yarn: {
      // The pair that turns r times over the original context.
      const auto pair_of = [&](double turns) {
        return d * std::log(original / (turns * 2 * std::numbers::pi)) / (2 * std::log(theta));
      };
      double low = pair_of(beta_fast), high = pair_of(beta_slow);
      if (truncate) {
        low = std::floor(low);
        high = std::ceil(high);
      }
      low = std::max(low, 0.0);
      high = std::min(high, d - 1);
      if (low == high) high += 0.001;
      for (size_t j = 0; j < rates.size(); ++j) {
        const double ramp = std::clamp((static_cast<double>(j) - low) / (high - low), 0.0, 1.0);
        rates[j] = rates[j] / factor * ramp + rates[j] * (1 - ramp);
      }
      break;
    }
  }
  return rates;
}

std::vector<Type> Rope::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_tokens(in[0], "x");
  const Axis head = last_axes(in[0], 1, "x")[0];
  if (dim < 2 || dim % 2 != 0 || dim > head.size) {
    shape_error("dim: expected an even number up to " + std::to_string(head.size) + ", found " +
                std::to_string(dim));
  }
  const auto expect_pairs = [&](const char* name, const std::vector<double>& list) {
    if (list.size() * 2 == static_cast<size_t>(dim)) return;
    shape_error(std::string(name) + ": expected " + std::to_string(dim / 2) + ", found " +
                std::to_string(list.size()));
  };
  const bool longrope = scaling == RotationScaling::longrope;
  if (scaling == RotationScaling::divisors || longrope) expect_pairs("divisors", divisors);
  if (longrope) expect_pairs("long_divisors", long_divisors);
  return {in[0]};
}

int64_t Rope::flops(Types in, const Workload& load) const {
  const int64_t heads = in[0].feature_count() / in[0].axes.back().size;
  return load.tokens() * heads * dim * 3;
}

std::vector<Value> Rope::derivative(Builder& b, Values, Values, Values dy) const {
  Rope back = *this;
  back.inverse = !inverse;
  return {b.add1(back, {dy[0]})};
}

template <class F>
void Rope::meaning(const In<F>& in, Out<F>& out) const {
  using W = Wide<F>;
  // Where no context was asked for, each sequence is its own.
  std::map<int32_t, int64_t> longest;
  const auto sequence = [&](int64_t t) { return in.batch.sequences[static_cast<size_t>(t)]; };
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    int64_t& length = longest[sequence(t)];
    length = std::max(
        {length, in.batch.context, int64_t{in.batch.positions[static_cast<size_t>(t)]} + 1});
  }
  const std::vector<double> within = frequencies(original_context),
                            beyond = frequencies(original_context + 1);
  const int64_t n = in[0].inner(1);
  const int64_t per_token = in.batch.size() == 0 ? 0 : in[0].elements() / in.batch.size();
  out[0].values = in[0].values;
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    const std::vector<double>& frequency =
        longest[sequence(t)] > original_context ? beyond : within;
    for (int64_t j = 0; j < dim / 2; ++j) {
      const double angle =
          in.batch.positions[static_cast<size_t>(t)] * frequency[static_cast<size_t>(j)];
      const W c = W(attention_factor * std::cos(angle)),
              s = W(attention_factor * std::sin(inverse ? -angle : angle));
      const int64_t a = layout == RotationLayout::half ? j : 2 * j;
      const int64_t b = layout == RotationLayout::half ? j + dim / 2 : 2 * j + 1;
      for (int64_t h = 0; h < per_token / n; ++h) {
        const F* x = in[0].values.data() + t * per_token + h * n;
        F* y = out[0].values.data() + t * per_token + h * n;
        y[a] = F(W(x[a]) * c - W(x[b]) * s);
        y[b] = F(W(x[b]) * c + W(x[a]) * s);
      }
    }
  }
}

std::vector<Type> PositionScale::types(Types in) const {
  expect_inputs(in, 1, 1);
  expect_tokens(in[0], "x");
  return {in[0]};
}

int64_t PositionScale::flops(Types in, const Workload& load) const {
  return load.tokens() * in[0].feature_count();
}

double PositionScale::factor(int64_t position) const {
  return 1 + scale * std::log(1 + std::floor(static_cast<double>(position + offset) / length));
}

std::vector<Value> PositionScale::derivative(Builder& b, Values, Values, Values dy) const {
  return {b.add1(*this, {dy[0]})};
}

template <class F>
void PositionScale::meaning(const In<F>& in, Out<F>& out) const {
  const int64_t n = in.batch.size() == 0 ? 0 : in[0].elements() / in.batch.size();
  for (int64_t t = 0; t < in.batch.size(); ++t) {
    const F f = F(factor(in.batch.positions[static_cast<size_t>(t)]));
    for (int64_t i = t * n; i < (t + 1) * n; ++i)
      out[0].values[static_cast<size_t>(i)] = in[0].values[static_cast<size_t>(i)] * f;
  }
}

ASHLAR_OP(Rope)
ASHLAR_OP(PositionScale)

}  // namespace ashlar
