// Between tensors as files hold them and parameters as graphs want them: the two directions of
// families/names.h's Layout.
#pragma once

#include <functional>
#include <vector>

#include "families/names.h"
#include "tensor/tensor.h"

namespace ashlar {

/// Sizes of a parameter's tensor: its row axes, then the length of a row.
Sizes sizes_of(const Param& param);

/// A parameter taken from the file's tensor, or from one per matrix: the file's own bytes where
/// rows lie as they should, else a copy; in the file's format unless its numbers must change
/// (w - 1) or its rows turn, which leaves block formats as float32.
Tensor assembled(const Param& param, const Source& source, const Layout& layout, bool is_transposed,
                 const std::vector<Tensor>& files);
/// Bytes that `assembled` will allocate; 0 where it maps.
int64_t assembled_bytes(const Param& param, const Source& source, const Layout& layout,
                        bool is_transposed, Format format);

/// A part of a file's tensor: where a parameter goes.
struct TensorPiece {
  Param param;
  Source source;
  Layout layout;
  int64_t matrix = 0;  // of the parameter's, where each has a tensor of its own
  std::function<Tensor()> tensor;
};

/// The file's tensor of these sizes, put together from its pieces and written in `format`.
Tensor disassembled(const std::vector<TensorPiece>& pieces, const Sizes& sizes, Format format);

}  // namespace ashlar
