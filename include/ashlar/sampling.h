// How the next token is chosen.
#pragma once

#include <cstdint>
#include <map>

namespace ashlar {

struct SamplingOptions {
  float temperature = 0;  // 0: greedy
  int top_k = 0;          // 0: all
  float top_p = 1;        // smallest set of at least this mass
  float min_p = 0;        // at least this share of the most likely token's probability
  /// Keskar et al. 2019, section 4.1: positive logits divided, negative ones multiplied.
  float repetition_penalty = 1;
  float presence_penalty = 0;   // subtracted once from every token generated so far (OpenAI API)
  float frequency_penalty = 0;  // subtracted per occurrence
  int64_t penalty_window = 0;   // tokens looked back at; 0: all
  std::map<int32_t, float> logit_bias;
  uint64_t seed = 0;
};

}  // namespace ashlar
