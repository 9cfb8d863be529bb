// The families, one line each: what family.cpp lists.
#pragma once

#include "families/family.h"

namespace ashlar {

extern const Family kGpt2, kLlama, kMistral, kOlmo2, kGemma3, kQwen3, kQwen3Moe, kSmolLm3;
extern const Family kDeepSeekV2, kDeepSeekV3, kKimiK2, kLlama4, kGptOss, kGlm4Moe, kGrok2;

}  // namespace ashlar
