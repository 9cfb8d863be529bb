// From logits to the next token: penalties, temperature, cuts, and a seed.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <span>
#include <vector>

namespace ashlar {

struct SamplingOptions {
  float temperature = 0;  // 0: greedy
  int top_k = 0;          // 0: all
  float top_p = 1;        // smallest set of at least this mass
  float min_p = 0;        // at least this share of the most likely token's probability
  float repetition_penalty =
      1;  // Keskar et al. 2019, section 4.1: positive logits divided, negative multiplied
  float presence_penalty = 0;   // subtracted once from every token generated so far (OpenAI API)
  float frequency_penalty = 0;  // subtracted per occurrence
  int64_t penalty_window = 0;   // tokens looked back at; 0: all
  std::map<int32_t, float> logit_bias;
  uint64_t seed = 0;
};

/// One per sequence. Same seed, options and logits: same tokens, on every machine.
class Sampler {
 public:
  explicit Sampler(
      SamplingOptions options);  // throws Error(invalid) for options that make no sense
  /// The next token; `history` is what penalties look at, oldest first: the prompt counts for the
  /// repetition penalty only, the last `generated` tokens for all.
  int32_t next(std::span<const float> logits, std::span<const int32_t> history, int64_t generated);

 private:
  SamplingOptions options_;
  std::mt19937_64 random_;
  std::vector<float> work_;
  std::vector<int32_t> order_;
};

}  // namespace ashlar
