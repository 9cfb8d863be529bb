// Changes of a blueprint by paths: {"layers": 6, "embedding.width": 128,
// "blocks[*].mixer.attention.qk_norm": "none"}.
#pragma once

#include "base/json.h"
#include "blueprint/blueprint.h"

namespace ashlar {

/// `layers` keeps the first so many, or repeats the last pattern of layers. blocks[2], blocks[1..3]
/// and blocks[*] name layers; of those named by a range or *, layers of another kind (no such
/// mixer, no such feed-forward) stay as they are, but one must change. Throws Error(invalid) that
/// names the path.
Blueprint changed(const Blueprint& base, const Json& change);

/// `model` of a RUN.json: a string is MODEL of the command line, an object {"base", "change"} or a
/// blueprint.
Blueprint blueprint_of(const Json& model);

}  // namespace ashlar
