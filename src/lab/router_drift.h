// How far routers still move: experts that they chose earlier in a run against those at its end.
#pragma once

#include <filesystem>

#include "base/json.h"
#include "data/folder.h"
#include "graph/graph.h"

namespace ashlar::lab {

/// Of `model`, the forward graph of a run that keeps more than one checkpoint in `checkpoints`, over
/// the first `count` rows, `at_once` together, on one thread in float32:
///   from, to    steps of the oldest checkpoint and of the newest
///   changed     {router: share of the newest's choices that the oldest did not make for the same
///               token; 1 less what OLMoE (arXiv 2409.02060, section 5.1) calls router saturation}
/// Null where there are no routers, or no two checkpoints.
Json router_drift(const Graph& model, const std::filesystem::path& checkpoints,
                  const TokenRows& rows, int64_t count, int64_t at_once);

}  // namespace ashlar::lab
