// The families, one line each: what family.cpp lists.
#pragma once

#include "families/family.h"

namespace ashlar {

extern const Family kGpt2, kLlama, kMistral, kOlmo2, kGemma3, kQwen3, kQwen3Moe, kSmolLm3;
extern const Family kDeepSeekV2, kDeepSeekV3, kKimiK2, kLlama4, kGptOss, kGlm4Moe, kGrok2;
extern const Family kCohere2, kStarCoder2, kSeedOss, kErnie45, kErnie45Moe, kMiniMaxM2, kMinistral3;
extern const Family kGlm4MoeLite;
extern const Family kQwen2, kMixtral, kGemma2, kPhi3, kPhimoe, kOlmo3, kGranite, kGlm4;
extern const Family kQwen2Moe, kGranite4, kQwen3Next, kQwen35, kQwen35Moe;

}  // namespace ashlar
