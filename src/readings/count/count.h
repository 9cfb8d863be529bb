// Counts of a blueprint: what is counted (ashlar/count.h), from the library's own types.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "ashlar/count.h"
#include "blueprint/blueprint.h"
#include "tensor/tensor.h"

namespace ashlar {

/// `name` is a format ("bf16": every parameter; "q8_0": matrices, the rest as in `mix`), one of
/// llama.cpp's mixes ("q4_k_m"), or "native": as the model was released. "fp8", "int4", "mxfp4" and
/// "nvfp4" are meant as published models use them: the matrices of layers, of four bits the experts
/// only where there are some, the rest bfloat16. Throws Error(invalid) for an unknown name.
WeightFormats weight_formats(std::string_view name, const Blueprint& blueprint);

/// The format in which the model was released, as its card says (blueprint/card.h); bf16 without
/// one.
std::string native_weights(const Blueprint& blueprint);

bool has_experts(const Blueprint& blueprint);

/// The formats that tensors have, by canonical name; float32 for parameters that have none.
WeightFormats formats_of(const std::map<std::string, Tensor>& weights);

/// Counts a blueprint. Throws Error(invalid) for options out of range.
Count count(const Blueprint& blueprint, const CountOptions& options = {});

/// Bytes that a runtime allocates for the state of `sequences` sequences of up to `context` tokens,
/// evaluated in steps of up to `step` tokens: Engine::state_bytes, before there is an engine.
int64_t allocated_state_bytes(const Graph& graph, Format state, int64_t context, int64_t step,
                              int64_t sequences);

}  // namespace ashlar
