// How much a test does: all that it could, in the long tests; else as much as shows the same fault in a few seconds.
#pragma once

#include <cstdlib>

namespace ashlar::test {

inline bool thorough() { return std::getenv("ASHLAR_LONG") != nullptr; }

}  // namespace ashlar::test
