// Initial values of parameters: schemes by their names, numbers from a counter-based generator
// keyed by (seed, name of the parameter), so that graphs share the values of what they share.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/enum_names.h"
#include "train/parameters.h"
#include "train/settings.h"

namespace ashlar {

/// `std` is the deviation of most matrices, d the width of the residual stream, L the number of
/// layers, l a layer's index from 0. Gains of norms are 1, biases 0, sinks 0.
enum class InitScheme : uint8_t {
  llama,     // normal cut at 3 std, 0.02 everywhere: Llama, OLMo 2, Qwen3 (OLMo-core's "normal")
  gpt2,      // normal 0.02; what writes into the residual stream 0.02 / sqrt(2 L); positions 0.02
  mitchell,  // cut at 3 std: 1 / sqrt(fan in); into the residual stream divided by sqrt(2 (l + 1))
  deepseek,  // normal 0.006 everywhere (DeepSeekMoE 2401.06066, DeepSeek-V3)
  fan_in,    // cut at 3 std: 1 / sqrt(fan in), embedding 1 (OLMo-core's "fan_in")
  depth,     // normal sqrt(2 / (5 d)); into the residual stream 2 / (L sqrt(d)) (Wang-Xiong)
};
ASHLAR_NAMES(InitScheme, llama, gpt2, mitchell, deepseek, fan_in, depth);

struct InitSettings {
  InitScheme scheme = InitScheme::llama;
  double std = 0;  // 0: the scheme's own
  ASHLAR_SETTINGS(scheme, std);
};

/// Those of `given` are left alone.
void initialise(const Params& params, const InitSettings& settings, uint64_t seed,
                ParameterArrays& to, const Weights& given = {});

}  // namespace ashlar
