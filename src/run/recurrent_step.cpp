// Steps that carry a state from token to token: sequences, and their channels or heads, side by
// side.
#include <algorithm>

#include "ops/convolution.h"
#include "plan/tasks.h"
#include "run/frame.h"

namespace ashlar {
namespace {

/// The tokens of a part, through some channels.
void run_rule(const Frame& f, const RecurrentStep& s, const RecurrentStep::Convolution& r,
              const StepBatch::Part& part, int64_t share, float*) {
  const int64_t begin = share * kConvolutionChannels,
                end = std::min(r.channels, begin + kConvolutionChannels);
  float* state = f.state.fixed(s.state, part.sequence);
  for (int64_t row = part.begin; row < part.begin + part.count; ++row) {
    const float* x = f.floats(r.x, row);
    float* y = f.floats(s.out, row);
    for (int64_t c = begin; c < end; ++c) {
      y[c] = CausalConvolution::step(r.width, state + c * (r.width - 1), r.w + c * r.width, x[c]);
      if (r.bias != nullptr) y[c] += r.bias[c];
    }
  }
}

/// The tokens of a part, through one value head.
void run_rule(const Frame& f, const RecurrentStep& s, const RecurrentStep::DeltaRule& r,
              const StepBatch::Part& part, int64_t head, float* work) {
  const int64_t key = head / r.group * r.head.key_dim, value = head * r.head.value_dim;
  float* state = f.state.fixed(s.state, part.sequence) + head * r.head.state();
  for (int64_t row = part.begin; row < part.begin + part.count; ++row) {
    GatedDeltaRule::step(r.head, r.scale, state, f.floats(r.q, row) + key, f.floats(r.k, row) + key,
                         f.floats(r.v, row) + value, f.floats(r.decay, row) + head * r.head.decays,
                         f.floats(r.beta, row)[head], work, f.floats(s.out, row) + value);
  }
}

}  // namespace

int64_t tasks(const Frame& f, const RecurrentStep& s, RowSet) {
  return static_cast<int64_t>(f.batch.parts.size()) * shares_of(s);
}

void run_task(const Frame& f, const RecurrentStep& s, RowSet, int64_t task, std::byte* scratch) {
  const int64_t each = shares_of(s);
  const StepBatch::Part& part = f.batch.parts[static_cast<size_t>(task / each)];
  std::visit(
      [&](const auto& rule) {
        run_rule(f, s, rule, part, task % each, reinterpret_cast<float*>(scratch));
      },
      s.rule);
}

int64_t recurrent_scratch_bytes(const Plan& plan) {
  int64_t bytes = 0;
  for (const Step& step : plan.steps) {
    const auto* s = std::get_if<RecurrentStep>(&step.what);
    if (s == nullptr) continue;
    if (const auto* rule = std::get_if<RecurrentStep::DeltaRule>(&s->rule))
      bytes = std::max(bytes, 2 * rule->head.value_dim * static_cast<int64_t>(sizeof(float)));
  }
  return bytes;
}

}  // namespace ashlar
