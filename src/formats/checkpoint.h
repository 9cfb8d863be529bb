// A checkpoint: named tensors in files, whatever the files are. Knows no model family.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/tensor.h"

namespace ashlar {

/// What a file says of a tensor before anybody touches its bytes.
struct TensorEntry {
  Format format;
  Sizes sizes;       // as PyTorch writes them: slowest axis first (GGUF's order reversed)
  std::string file;  // for messages
  /// Why tensor() will refuse this entry ("I64 is no weight"), empty if it will not; `format` is
  /// then f32.
  std::string refusal = {};
};

/// Logical tensors: what a file stores in pieces (fp8 weight and scales, MXFP4 blocks and scales,
/// INT4 packed weight, scale and shape, tensor-parallel slices) appears here as one entry under the
/// weight's own name.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;
  const std::map<std::string, TensorEntry>& entries() const { return entries_; }
  bool has(const std::string& name) const { return entries_.count(name) != 0; }
  /// The tensor; mapped where the file's layout is the format's own, else assembled. Throws Error.
  virtual Tensor tensor(const std::string& name) const = 0;

 protected:
  /// The entry of a tensor of these files ("GGUF file"). Throws Error(invalid) where there is none,
  /// Error(unsupported) where it is refused.
  const TensorEntry& readable(const std::string& name, std::string_view files) const;
  std::map<std::string, TensorEntry> entries_;
};

/// `tensor` itself, or a copy where its numbers would be read at an address the CPU does not
/// promise to read: files may place tensors at any byte.
Tensor aligned(const Tensor& tensor);

}  // namespace ashlar
