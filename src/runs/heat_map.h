// Telemetry as heat maps: what of a model, over steps.
#pragma once

#include <filesystem>
#include <string>

namespace ashlar {

/// <figure> elements of a telemetry.jsonl: gradient norms, updates and activations by layer,
/// largest attention scores, loads of experts. Empty where there is no such file. Throws
/// Error(format).
std::string heat_maps_of(const std::filesystem::path& telemetry);

}  // namespace ashlar
