// A checkpoint: named tensors in files, whatever the files are. Knows no model family.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
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
  std::map<std::string, TensorEntry> entries_;
};

}  // namespace ashlar
