// What the names and numbers of claims are called for people, and the order of claims.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "readings/claims/claims.h"

namespace ashlar {

/// What was found of a claim, and what that means as a heading; in the order in which claims are
/// listed.
struct Verdict {
  std::string_view name, heading;
};
inline constexpr Verdict kVerdicts[] = {{"holds", "What holds"},
                                        {"holds-if", "What holds under a condition"},
                                        {"fails", "What fails"},
                                        {"undecided", "What was tried and not decided"},
                                        {"open", "What is open"}};

/// "qwen3_bytes_at_32k" -> "Qwen3 bytes at 32K".
std::string figure_words(std::string_view name);

/// A number with the unit that its name says (docs/claims.md): "1.43 GiB", "85 tokens/s", "12 %".
/// Text is shown as it is, anything nested as JSON.
std::string figure_value(std::string_view name, const Json& value);

/// The claims with each verdict, in the order of kVerdicts: what is settled comes first.
std::vector<std::pair<Verdict, std::vector<const Claim*>>> by_verdict(
    const std::vector<Claim>& claims);

}  // namespace ashlar
