// Where a failed assertion ends.
#include "base/error.h"

#include <cstdio>
#include <cstdlib>

namespace ashlar::detail {

void assertion_failed(const char* condition, const char* why, const char* file, int line) {
  std::fprintf(stderr, "ashlar: assertion failed: %s (%s) at %s:%d\n", condition, why, file, line);
  std::abort();
}

}  // namespace ashlar::detail
