// Copies what a file has placed at an odd byte.
#include "formats/aligned.h"

#include <cstring>

namespace ashlar {

Tensor aligned(const Tensor& tensor) {
  // Blocks hold float16 at most, but for fp8_b128 and float32.
  const uintptr_t alignment = info(tensor.format).block_bytes % 4 == 0 ? 4 : 2;
  if (tensor.format == Format::mxfp4 || reinterpret_cast<uintptr_t>(tensor.data) % alignment == 0) {
    return tensor;
  }
  std::byte* data = nullptr;
  Tensor copy = make_tensor(tensor.format, tensor.sizes, &data);
  std::memcpy(data, tensor.data, static_cast<size_t>(tensor.bytes()));
  return copy;
}

}  // namespace ashlar
