// What a route makes of one token's logits, for the route and its gradient.
#pragma once

#include <cstdint>
#include <vector>

#include "ops/experts.h"
#include "ops/sparsemixer.h"

namespace ashlar {

template <class W>
struct RouteScores {
  std::vector<W> scores;  // of all experts
  std::vector<W> capped;  // where there is a softcap: tanh(logit / softcap)
  std::vector<W> chosen;  // scores of the chosen, not yet normalised
  std::vector<W> shares;  // sparsemixer: of all experts, for each of the chosen

  template <class F>
  void take(const Route& route, const F* logits, size_t experts) {
    using std::exp;
    using std::tanh;
    scores.assign(logits, logits + experts);
    if (route.softcap > 0) {
      const W cap = W(route.softcap);
      capped.resize(experts);
      for (size_t e = 0; e < experts; ++e) {
        capped[e] = tanh(scores[e] / cap);
        scores[e] = cap * capped[e];
      }
    }
    if (route.score == RouteScore::softmax) softmax(scores);
    if (route.score == RouteScore::sigmoid) {
      for (W& v : scores) v = W(1) / (W(1) + exp(-v));
    }
  }

  void choose(const Route& route, const std::vector<size_t>& experts) {
    const size_t k = experts.size(), all = scores.size();
    chosen.clear();
    for (const size_t e : experts) chosen.push_back(scores[e]);
    if (route.score == RouteScore::softmax_selected) softmax(chosen);
    if (route.score != RouteScore::sparsemixer) return;
    shares.assign(k * all, W(0));
    std::vector<uint8_t> taken(all);
    for (size_t i = 0; i < k; ++i) {
      W* p = shares.data() + i * all;
      sparsemixer_weights(scores.data(), taken.data(), all, experts[i], route.jitter, p);
      chosen[i] = p[experts[i]];
      taken[experts[i]] = 1;
    }
  }

 private:
  static void softmax(std::vector<W>& x) {
    using std::exp;
    W peak = x[0];
    for (const W& v : x) peak = v > peak ? v : peak;
    W sum = 0;
    for (W& v : x) {
      v = exp(v - peak);
      sum += v;
    }
    for (W& v : x) v /= sum;
  }
};

}  // namespace ashlar
