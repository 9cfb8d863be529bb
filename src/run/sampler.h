// From logits to the next token: penalties, temperature, cuts, and a seed.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "ashlar/sampling.h"

namespace ashlar {

/// One per sequence. Same seed, options and logits: same tokens, on every machine. Passes over the
/// vocabulary without sorting it: words that no cut can be undecided about are never ordered.
class Sampler {
 public:
  /// Throws Error(invalid) for options that make no sense.
  explicit Sampler(SamplingOptions options);
  /// The next token; `history` is what penalties look at, oldest first: the prompt counts for the
  /// repetition penalty only, the last `generated` tokens for all.
  int32_t next(std::span<const float> logits, std::span<const int32_t> history, int64_t generated);

 private:
  struct Edge;
  struct OfLogits;
  struct OfChances;
  struct Undecided {
    float value;
    int32_t index;
    bool operator<(const Undecided& o) const;  // the larger first, of equals the first
  };
  std::span<const float> adjusted(std::span<const float> logits, std::span<const int32_t> history,
                                  int64_t generated);
  std::span<const float> most_likely(std::span<const float> logits, float most);
  double cut(double total);
  std::optional<size_t> draw(double at) const;
  template <class Scale, class EdgeAt>
  static void narrow(Edge& low, Edge& high, double wanted, float first, Scale scale,
                     EdgeAt edge_at);

  SamplingOptions options_;
  std::mt19937_64 random_;
  std::vector<float> work_;           // logits that differ from those given
  std::vector<int32_t> counts_;       // by token: all zero between calls
  std::vector<float> maxima_;         // of blocks of logits
  std::vector<float> few_;            // logits of the candidates where top_k left few,
  std::vector<int32_t> ids_;          // and their ids, ascending
  std::vector<float> chances_;        // of the candidates, of which the largest is 1
  std::vector<double> sums_;          // of blocks of them, of those that are surely kept
  std::vector<int32_t> between_;      // by block: candidates of which it is not sure
  std::vector<Undecided> undecided_;  // in the end those of them that are kept
  float sure_ = 0;                    // chances from here on are in sums_
};

}  // namespace ashlar
