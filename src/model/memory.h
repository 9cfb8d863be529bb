// How much memory is left for weights.
#pragma once

#include <cstdint>
#include <string_view>

namespace ashlar {

/// Bytes this process may still take, by what the system and its control group say; INT64_MAX where
/// neither does.
int64_t available_memory();

/// Error(resource) if `bytes` for `what` are more than that.
void need_memory(int64_t bytes, std::string_view what);

}  // namespace ashlar
