// What the dense Qwen3.5 and its mixture of experts share.
#pragma once

#include "families/decoder.h"

namespace ashlar::qwen3_5 {

/// All keys but those of the feed-forward.
void visit(FieldVisitor& v, Fields& f, const FallbackShape& fallback);
/// A gated delta net, or attention with a gated output.
Mixer mixer(const Fields& f, int64_t layer);
/// All names but those of the feed-forward.
void names(Names& n, const Fields& f);

}  // namespace ashlar::qwen3_5
