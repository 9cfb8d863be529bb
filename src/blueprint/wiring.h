// Where the norms of a block stand: one description of each wiring, which its graph, its pictures
// and its words follow.
#pragma once

#include "blueprint/blueprint.h"

namespace ashlar {

/// Relative to a part f (mixer or feed-forward) and the residual stream.
struct NormPlaces {
  bool before = false, after = false;  // of f, inside the residual
  bool on_stream = false;              // after the addition
  bool parallel = false;               // one norm, read by mixer and feed-forward side by side
};

struct WiringForm {
  NormPlaces norms;
  const char *formula, *words, *source;  // x the stream, f a part; the paper with its section
};

WiringForm form_of(const Wiring& wiring);
const Norm& norm_of(const Wiring& wiring);

}  // namespace ashlar
