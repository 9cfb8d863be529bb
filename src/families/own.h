// Files of Ashlar's own: the blueprint itself in config.json or GGUF, parameters under their
// canonical names. For architectures that no published family can say.
#pragma once

#include "families/family.h"

namespace ashlar {

/// "model_type": "ashlar". Not among families(): it takes what none of them can write.
const Family& own_family();

/// {"architectures", "model_type", "blueprint", ...} of a config.json.
Json own_config(const Blueprint& blueprint);
GgufKeys own_gguf_keys(const Blueprint& blueprint);
/// The blueprint of either: `keys` is config.json, or what stands after "ashlar." in GGUF. Throws
/// Error(format).
Read read_own(const Json& keys, const std::string& where);
Names own_names(const Blueprint& blueprint);

}  // namespace ashlar
