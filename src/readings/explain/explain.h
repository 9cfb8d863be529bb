// Explanation of a blueprint (ashlar/explain.h), from the library's own types.
#pragma once

#include <string_view>

#include "ashlar/explain.h"
#include "blueprint/blueprint.h"

namespace ashlar {

/// `scope` is empty (the whole model, equal layers once) or a prefix of the graph's names:
/// "embedding", "layers.3", "layers.3.attn", "layers.3.attn.q", "final_norm", "logits", "mtp.0".
/// Throws Error(invalid), listing near scopes, if there is none of that name.
Explanation explain(const Blueprint& blueprint, std::string_view scope = {},
                    const ExplainOptions& options = {});

}  // namespace ashlar
