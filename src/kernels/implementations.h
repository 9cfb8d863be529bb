// The tables as each instruction set's file defines them; a null entry means "as the table before".
#pragma once

#include "kernels/table.h"

namespace ashlar::kernels {

namespace generic {
extern const Table kTable;
}
#if defined(__x86_64__)
namespace avx2 {
extern const Table kTable;
}
namespace avx512 {
extern const Table kTable;
}
namespace amx {
extern const Table kTable;
}
#elif defined(__aarch64__)
namespace neon {
extern const Table kTable;
}
namespace neon_dot {
extern const Table kTable;
}
#endif

}  // namespace ashlar::kernels
