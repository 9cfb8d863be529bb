// What the names and numbers of claims are called for people, and the order of claims.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "readings/claims/claims.h"

namespace ashlar {

/// "qwen3_bytes_at_32k" -> "Qwen3 bytes at 32K".
std::string figure_words(std::string_view name);

/// A number with the unit that its name says (docs/claims.md): "1.43 GiB", "85 tokens/s", "12 %".
/// Text is shown as it is, anything nested as JSON.
std::string figure_value(std::string_view name, const Json& value);

/// How many claims have each verdict, in the order holds, holds-if, fails, undecided, open; none
/// left out.
std::vector<std::pair<std::string, int>> verdict_counts(const std::vector<Claim>& claims);

/// The claims in the order of their verdicts: what is settled comes first.
std::vector<const Claim*> settled_first(const std::vector<Claim>& claims);

}  // namespace ashlar
