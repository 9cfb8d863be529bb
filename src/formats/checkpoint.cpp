// What all kinds of checkpoints do with a tensor that is asked for.
#include "formats/checkpoint.h"

#include <cstring>

#include "base/error.h"

namespace ashlar {

const TensorEntry& Checkpoint::readable(const std::string& name, std::string_view files) const {
  const auto entry = entries_.find(name);
  if (entry == entries_.end()) fail(ErrorKind::invalid, "no tensor \"{}\" in the {}", name, files);
  const TensorEntry& e = entry->second;
  if (!e.refusal.empty())
    fail(ErrorKind::unsupported, "{}: tensor \"{}\": {}", e.file, name, e.refusal);
  return e;
}

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
