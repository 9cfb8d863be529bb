// Numbers that are not finite end what was asked for, with the layer that made the first of them.
#pragma once

#include <span>

#include "run/engine.h"

namespace ashlar {

/// Whether no value is NaN or infinite.
bool all_finite(std::span<const float> values);

/// Throws Error(invalid) that names the first step of the model, evaluated over `tokens` anew,
/// whose result is not finite. The engine has a free sequence, or the name is left out.
[[noreturn]] void fail_not_finite(Engine& engine, std::span<const TokenId> tokens);

/// fail_not_finite unless all logits are finite; `tokens` is the sequence that led to them.
void check_finite(Engine& engine, std::span<const float> logits, std::span<const TokenId> tokens);

}  // namespace ashlar
