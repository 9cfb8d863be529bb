// Memory of measurements.
#include "measure/timing.h"

#include <sys/mman.h>

#include <cstring>

#include "base/error.h"

namespace ashlar {

Memory::Memory(int64_t bytes, bool huge) : bytes_((bytes + 4096 + 4095) / 4096 * 4096) {
  void* p = mmap(nullptr, static_cast<size_t>(bytes_), PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (p == MAP_FAILED) fail(ErrorKind::resource, "no memory for {} bytes to measure with", bytes_);
  data_ = static_cast<std::byte*>(p);
#if defined(MADV_HUGEPAGE)
  if (huge) madvise(p, static_cast<size_t>(bytes_), MADV_HUGEPAGE);
#else
  static_cast<void>(huge);
#endif
  std::memset(data_, 0, static_cast<size_t>(bytes_));
}

Memory::~Memory() { munmap(data_, static_cast<size_t>(bytes_)); }

}  // namespace ashlar
