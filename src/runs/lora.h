// Low-rank adapters of a run: what they begin with, the weights they make, and the folder that PEFT
// reads.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "blueprint/blueprint.h"
#include "plan/weights.h"
#include "train/parameters.h"
#include "transform/lora.h"

namespace ashlar {

/// Throws Error(unsupported) where a projection has no tensor of its own in the family's files:
/// PEFT could not name it.
void check_adapter(const Blueprint& blueprint, const Graph& graph,
                   const std::vector<LoraPair>& pairs);

/// A evenly between -1 / sqrt(in) and 1 / sqrt(in), as PEFT begins, B zeros: nothing changes yet.
void initialise_adapter(const Params& params, const std::vector<LoraPair>& pairs, uint64_t seed,
                        ParameterArrays& to);

/// W + scale B A in place of each W, without the adapters.
Weights merged(const Params& params, const std::vector<LoraPair>& pairs,
               const ParameterArrays& parameters);

/// adapter_config.json and adapter_model.safetensors. `base` is what they belong to. Throws Error.
void write_adapter(const std::filesystem::path& folder, const Blueprint& blueprint,
                   const Params& params, const std::vector<LoraPair>& pairs,
                   const ParameterArrays& parameters, int64_t rank, double alpha,
                   const std::string& base);

}  // namespace ashlar
