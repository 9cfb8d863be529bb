// Routing of one token without allocation; the meaning is Route's in ops/experts.h.
#pragma once

#include <cstdint>

#include "ops/experts.h"

namespace ashlar {

/// logits [experts] -> weights and chosen [top_k]; bias null: none; `scratch` holds
/// route_scratch(experts) floats.
void route(const Route& op, const float* logits, const float* bias, int64_t experts, float* weights,
           int32_t* chosen, float* scratch);
int64_t route_scratch(int64_t experts);

}  // namespace ashlar
