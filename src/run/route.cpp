// Scores, groups, choice and weights of one token.
#include "run/route.h"

#include <cmath>

#include "ops/sparsemixer.h"

namespace ashlar {
namespace {

void softmax(float* x, int64_t n) {
  float peak = x[0];
  for (int64_t i = 1; i < n; ++i) peak = x[i] > peak ? x[i] : peak;
  float sum = 0;
  for (int64_t i = 0; i < n; ++i) sum += x[i] = std::exp(x[i] - peak);
  for (int64_t i = 0; i < n; ++i) x[i] /= sum;
}

/// Index of the largest value that is not taken, the first of equals; NaNs come last.
int64_t best_of(const float* x, const float* taken, int64_t n) {
  int64_t best = -1;
  for (int64_t i = 0; i < n; ++i) {
    if (taken[i] != 0) continue;
    if (best < 0 || x[i] > x[best] || (std::isnan(x[best]) && !std::isnan(x[i]))) best = i;
  }
  return best;
}

}  // namespace

int64_t route_scratch(int64_t experts) { return 5 * experts; }

void route(const Route& op, const float* logits, const float* bias, int64_t experts, float* weights,
           int32_t* chosen, float* scratch) {
  float* score = scratch;
  float* choice = score + experts;
  float* taken = choice + experts;  // 1: not to be chosen (any more)
  for (int64_t e = 0; e < experts; ++e) {
    score[e] = logits[e];
    if (op.softcap > 0) {
      const auto cap = static_cast<float>(op.softcap);
      score[e] = cap * std::tanh(score[e] / cap);
    }
    taken[e] = 0;
  }
  if (op.score == RouteScore::softmax) softmax(score, experts);
  if (op.score == RouteScore::sigmoid)
    for (int64_t e = 0; e < experts; ++e) score[e] = 1.0f / (1.0f + std::exp(-score[e]));
  const bool by_logits = op.by_logits(bias != nullptr);
  for (int64_t e = 0; e < experts; ++e)
    choice[e] = by_logits ? logits[e] : bias != nullptr ? score[e] + bias[e] : score[e];

  if (op.groups > 1) {
    const int64_t size = experts / op.groups;
    float* group = taken + experts;
    float* kept = group + op.groups;
    for (int64_t g = 0; g < op.groups; ++g) {
      float first = choice[g * size], second = -1e30f;
      for (int64_t i = 1; i < size; ++i) {
        const float v = choice[g * size + i];
        if (v > first) {
          second = first;
          first = v;
        } else if (v > second) {
          second = v;
        }
      }
      group[g] = op.group_score == GroupScore::max ? first : first + second;
      kept[g] = 0;
    }
    for (int64_t i = 0; i < op.keep_groups; ++i) kept[best_of(group, kept, op.groups)] = 1;
    for (int64_t e = 0; e < experts; ++e) taken[e] = kept[e / size] == 0 ? 1.0f : 0.0f;
  }
  for (int64_t k = 0; k < op.top_k; ++k) {
    const int64_t e = best_of(choice, taken, experts);
    chosen[k] = static_cast<int32_t>(e);
    weights[k] = score[e];
    if (op.score == RouteScore::sparsemixer) {
      float* within = taken + experts;
      sparsemixer_weights(score, taken, static_cast<size_t>(experts), static_cast<size_t>(e),
                          op.jitter, within);
      weights[k] = within[e];
    }
    taken[e] = 1;
  }
  if (op.score == RouteScore::softmax_selected) softmax(weights, op.top_k);
  if (op.normalize) {
    float sum = 1e-20f;
    for (int64_t k = 0; k < op.top_k; ++k) sum += weights[k];
    for (int64_t k = 0; k < op.top_k; ++k) weights[k] /= sum;
  }
  if (op.scale != 1)
    for (int64_t k = 0; k < op.top_k; ++k) weights[k] *= static_cast<float>(op.scale);
}

}  // namespace ashlar
