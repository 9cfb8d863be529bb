// The weights of sparsemixer, once for the definition, its gradient and the kernels.
#pragma once

#include <cmath>
#include <cstddef>

namespace ashlar {

/// p[e] of `experts`: the softmax of the logits over those that `taken` does not name and that lie
/// within 2 jitter of logit `peak`, the largest of them, relative to the larger magnitude; 0
/// elsewhere. Every expert costs 6 operations, whichever lie within.
template <class W, class Taken>
void sparsemixer_weights(const W* logits, const Taken* taken, size_t experts, size_t peak,
                         double jitter, W* p) {
  using std::exp;
  const W top = logits[peak];
  W sum = 0;
  for (size_t e = 0; e < experts; ++e) {
    const W z = logits[e];
    const W gap = top - z, bound = z < W(0) ? (top > -z ? top : -z) : (top > z ? top : z);
    const W x = exp(z - top);
    const bool beyond = gap / bound > W(2 * jitter);  // 0 / 0 is within
    p[e] = (taken[e] != Taken(0) && e != peak) || beyond ? W(0) : x;
    sum += p[e];
  }
  for (size_t e = 0; e < experts; ++e) p[e] /= sum;
}

}  // namespace ashlar
