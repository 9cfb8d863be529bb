// The version of Ashlar, and the namespace of its public classes.
#pragma once

#include <string_view>

// Public classes stand in ashlar::v1, which is ashlar itself for those who use the library. The
// library has classes of the same names (its own Engine takes a graph), so there v1 is written out.
#ifdef ASHLAR_INSIDE
#define ASHLAR_V1 ashlar::v1
#else
#define ASHLAR_V1 ashlar::inline v1
#endif

namespace ASHLAR_V1 {

/// "0.1.0"
std::string_view version();

}  // namespace ASHLAR_V1
