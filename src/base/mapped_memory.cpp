// mmap, cut to a huge page's edge.
#include "base/mapped_memory.h"

#include <sys/mman.h>

#include <atomic>

namespace ashlar {
namespace {

constexpr size_t kPage = 4096;
constexpr size_t kHugePage = size_t{2} << 20;
constexpr int64_t kMost = int64_t{1} << 46;  // what an address can reach
std::atomic<int64_t> mapped_bytes{0};

}  // namespace

void MappedMemory::Unmap::operator()(std::byte* p) const {
  ::munmap(p, bytes);
  mapped_bytes -= static_cast<int64_t>(bytes);
}

int64_t MappedMemory::total() { return mapped_bytes; }

MappedMemory::MappedMemory(int64_t bytes) {
  if (bytes <= 0 || bytes > kMost) return;
  const size_t size = (static_cast<size_t>(bytes) + kPage - 1) / kPage * kPage;
  const bool huge = size >= kHugePage;
  const size_t mapped = huge ? size + kHugePage : size;
  void* block = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return;
  auto* begin = static_cast<std::byte*>(block);
  if (huge) {
    const size_t over = reinterpret_cast<uintptr_t>(begin) % kHugePage;
    const size_t front = over == 0 ? 0 : kHugePage - over;
    if (front > 0) ::munmap(begin, front);
    if (front < kHugePage) ::munmap(begin + front + size, kHugePage - front);
    begin += front;
    ::madvise(begin, size, MADV_HUGEPAGE);  // a wish: what comes of it is the system's choice
  }
  data_ = {begin, Unmap{size}};
  mapped_bytes += static_cast<int64_t>(size);
}

}  // namespace ashlar
