// What of the program decides a run's numbers.
#pragma once

#include <string>

#include "base/json.h"

namespace ashlar::lab {

/// Beside settings and data, of runs with this `precision` ("f32", "bf16"):
///   version   of Ashlar
///   kernels   name of the kernel table in use
///   probe     hash of the weights to the bit after three steps of AdamW and three of Muon,
///             of a model that has grouped, windowed and latent attention, QK norm, a dense
///             feed-forward and experts with a shared one: a change of the program that changes
///             what it computes changes this, one that does not leaves it
/// Made once per process. Throws Error(resource).
Json numbers_of_program(const std::string& precision);

}  // namespace ashlar::lab
